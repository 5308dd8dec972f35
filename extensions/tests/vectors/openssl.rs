//! What OpenSSL reads in each vector: the leaves where it finds them, with its own reading of numbers and texts, against the values of
//! `index.json`; and of each bad one, whether it is broken for OpenSSL too or for us alone.

use std::{fmt::Write as _, path::Path, process::Command};

use serde_json::Value;

/// Bad vectors that are no DER for OpenSSL either. All others it parses: they are refused for what they say, by us.
const BROKEN: [&str; 4] = ["cut-short", "empty", "length-not-minimal", "trailing-octet"];

/// A primitive value as OpenSSL prints it, or its octets where it prints none.
fn leaf(line: &str, der: &[u8]) -> Option<String> {
    let (place, rest) = line.split_once("prim:")?;
    let number = |key: &str| -> usize {
        let after = place.split(key).nth(1).unwrap().trim_start();
        after
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let offset: usize = place.trim_start().split(':').next().unwrap().parse().unwrap();
    let (begin, length) = (offset + number("hl="), number(" l="));
    let (kind, printed) = match rest.split_once(':') {
        Some((kind, printed)) => (kind.trim(), printed),
        None => (rest.trim(), ""),
    };
    Some(match kind {
        "INTEGER" | "ENUMERATED" => {
            let (sign, digits) = printed.strip_prefix('-').map_or(("", printed), |digits| ("-", digits));
            format!("{kind} {sign}{}", u128::from_str_radix(digits, 16).unwrap())
        }
        "BOOLEAN" => format!("{kind} {}", printed != "0"),
        "IA5STRING" => format!("{kind} {printed}"),
        _ => {
            let kind = if kind.starts_with("OCTET") {
                "OCTET STRING"
            } else {
                kind
            };
            let mut text = format!("{kind} ");
            for octet in &der[begin..begin + length] {
                let _ = write!(text, "{octet:02x}");
            }
            text
        }
    })
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The leaves that a decoded value must have, in the order of the ASN.1 module.
fn expected(value: &Value) -> Vec<String> {
    let rows = |key: &str| value[key].as_array().unwrap().clone();
    let integer = |value: &Value| match value {
        Value::String(digits) => format!("INTEGER {digits}"),
        number => format!("INTEGER {number}"),
    };
    let tagged = |tag: &Value, content: &Value| format!("cont [ {tag} ] {}", hexadecimal(text(content).as_bytes()));
    let class = if text(&value["subject_class"]) == "agent" { 1 } else { 0 };
    let mut leaves = vec!["INTEGER 1".to_owned(), format!("ENUMERATED {class}")];
    for row in rows("per_order").iter().chain(&rows("per_day")) {
        leaves.extend([tagged(&row[0], &row[1]), integer(&row[2]), integer(&row[3])]);
    }
    for row in rows("order_rates") {
        leaves.extend([integer(&row[0]), integer(&row[1])]);
    }
    for scope in ["instruments", "counterparties", "regions"] {
        match value[scope].as_array() {
            Some(items) => leaves.extend(items.iter().map(|item| tagged(&item[0], &item[1]))),
            None => leaves.push("cont [ 1 ] ".to_owned()),
        }
    }
    for row in rows("hours") {
        let days = u8::try_from(row[0].as_u64().unwrap()).unwrap().reverse_bits();
        leaves.extend([format!("BIT STRING 01{days:02x}"), integer(&row[1]), integer(&row[2])]);
    }
    let names = ["limit", "market", "stop_limit", "stop_market"];
    let bits = rows("order_types");
    let bits = bits
        .iter()
        .map(|name| names.iter().position(|known| *known == text(name)).unwrap());
    let octet = bits.clone().fold(0_u8, |octet, bit| octet | 0x80 >> bit);
    leaves.push(match octet {
        0 => "BIT STRING 00".to_owned(),
        octet => format!("BIT STRING {:02x}{octet:02x}", octet.trailing_zeros()),
    });
    leaves.push(integer(&value["price_collar"]));
    leaves.push(format!("BOOLEAN {}", value["order_proof"]));
    if let Some(digest) = value["agent_digest"].as_str() {
        leaves.push(format!("cont [ 0 ] {digest}"));
    }
    let mandate = &value["mandate"];
    if mandate.is_object() {
        leaves.push(format!("IA5STRING {}", text(&mandate["id"])));
        leaves.push(format!("OCTET STRING {}", text(&mandate["document_hash"])));
        let approvers = mandate["approvers"].as_array().unwrap();
        leaves.extend(
            approvers
                .iter()
                .map(|approver| format!("OCTET STRING {}", text(approver))),
        );
    }
    leaves
}

/// Reads every vector of `folder`; gives how many good and bad ones there were.
pub(crate) fn read_all(folder: &Path) -> (usize, usize) {
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let index: Vec<Value> = serde_json::from_str(&index).unwrap();
    let (mut good, mut bad) = (0, 0);
    for vector in &index {
        let file = text(&vector["file"]);
        let path = folder.join(file);
        let output = Command::new("openssl")
            .args(["asn1parse", "-inform", "DER", "-in"])
            .arg(&path)
            .output()
            .unwrap();
        let parses = output.status.success();
        if vector.get("decoded").is_none() {
            let broken = BROKEN.contains(&file.trim_end_matches(".der"));
            assert_eq!(parses, !broken, "{file}: {}", String::from_utf8_lossy(&output.stderr));
            bad += 1;
            continue;
        }
        let (der, said) = (std::fs::read(&path).unwrap(), String::from_utf8_lossy(&output.stdout));
        let leaves: Vec<String> = said.lines().filter_map(|line| leaf(line, &der)).collect();
        assert!(parses, "{file}");
        assert_eq!(leaves, expected(&vector["decoded"]), "{file}");
        good += 1;
    }
    (good, bad)
}
