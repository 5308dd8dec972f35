//! A WebSocket client that can also break the rules: it writes and reads frames itself.

use std::{collections::VecDeque, time::Duration};

use gateway_service::{
    api::Bots,
    listener::accept::{Opened, Peer, Upgrades},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};

use super::world::{World, inspected, noon};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// The message that places this order.
pub(crate) fn placing(id: &str, order: &str) -> Value {
    let order: Value = serde_json::from_str(order).expect("order");
    json!({"id": id, "op": "order", "order": order})
}

/// A frame, masked with zeros (a mask all the same) or not at all.
pub(crate) fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..126) => bytes.push(bit | length as u8),
        Ok(length) => {
            bytes.push(bit | 126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(bit | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

/// One connection with a stream on it.
pub(crate) struct Client {
    io: DuplexStream,
    pub(crate) upgrades: Upgrades,
    answers: VecDeque<Value>,
    events: VecDeque<Value>,
    _guard: std::sync::Mutex<Box<dyn std::any::Any + Send>>,
}

impl Client {
    /// The usual one: at the first instance, from now on.
    pub(crate) async fn of(world: &World, leaf: &[u8]) -> Self {
        Self::opened(world, leaf, "", 1 << 20).await.expect("a stream")
    }

    /// One that goes on after an event.
    pub(crate) async fn since(world: &World, leaf: &[u8], number: u64) -> Self {
        let query = format!("?since={number}");
        Self::opened(world, leaf, &query, 1 << 20).await.expect("a stream")
    }

    /// One with so many bytes between it and the gateway; or what it was answered instead of the upgrade.
    pub(crate) async fn opened(world: &World, leaf: &[u8], query: &str, bytes: usize) -> Result<Self, String> {
        Self::to(world, leaf, &format!("/v1/stream{query}"), bytes).await
    }

    /// One at another path.
    pub(crate) async fn to(world: &World, leaf: &[u8], target: &str, bytes: usize) -> Result<Self, String> {
        world.followed(0).await;
        let inspected = inspected();
        let [issuing, root] = world.issuers();
        inspected.check_at(&[leaf, &issuing, &root], noon()).expect("profile");
        let at = &world.instances[0];
        let bots = Bots::new(at.gateway.clone(), at.venues.clone(), inspected.into());
        let Opened {
            router,
            guard,
            upgrades,
            ..
        } = bots.open(Peer {
            address: "127.0.0.1:40000".parse().expect("address"),
            certificates: vec![leaf.to_vec().into()],
        });
        let (io, served) = tokio::io::duplex(bytes);
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(served), TowerToHyperService::new(router));
        tokio::spawn(connection.with_upgrades());
        let mut client = Self {
            io,
            upgrades,
            answers: VecDeque::new(),
            events: VecDeque::new(),
            _guard: std::sync::Mutex::new(guard),
        };
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.raw(request.as_bytes()).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.io.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        if head.starts_with("HTTP/1.1 101") {
            assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
            return Ok(client);
        }
        Err(head)
    }

    /// Writes octets as they are; a gateway that has closed takes none.
    pub(crate) async fn raw(&mut self, octets: &[u8]) {
        let _ = timeout(LONG, self.io.write_all(octets)).await.expect("written in time");
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.raw(&frame(0x81, message.to_string().as_bytes(), true)).await;
    }

    /// The next frame: opcode and payload; nothing once the connection has ended.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(LONG, async {
            let first = self.io.read_u8().await.ok()?;
            let length = match self.io.read_u8().await.ok()? {
                126 => usize::from(self.io.read_u16().await.ok()?),
                127 => usize::try_from(self.io.read_u64().await.ok()?).expect("length"),
                length @ 0..126 => usize::from(length),
                length => panic!("a gateway masks nothing: {length}"),
            };
            assert_eq!(first & 0x80, 0x80, "whole messages");
            let mut payload = vec![0; length];
            self.io.read_exact(&mut payload).await.ok()?;
            Some((first & 0x0f, payload))
        })
        .await
        .expect("a frame in time")
    }

    async fn message(&mut self) {
        match self.frame().await {
            Some((1, text)) => {
                let message: Value = serde_json::from_slice(&text).expect("JSON");
                if message.get("event").is_some() {
                    self.events.push_back(message);
                } else {
                    self.answers.push_back(message);
                }
            }
            Some((9, payload)) => self.raw(&frame(0x8a, &payload, true)).await,
            other => panic!("a message, not {other:?}"),
        }
    }

    /// The next message, whatever it is.
    pub(crate) async fn next(&mut self) -> Value {
        self.message().await;
        let message = self.answers.pop_back().or_else(|| self.events.pop_back());
        message.expect("a message")
    }

    /// Sends, and waits for the answer with this id.
    pub(crate) async fn ask(&mut self, id: &str, message: Value) -> Value {
        self.send(message).await;
        self.answered(id).await
    }

    /// The answer with this id.
    pub(crate) async fn answered(&mut self, id: &str) -> Value {
        loop {
            if let Some(place) = self.answers.iter().position(|answer| answer["id"] == id) {
                return self.answers.remove(place).expect("there");
            }
            self.message().await;
        }
    }

    /// The next event of this name.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            if let Some(place) = self.events.iter().position(|event| event["event"] == name) {
                return self.events.remove(place).expect("there");
            }
            self.message().await;
        }
    }

    /// Reads on to the close: its code and its reason. Then the connection ends.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let close = timeout(LONG, self.close()).await.expect("a close in time");
        let (code, reason) = close.split_first_chunk::<2>().expect("a code");
        self.raw(&frame(0x88, &close, true)).await;
        assert_eq!(self.frame().await, None, "nothing follows a close");
        (u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned())
    }

    /// The payload of the close; pings on the way are not answered.
    async fn close(&mut self) -> Vec<u8> {
        loop {
            match self.frame().await {
                Some((8, payload)) => return payload,
                Some((1, text)) => self.answers.push_back(serde_json::from_slice(&text).expect("JSON")),
                Some(_) => {}
                None => panic!("closed without a code"),
            }
        }
    }

    /// Whether the answer with this id has come, without waiting for it.
    pub(crate) fn has(&self, id: &str) -> Option<&Value> {
        self.answers.iter().find(|answer| answer["id"] == id)
    }
}
