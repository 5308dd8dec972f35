//! TLS below 1.3, resumption and early data: none of them exists here.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::house::{House, LONG, Setup, house, spoken};

fn s_client(house: &House, arguments: &[&str], said: &str) -> String {
    let mut command = Command::new("timeout");
    command
        .args(["15", "openssl", "s_client", "-connect"])
        .arg(format!("127.0.0.1:{}", house.port()));
    command.args(["-servername", "localhost", "-ign_eof", "-CAfile"]);
    command.arg(house.config.paths.certificates.join("house.pem"));
    command
        .arg("-cert")
        .arg(house.bot_file("certificate.pem"))
        .arg("-cert_chain")
        .arg(house.bot_file("chain.pem"));
    command.arg("-key").arg(house.bot_file("key.pem")).args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = tokio::task::block_in_place(|| {
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let _ = input.write_all(said.as_bytes());
        drop(input);
        child.wait_with_output().unwrap()
    });
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const ASK: &str = "GET /v1/me HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// OpenSSL as the honest bot: 1.3 is spoken, anything below is not; no ticket is given, so that nothing can be resumed past the
/// verifier. Negative control: the same client with 1.3 is answered; with tickets and a session store the session file appears.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_finds_no_older_version_and_no_ticket() {
    let house = house(Setup::default()).await;
    let file = house.folder.path().join("session.pem");
    let session = file.to_string_lossy().into_owned();
    let said = s_client(&house, &["-tls1_3", "-sess_out", &session], ASK);
    assert!(
        said.contains("HTTP/1.1 200") && said.contains("Verify return code: 0"),
        "{said}"
    );
    assert!(
        !file.exists() && !said.contains("Post-Handshake New Session Ticket"),
        "no session to resume: {said}"
    );
    assert!(!said.contains("Max Early Data: 1"), "{said}");
    for version in ["-tls1_2", "-tls1_1"] {
        let said = s_client(&house, &[version], ASK);
        assert!(!said.contains("HTTP/1.1"), "{version}: {said}");
        assert!(
            said.contains("alert") || said.contains("no protocols available"),
            "{version}: {said}"
        );
    }
    house.lives("after").await;
    house.running.stop().await.unwrap();
}

/// A client that would resume and send early data, with its memory shared between connections, gets a full handshake each time: the
/// verifier sees each certificate. Negative control: as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_handshake_is_a_full_one() {
    let house = house(Setup::default()).await;
    let mut client = house.client(Some(house.identity()));
    client.resumption = rustls::client::Resumption::in_memory_sessions(16);
    client.enable_early_data = true;
    for _ in 0..3 {
        let stream = house.dial_with(client.clone(), house.port(), b"").await.unwrap();
        let connection = stream.get_ref().1;
        assert_eq!(connection.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
        assert!(!connection.is_early_data_accepted());
        let (said, _) = spoken(stream, ASK.as_bytes(), LONG).await;
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
    house.running.stop().await.unwrap();
}
