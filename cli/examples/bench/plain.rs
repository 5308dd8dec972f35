//! Closed loops over plain HTTP/1.1, for servers without TLS: status listeners and CA daemons.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::load::{Outcome, answer, collected};

/// A POST with a body.
pub(crate) fn post(address: SocketAddr, path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// One request on an open connection; gives status and body.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    stream.write_all(request).await?;
    let mut held = Vec::new();
    let answer = answer(stream, &mut held).await?;
    held.truncate(answer.length);
    let head = held.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0);
    Ok((answer.status, held.split_off(head + 4)))
}

/// Sends what `request` makes on kept connections for `time`, each connection with its own maker.
pub(crate) async fn drive<M>(address: SocketAddr, makers: Vec<M>, time: Duration) -> anyhow::Result<Outcome>
where
    M: FnMut() -> Vec<u8> + Send + 'static,
{
    let mut streams = Vec::new();
    for _ in &makers {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let start = Instant::now();
    let end = start + time;
    let pairs = streams.into_iter().zip(makers);
    let running: Vec<_> = pairs
        .map(|(stream, make)| tokio::spawn(looped(stream, make, end)))
        .collect();
    collected(running, start, time).await
}

async fn looped<M: FnMut() -> Vec<u8>>(mut stream: TcpStream, mut make: M, end: Instant) -> anyhow::Result<Outcome> {
    let mut held = Vec::with_capacity(8_192);
    let mut outcome = Outcome::default();
    while Instant::now() < end {
        let sent = Instant::now();
        stream.write_all(&make()).await?;
        let answer = answer(&mut stream, &mut held).await?;
        outcome.note(sent, answer.status, &held[..answer.length]);
        held.drain(..answer.length);
    }
    Ok(outcome)
}

/// Sends on a new connection each time, as a server that closes after each answer wants it.
pub(crate) async fn drive_closing(
    address: SocketAddr,
    connections: usize,
    request: Vec<u8>,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let end = start + time;
    let one = |request: Vec<u8>| async move {
        let mut outcome = Outcome::default();
        while Instant::now() < end {
            let sent = Instant::now();
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(&request).await?;
            let mut held = Vec::with_capacity(4_096);
            stream.read_to_end(&mut held).await?;
            let good = held.starts_with(b"HTTP/1.0 200") || held.starts_with(b"HTTP/1.1 200");
            outcome.note(sent, if good { 200 } else { 500 }, &held);
        }
        Ok(outcome)
    };
    let running: Vec<_> = (0..connections).map(|_| tokio::spawn(one(request.clone()))).collect();
    collected(running, start, time).await
}
