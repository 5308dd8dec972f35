//! Query and form parameters as one list: bounded, unescaped once, each name once. Two readers that disagree about an order are an attack.

use gateway_policy::Code;

/// The most parameters of one request; an order has a dozen.
const MOST_PARAMETERS: usize = 32;

/// Why a request is no order, with what to change.
pub(super) type Fault = (Code, String);

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads query and body, in whatever order the names stand.
    pub(super) fn read(query: Option<&str>, body: &[u8]) -> Result<Self, Fault> {
        let malformed = |detail: &str| (Code::OrderMalformed, detail.to_owned());
        let body = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
        let mut read: Vec<(String, String)> = Vec::new();
        let pairs = query.unwrap_or_default().split('&').chain(body.trim_end().split('&'));
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| malformed("a parameter without ="))?;
            let unescaped = unescape(name).zip(unescape(value));
            let (name, value) = unescaped.ok_or_else(|| malformed("a parameter is not escaped ASCII"))?;
            if read.len() == MOST_PARAMETERS {
                return Err(malformed("more than 32 parameters"));
            }
            if read.iter().any(|(known, _)| *known == name) {
                return Err(malformed("a parameter stands twice; send each once"));
            }
            read.push((name, value));
        }
        Ok(Self(read))
    }

    /// A value, if sent; an empty one counts as not sent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// Every name.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// The text behind `%XX` and `+`; `None` unless all of it is printable ASCII.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = String::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit(high)? * 16 + digit(low)?
            }
            byte => byte,
        };
        if !byte.is_ascii_graphic() && byte != b' ' {
            return None;
        }
        out.push(char::from(byte));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_wherever_it_stands() {
        let read = Parameters::read(Some("a=1&b=%32"), b"c=x+y").expect("three");
        assert_eq!((read.text("b"), read.text("c")), (Some("2"), Some("x y")));
        for (query, body) in [
            ("a=1&a=1", ""),
            ("a=1", "a=2"),
            ("a=1", "%61=2"),
            ("a", ""),
            ("a=%0", ""),
            ("a=%00", ""),
        ] {
            let fault = Parameters::read(Some(query), body.as_bytes()).expect_err(query);
            assert_eq!(fault.0, Code::OrderMalformed, "{query} {body}");
        }
    }
}
