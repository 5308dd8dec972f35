//! Enough of an HTML reader for what the templates write: every `<` before a letter begins an element, wherever it stands, which is stricter than a
//! browser; attributes with and without quotes; forms with their fields.

/// One element's beginning.
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Tag {
    fn of(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A form and its fields: name, value, and whether a person types it.
pub(super) struct Form {
    pub(super) action: String,
    pub(super) method: String,
    pub(super) fields: Vec<(String, String, bool)>,
}

impl Form {
    /// What makes it another form than the next one: where it goes, and which fields and acts it has.
    pub(super) fn key(&self) -> String {
        let fields = self.fields.iter();
        let names: Vec<String> = fields
            .map(|(name, value, _)| {
                if name == "act" {
                    format!("act:{value}")
                } else {
                    name.clone()
                }
            })
            .collect();
        format!("{} {} {}", self.method, self.action, names.join(","))
    }
}

/// A template without what the engine takes out of it.
pub(super) fn without_blocks(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        plain.push_str(&rest[..at]);
        let end = if rest[at..].starts_with("{{") { "}}" } else { "%}" };
        let Some(close) = rest[at..].find(end) else {
            return plain;
        };
        // A value that is left out, and a condition between attributes.
        plain.push(' ');
        rest = &rest[at + close + 2..];
    }
    plain + rest
}

/// The beginnings of all elements.
pub(super) fn tags(text: &str) -> Vec<Tag> {
    let bytes = text.as_bytes();
    let begins = text.match_indices('<').map(|(at, _)| at);
    let begins = begins.filter(|at| bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic));
    begins.map(|at| tag(&text[at + 1..])).collect()
}

fn tag(text: &str) -> Tag {
    let ends = |c: char| c.is_whitespace() || c == '>' || c == '/';
    let (name, mut rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            break;
        }
        let (attribute, behind) = rest.split_at(rest.find(|c: char| ends(c) || c == '=').unwrap_or(rest.len()));
        rest = behind;
        let mut value = "";
        if let Some(behind) = rest.strip_prefix('=') {
            let quote = behind.chars().next().filter(|c| *c == '"' || *c == '\'');
            let (found, left) = match quote {
                Some(quote) => behind[1..].split_once(quote).unwrap_or((&behind[1..], "")),
                None => behind.split_at(behind.find(ends).unwrap_or(behind.len())),
            };
            (value, rest) = (found, left);
        } else if attribute.is_empty() {
            // A stray sign: no browser makes an attribute of it that could matter, and the reader goes on.
            let mut signs = rest.chars();
            signs.next();
            rest = signs.as_str();
            continue;
        }
        attributes.push((attribute.to_ascii_lowercase(), value.to_owned()));
    }
    Tag {
        name: name.to_ascii_lowercase(),
        attributes,
    }
}

/// The forms of a page.
pub(super) fn forms(page: &str, text: &str) -> Vec<Form> {
    let parts = text.split("<form").skip(1);
    parts
        .map(|part| {
            let whole = part.split("</form").next().unwrap_or(part);
            let read = tags(&format!("<form{whole}"));
            let form = &read[0];
            let fields = read[1..].iter().filter_map(|tag| {
                let name = tag.of("name")?.to_owned();
                let kind = tag.of("type").unwrap_or("text");
                let typed = match tag.name.as_str() {
                    "textarea" => true,
                    "input" => !["hidden", "checkbox"].contains(&kind),
                    "select" => true,
                    _ => false,
                };
                Some((name, tag.of("value").unwrap_or_default().to_owned(), typed))
            });
            Form {
                action: form.of("action").unwrap_or(page).to_owned(),
                method: form.of("method").unwrap_or("get").to_owned(),
                fields: fields.collect(),
            }
        })
        .collect()
}

/// A value as a form sends it.
pub(super) fn encoded(value: &str) -> String {
    let mut sent = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() {
            sent.push(char::from(byte));
        } else {
            sent.push_str(&format!("%{byte:02X}"));
        }
    }
    sent
}
