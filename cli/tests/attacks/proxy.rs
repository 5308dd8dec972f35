//! Behind a balancer: the address that decides the region is the header's, and without a header there is no connection.

use std::net::Ipv4Addr;

use crate::house::{House, LONG, Setup, closing_post, house, logged, order, spoken, was_logged};

/// A PROXY protocol version 2 header for TCP over IPv4.
fn header(source: Ipv4Addr) -> Vec<u8> {
    let mut octets = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    octets.extend_from_slice(&source.octets());
    octets.extend_from_slice(&[127, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]);
    octets
}

async fn answered(house: &House, before: &[u8], octets: &[u8]) -> Option<String> {
    let client = house.client(Some(house.identity()));
    let stream = house.dial_with(client, house.port(), before).await.ok()?;
    Some(spoken(stream, octets, LONG).await.0)
}

/// Negative control: the header of an address in the mandate's region is served on the same listener.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_region_is_that_of_the_header() {
    let house = house(Setup {
        proxy_protocol: true,
        ..Setup::default()
    })
    .await;
    let post = |id: &str| closing_post(&order(id).to_string(), "");
    let home = header(Ipv4Addr::new(127, 9, 9, 9));
    let said = answered(&house, &home, &post("home")).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    for (what, address) in [("of another region", [10, 1, 2, 3]), ("of no region", [203, 0, 113, 9])] {
        let said = answered(
            &house,
            &header(address.into()),
            &post(&address.map(|octet: u8| octet.to_string()).join("-")),
        )
        .await;
        let said = said.unwrap();
        assert!(said.contains("REGION_NOT_ALLOWED"), "{what}: {said}");
        assert_eq!(house.orders(), 1, "{what}: nothing was forwarded");
    }
    let me = b"GET /v1/me HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let said = answered(&house, &header(Ipv4Addr::new(10, 1, 2, 3)), me).await.unwrap();
    assert!(said.contains("\"region\":\"eu-west-2\""), "{said}");
    let from = logged().lock().unwrap().len();
    let damaged = |at: usize, octet: u8| {
        let mut octets = home.clone();
        octets[at] = octet;
        octets
    };
    let cases = [
        ("none", Vec::new()),
        ("version 1", b"PROXY TCP4 127.0.0.1 127.0.0.1 1 443\r\n".to_vec()),
        ("another version", damaged(12, 0x31)),
        ("UDP", damaged(13, 0x12)),
        ("too short", damaged(15, 4)),
        ("too long", damaged(14, 0xff)),
    ];
    for (what, before) in cases {
        assert_eq!(
            answered(&house, &before, &post("headless")).await,
            None,
            "{what}: dropped"
        );
    }
    assert!(
        was_logged(from, "does not begin with a PROXY protocol"),
        "the reason is logged"
    );
    assert_eq!(house.orders(), 1);
    house.running.stop().await.unwrap();
}

/// A header from elsewhere than the balancer is not even read. Control: with every network taken, the same header is believed, as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_balancer_says_where_a_bot_is() {
    let house = house(Setup {
        proxy_protocol: true,
        proxy_from: "10.7.0.0/16",
        ..Setup::default()
    })
    .await;
    let from = logged().lock().unwrap().len();
    let post = closing_post(&order("forged").to_string(), "");
    let said = answered(&house, &header(Ipv4Addr::new(127, 9, 9, 9)), &post).await;
    assert_eq!(said, None, "dropped");
    assert!(was_logged(from, "gateway.proxy_from"), "the reason is logged");
    assert_eq!(house.orders(), 0);
    house.running.stop().await.unwrap();
}
