//! The listeners' bounds, over real sockets.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::Bench;
use crate::{Bounds, listener};

async fn listening(bench: &Bench, bounds: Bounds) -> (std::net::SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = bench.console.officers_tls(bench.identity("console")).await.unwrap();
    let stop = CancellationToken::new();
    let router = bench.console.officers_router();
    tokio::spawn(listener::serve(listener, tls, bounds, router, stop.clone()));
    (address, stop)
}

/// Whoever says nothing is cut, and whoever talks nonsense at once. Negative control: without the time-out the first read never ends.
#[tokio::test]
async fn a_silent_connection_is_cut() {
    let bench = Bench::new().await;
    let bounds = Bounds {
        handshake: Duration::from_millis(50),
        ..Bounds::default()
    };
    let (address, stop) = listening(&bench, bounds).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut nothing = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut nothing)).await;
    assert!(read.is_ok() && nothing.is_empty());
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(20), plain.read_to_end(&mut nothing)).await;
    assert!(read.is_ok() && !nothing.starts_with(b"HTTP"));
    stop.cancel();
}

/// No more connections than the bound are answered at a time; the next one is, when one goes. The stock client also finds no TLS 1.2 and
/// no session ticket. Control: the same client, TLS 1.3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_counted_and_sessions_never_resumed() {
    let bench = Bench::new().await;
    let bounds = Bounds {
        connections: 1,
        handshake: Duration::from_secs(20),
        ..Bounds::default()
    };
    let (address, stop) = listening(&bench, bounds).await;
    let folder = bench.folder.path().to_owned();
    let client = move |more: &str| {
        let line = format!(
            "echo | timeout 10 openssl s_client -connect {address} -CAfile ca/house.pem {more} -sess_out session 2>&1; ls session 2>&1"
        );
        let output = std::process::Command::new("sh")
            .args(["-c", &line])
            .current_dir(&folder)
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    };
    let holding = TcpStream::connect(address).await.unwrap();
    // The one place is taken: the handshake of another does not begin.
    let other = tokio::task::spawn_blocking({
        let client = client.clone();
        move || client("-tls1_3")
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!other.is_finished(), "answered beside the one that holds the place");
    drop(holding);
    let text = other.await.unwrap();
    assert!(
        text.contains("Verify return code: 0 (ok)") && text.contains("TLSv1.3"),
        "{text}"
    );
    assert!(
        text.contains("No such file"),
        "a session to resume was handed out: {text}"
    );
    let text = tokio::task::spawn_blocking(move || client("-tls1_2")).await.unwrap();
    assert!(text.contains("protocol version"), "{text}");
    stop.cancel();
}
