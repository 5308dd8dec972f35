//! Requests that two readers would read differently, floods, and requests that never end.

use std::{fmt::Write as _, time::Duration};

use crate::house::{House, LONG, PATIENCE_MS, Setup, closing_post, house, order, spoken};

/// A request of `headers` and `body`, as raw as they are given.
fn raw(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// The order hidden in each attack as what a second reader would take for a request of its own.
fn hidden() -> String {
    String::from_utf8(closing_post(&order("hidden").to_string(), "")).unwrap()
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len())
}

/// What may pass on to the venue at most, of one attack.
struct Attack {
    what: &'static str,
    octets: Vec<u8>,
    most: usize,
}

fn attack(what: &'static str, octets: Vec<u8>) -> Attack {
    Attack { what, octets, most: 0 }
}

/// Ambiguous framing: refused whole. Content behind it would be a second request for a reader that decided otherwise.
fn ambiguous() -> Vec<Attack> {
    let body = order("framed").to_string();
    let length = body.len();
    let chunked = chunk(&body);
    let smuggled = format!("0\r\n\r\n{}", hidden());
    vec![
        attack(
            "CL and TE",
            raw(
                &format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", smuggled.len()),
                &smuggled,
            ),
        ),
        attack(
            "TE and CL",
            raw("transfer-encoding: chunked\r\ncontent-length: 4\r\n", &smuggled),
        ),
        attack(
            "two TE",
            raw(
                "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
                &smuggled,
            ),
        ),
        attack("TE of another name", raw("transfer-encoding: xchunked\r\n", &chunked)),
        attack(
            "TE behind a blank",
            raw(
                &format!("transfer-encoding : chunked\r\ncontent-length: {length}\r\n"),
                &body,
            ),
        ),
        attack(
            "two lengths",
            raw(&format!("content-length: {length}\r\ncontent-length: 0\r\n"), &body),
        ),
        attack(
            "a list of lengths",
            raw(&format!("content-length: {length}, 0\r\n"), &body),
        ),
        attack("a signed length", raw(&format!("content-length: +{length}\r\n"), &body)),
        attack(
            "a length beyond 64 bits",
            raw("content-length: 18446744073709551616\r\n", &body),
        ),
        attack(
            "a folded header",
            raw(&format!("x-a: b\r\n c\r\ncontent-length: {length}\r\n"), &body),
        ),
        attack(
            "a bare CR in a value",
            raw(&format!("x-a: b\rc\r\ncontent-length: {length}\r\n"), &body),
        ),
        attack(
            "NUL in a value",
            raw(&format!("x-a: b\0c\r\ncontent-length: {length}\r\n"), &body),
        ),
        attack(
            "a name with a blank",
            raw(&format!("x a: b\r\ncontent-length: {length}\r\n"), &body),
        ),
        attack(
            "an absurd chunk",
            raw("transfer-encoding: chunked\r\n", "ffffffffffffffff1\r\n{"),
        ),
        attack(
            "a negative chunk",
            raw("transfer-encoding: chunked\r\n", "-1\r\n{\r\n0\r\n\r\n"),
        ),
        attack(
            "a chunk above the body",
            raw("transfer-encoding: chunked\r\n", &chunk(&"x".repeat(5_000))),
        ),
        attack(
            "a body above the bound",
            raw("content-length: 5000\r\nconnection: close\r\n", &" ".repeat(5_000)),
        ),
        attack(
            "a head above the bound",
            raw(&format!("x-a: {}\r\n", "a".repeat(70_000)), ""),
        ),
        attack(
            "a flood of headers",
            raw(
                &(0..2_000).fold(String::new(), |mut all, n| {
                    let _ = write!(all, "x-{n}: 1\r\n");
                    all
                }),
                "",
            ),
        ),
        attack(
            "no HTTP at all",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        ),
        attack(
            "another version",
            raw("", "")
                .into_iter()
                .map(|octet| if octet == b'1' { b'9' } else { octet })
                .collect(),
        ),
        attack(
            "CONNECT",
            b"CONNECT venue.example:443 HTTP/1.1\r\nhost: venue.example\r\nconnection: close\r\n\r\n".to_vec(),
        ),
        attack(
            "another's address",
            b"GET http://venue.example/api/v3/order HTTP/1.1\r\nhost: venue.example\r\nconnection: close\r\n\r\n"
                .to_vec(),
        ),
        attack(
            "a path that climbs",
            b"POST /v1/me/../orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .to_vec(),
        ),
    ]
}

/// What one reader may read as a request: at most the one honest order of it passes, never the hidden one.
fn lenient() -> Vec<Attack> {
    let one = |id: &str| order(id).to_string();
    let bare = String::from_utf8(closing_post(&one("bare"), "")).unwrap();
    let old = String::from_utf8(closing_post(&one("old"), "")).unwrap();
    let pair = format!(
        "{}{}",
        String::from_utf8(raw(
            &format!("content-length: {}\r\n", one("pair-1").len()),
            &one("pair-1")
        ))
        .unwrap(),
        String::from_utf8(closing_post(&one("pair-2"), "")).unwrap()
    );
    let after = format!(
        "{}{}",
        String::from_utf8(closing_post(&one("closed"), "")).unwrap(),
        hidden()
    );
    let split = format!(
        "x-a: b\r\nx-b: c\r\ncontent-length: {}\r\nconnection: close\r\n",
        one("split").len()
    );
    vec![
        Attack {
            most: 1,
            ..attack("bare LF", bare.replace("\r\n", "\n").into_bytes())
        },
        Attack {
            most: 1,
            ..attack("HTTP/1.0", old.replace("HTTP/1.1", "HTTP/1.0").into_bytes())
        },
        Attack {
            most: 2,
            ..attack("two at once", pair.into_bytes())
        },
        Attack {
            most: 1,
            ..attack("a request after the last", after.into_bytes())
        },
        Attack {
            most: 1,
            ..attack(
                "chunked in one-octet pieces",
                raw(
                    "transfer-encoding: chunked\r\nconnection: close\r\n",
                    &(one("pieces").chars().fold(String::new(), |mut all, c| {
                        let _ = write!(all, "1;x=y\r\n{c}\r\n");
                        all
                    }) + "0\r\n\r\n"),
                ),
            )
        },
        Attack {
            most: 1,
            ..attack("a value with CRLF", raw(&split, &one("split")))
        },
    ]
}

async fn run(house: &House, attack: &Attack) {
    let before = house.orders();
    // The gateway's own bounds end each of them: head and body patience, well below this.
    let (said, closed) = house.raw(&attack.octets, Duration::from_millis(6 * PATIENCE_MS)).await;
    assert!(closed, "{}: the gateway ended it: {said}", attack.what);
    let passed = house.orders() - before;
    assert!(passed <= attack.most, "{}: {passed} passed: {said}", attack.what);
    let created = said.matches("HTTP/1.1 200").count() + said.matches("HTTP/1.0 200").count();
    assert_eq!(
        created, passed,
        "{}: each order that passed was answered, no other: {said}",
        attack.what
    );
    assert!(
        attack.most > 0 || !said.starts_with("HTTP/1.1 2"),
        "{}: {said}",
        attack.what
    );
    let of =
        |request: &fixtures_venue::Received| request.path.contains("example") || request.parameters.contains("hidden");
    assert_eq!(
        house.venue.count(of),
        0,
        "{}: the hidden request reached nobody",
        attack.what
    );
}

/// Negative control: `two at once` counts two, so the count sees what passes; a framing read leniently would add the hidden order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_framing_passes_more_than_its_honest_requests() {
    let house = house(Setup::default()).await;
    for attack in ambiguous().iter().chain(&lenient()) {
        run(&house, attack).await;
    }
    let (said, _) = house
        .raw(
            b"GET /v1/orders/hidden HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            LONG,
        )
        .await;
    assert!(
        said.contains("ORDER_NOT_FOUND"),
        "nobody decided the hidden order: {said}"
    );
    house.lives("after").await;
    house.running.stop().await.unwrap();
}

/// Heads and bodies that do not end, from many connections at once: the gateway ends them by its own bounds, and serves others
/// meanwhile. Negative control: without the bound on the body's time (`whole_body`) the second never closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_ends_is_ended() {
    let house = house(Setup::default()).await;
    let waits = Duration::from_millis(8 * PATIENCE_MS);
    let (nothing, head, body, chunks) = (
        Vec::new(),
        b"POST /v1/orders HTTP/1.1\r\nhost: loc".to_vec(),
        raw("content-length: 200\r\n", "{\"client_order_id\":"),
        raw("transfer-encoding: chunked\r\n", "1\r\n{\r\n"),
    );
    let each = [
        ("nothing", nothing),
        ("a head", head),
        ("a body", body),
        ("chunks", chunks),
    ];
    let slow = each.iter().flat_map(|one| std::iter::repeat_n(one, 8));
    let slow = slow.map(|(what, octets)| {
        let talk = house.raw(octets, waits);
        async move {
            let (said, closed) = talk.await;
            assert!(closed, "{what} that does not end is ended: {said}");
            assert!(!said.contains(" 200 "), "{what}: {said}");
        }
    });
    let mut slow: Vec<_> = slow
        .map(|one| -> std::pin::Pin<Box<dyn Future<Output = ()>>> { Box::pin(one) })
        .collect();
    // HTTP/2 by ALPN: no preface, half of one; and connections of nobody, which are told what they lack and then cut.
    for (octets, identity) in [
        ("", true),
        ("PRI * HTTP/2.0", true),
        ("", false),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", false),
    ] {
        let house = &house;
        slow.push(Box::pin(async move {
            let mut client = house.client(identity.then(|| house.identity()));
            client.alpn_protocols = vec![b"h2".to_vec()];
            let stream = house.dial_with(client, house.port(), b"").await.unwrap();
            let (_, closed) = spoken(stream, octets.as_bytes(), waits.max(Duration::from_secs(8))).await;
            assert!(closed, "HTTP/2, {octets:?}, identity {identity}");
        }));
    }
    let all = futures_all(slow);
    let (_, ()) = tokio::join!(all, house.lives("meanwhile"));
    assert_eq!(house.orders(), 1, "the honest one alone");
    house.lives("after").await;
    house.running.stop().await.unwrap();
}

/// Polls all of them to their ends on this task.
async fn futures_all<F: Future<Output = ()> + Unpin>(mut all: Vec<F>) {
    std::future::poll_fn(|context| {
        all.retain_mut(|one| std::pin::Pin::new(one).poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// One HTTP/2 frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut octets = length[1..].to_vec();
    octets.extend([kind, flags]);
    octets.extend(stream.to_be_bytes());
    octets.extend_from_slice(payload);
    octets
}

/// `count` requests for `/v1/me`, each taken back at once where `reset` says so.
fn requests(count: u32, reset: bool) -> Vec<u8> {
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    octets.extend(frame(4, 0, 0, &[]));
    // GET, https, the authority and the path as literals (RFC 7541).
    let head = b"\x82\x87\x41\x09localhost\x04\x06/v1/me";
    for stream in (0..count).map(|place| 2 * place + 1) {
        octets.extend(frame(1, 5, stream, head));
        if reset {
            octets.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
        }
    }
    octets
}

/// Requests that are taken back at once, ten thousand on one connection: it is closed, and others are served. Control: without the resets a few
/// requests on the same connection are answered and it stays; with `resets` far above the flood it stays too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_resets_closes_its_connection() {
    let house = house(Setup::default()).await;
    let dial = async || {
        let mut client = house.client(Some(house.identity()));
        client.alpn_protocols = vec![b"h2".to_vec()];
        house.dial_with(client, house.port(), b"").await.unwrap()
    };
    let (said, closed) = spoken(dial().await, &requests(10_000, true), LONG).await;
    assert!(closed, "{} octets answered", said.len());
    let (said, closed) = spoken(dial().await, &requests(5, false), Duration::from_millis(500)).await;
    assert!(!closed && said.contains("mm-1"), "the control: {said}");
    house.lives("after-resets").await;
    house.running.stop().await.unwrap();
}
