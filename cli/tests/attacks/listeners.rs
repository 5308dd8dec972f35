//! Months pass: the listeners' own certificates are renewed under open connections.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use extensions::{Clock, Timestamp};
use mandatum::{
    client::client_config,
    clock::SystemClock,
    founding, pem,
    serve::{self, Clocks, Roles},
};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::house::{LONG, Setup, configured};

pub(crate) struct Set(pub(crate) Mutex<Timestamp>);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) async fn dial(roots: &[CertificateDer<'static>], port: u16) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let client = Arc::new(client_config(roots, None).unwrap());
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(client).connect(name, stream).await.unwrap()
}

pub(crate) fn presented(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Asks for something on a connection that stays open; any answer will do.
async fn answers(stream: &mut TlsStream<TcpStream>) -> bool {
    let request = b"GET /v1/me HTTP/1.1\r\nhost: localhost\r\n\r\n";
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let mut answer = [0; 16_384];
    let read = tokio::time::timeout(LONG, stream.read(&mut answer)).await;
    read.is_ok_and(|read| read.is_ok_and(|count| answer[..count].starts_with(b"HTTP/1.1 401")))
}

/// Founded fifty days ago, the listeners' certificates are past half of their ninety days: the role `ca` makes the next ones, all three
/// listeners present them, and the connection that was opened before goes on. Negative control inside: before the clock says so, the
/// old ones are presented and nothing is renewed; leave `identity.present` out of `Listeners::take` and they are for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_takes_its_next_certificate_without_dropping_anybody() {
    let (_folder, _venue, config) = configured(Setup::default()).await;
    let today = SystemClock.now();
    let clock = Arc::new(Set(Mutex::new(today.plus_seconds(-50 * 86_400))));
    let founded = founding::found(&config, clock.clone()).await.unwrap();
    founded.ledger.close().await.unwrap();
    *clock.0.lock().unwrap() = today.plus_seconds(-49 * 86_400);
    let clocks = Clocks::of(clock.clone());
    let running = serve::run(&config, Roles::All, clocks, CancellationToken::new())
        .await
        .unwrap();
    let roots = pem::certificates(&config.paths.certificates.join("house.pem")).unwrap();
    let at = &running.addresses;
    let ports = [at.gateway, at.officers, at.enrolment].map(|address| address.unwrap().port());
    let mut before = Vec::new();
    for port in ports {
        let mut stream = dial(&roots, port).await;
        assert!(answers(&mut stream).await || port != ports[0]);
        before.push((presented(&stream), stream));
    }
    running.ca.as_ref().unwrap().work().await.unwrap();
    assert_eq!(
        presented(&dial(&roots, ports[0]).await),
        before[0].0,
        "not before half of its life"
    );

    *clock.0.lock().unwrap() = today;
    let renewed = async {
        for (port, (old, _)) in ports.into_iter().zip(&before) {
            while presented(&dial(&roots, port).await) == *old {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(LONG, renewed)
        .await
        .expect("all three are renewed");
    for (port, (old, _)) in ports.into_iter().zip(&before) {
        let new = presented(&dial(&roots, port).await);
        let end = ca_core::certificate::life_of(&new).unwrap().1;
        assert!(end > today.plus_seconds(89 * 86_400), "{end}");
        assert_eq!(ca_core::certificate::spki_of(&new), ca_core::certificate::spki_of(old));
    }
    assert!(answers(&mut before[0].1).await, "who was connected still is");
    let file = pem::certificates(&config.paths.certificates.join("gateway.pem")).unwrap();
    assert_eq!(
        file[0].to_vec(),
        presented(&dial(&roots, ports[0]).await),
        "the file too"
    );
    running.stop().await.unwrap();
}
