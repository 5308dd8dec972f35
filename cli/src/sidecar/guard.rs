//! Who may ask on loopback: programs of this machine, and no page of a browser.
//!
//! A page from elsewhere can have its own name point at 127.0.0.1 (DNS rebinding): then `Host` is that name. Or it can send to
//! `http://localhost` without reading the answer: then the browser says so in `Origin` or `Sec-Fetch-Site`. No client of a venue sends either.

use std::net::IpAddr;

use hyper::{
    Method, StatusCode, Uri,
    header::{HOST, HeaderMap, ORIGIN},
    http::uri::Authority,
};

use super::refusal::Refusal;

/// Refuses what did not come from a program that addressed this machine.
///
/// # Errors
/// With the refusal.
pub(super) fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    if *method == Method::CONNECT || uri.authority().is_some() {
        let detail = "this is no proxy: set the sidecar's address as the venue's base URL instead";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "HOST_REFUSED", detail));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    if !host.is_some_and(is_this_machine) {
        let detail = "the Host field has to be the sidecar's own address (127.0.0.1, localhost or [::1]), once; another name that leads here is how web \
                      pages reach into a machine";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "HOST_REFUSED", detail));
    }
    if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
        let detail = "the request comes from a browser (Origin, Sec-Fetch-Site); a bot sends neither field";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "BROWSER_REFUSED", detail));
    }
    Ok(())
}

/// A loopback name or address, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    !host.contains('@')
        && (name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(uri: &str, fields: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: hyper::header::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        check(&Method::POST, &uri.parse().unwrap(), &headers).is_ok()
    }

    /// Control, built in: the first four pass.
    #[test]
    fn only_this_machine_is_addressed_and_no_browser_asks() {
        for host in ["127.0.0.1:8787", "localhost", "[::1]:8787", "LOCALHOST:1"] {
            assert!(checked("/v1/orders", &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8787",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "10.0.0.1",
            "0.0.0.0:8787",
            "",
        ] {
            assert!(!checked("/v1/orders", &[("host", host)]), "{host}");
        }
        let own = ("host", "localhost:8787");
        assert!(!checked("/v1/orders", &[]));
        assert!(!checked("/v1/orders", &[own, own]));
        assert!(!checked("http://localhost:8787/v1/orders", &[own]));
        for field in [
            ("origin", "http://localhost:8787"),
            ("origin", "null"),
            ("sec-fetch-site", "none"),
        ] {
            assert!(!checked("/v1/orders", &[own, field]), "{field:?}");
        }
    }
}
