//! A webhook receiver that takes one message.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// How long a message is waited for before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens on loopback.
pub(crate) struct Receiver(TcpListener);

impl Receiver {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.0.local_addr().unwrap())
    }

    fn caller(&self) -> TcpStream {
        let listener = self.0.try_clone().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(listener.accept().unwrap().0));
        receiver.recv_timeout(PATIENCE).expect("nobody called the receiver")
    }

    /// The next message that comes, taken: headers and body.
    pub(crate) fn message(&self) -> (HeaderMap, Vec<u8>) {
        let mut stream = self.caller();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut headers, mut line) = (HeaderMap::new(), String::new());
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("POST /hook "), "{line}");
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let mut body = vec![0; headers["content-length"].to_str().unwrap().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            .unwrap();
        (headers, body)
    }
}
