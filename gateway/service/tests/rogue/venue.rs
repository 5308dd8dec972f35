//! A venue that keeps honest books and says something else, as scripted.

#![allow(unreachable_pub, reason = "one test's module")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `POST /api/v3/order`.
    Order,
    /// `GET /api/v3/order`.
    Query,
    /// `GET /api/v3/openOrders`.
    List,
    /// `GET /api/v3/myTrades`.
    Trades,
    /// `DELETE /api/v3/order`.
    Cancel,
}

/// What it does instead of answering.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// Its honest answer, changed.
    Say(fn(&mut Value)),
    /// These bytes as the body, under this status.
    Body(&'static str, &'static str),
    /// The honest answer, once nobody waits for it any more.
    Late,
    /// The honest answer, twice.
    Twice,
    /// Half of the honest answer, then the end of the connection.
    Half,
    /// Nothing, and the connection stays.
    Never,
    /// The end of the connection.
    HangUp,
    /// The order itself is lost, and the connection with it.
    Lose,
}

/// How often a lie is told; afterwards the venue is honest. An order comes once.
pub const LIES: usize = 2;
/// Longer than the adapter of these tests waits.
const LATE: Duration = Duration::from_millis(400);

/// An order in its books: 0.4 of it traded at once, at 99.5, and the rest rests until it is cancelled.
#[derive(Debug, Clone)]
pub struct Kept {
    number: u64,
    quantity: String,
    price: String,
    cancelled: bool,
}

/// What traded of every order, at which price.
pub const EXECUTED: (&str, &str) = ("0.4", "99.5");

#[derive(Debug, Default)]
pub struct Books {
    pub orders: HashMap<String, Kept>,
    /// Orders received, by the id they came under.
    pub received: Vec<String>,
    /// How often each lie of the script was told.
    pub told: Vec<usize>,
}

pub struct Rogue {
    pub base: String,
    pub books: Arc<Mutex<Books>>,
}

impl Kept {
    /// The venue's own id of the one execution.
    pub fn execution(&self) -> u64 {
        self.number * 10
    }

    fn row(&self, id: &str) -> Value {
        let status = if self.cancelled { "CANCELED" } else { "PARTIALLY_FILLED" };
        json!({
            "symbol": "BTCEUR", "orderId": self.number, "clientOrderId": id, "price": self.price, "origQty": self.quantity,
            "executedQty": EXECUTED.0, "status": status, "timeInForce": "GTC", "type": "LIMIT", "side": "BUY",
        })
    }

    fn trade(&self) -> Value {
        json!({
            "symbol": "BTCEUR", "id": self.execution(), "orderId": self.number, "price": EXECUTED.1, "qty": EXECUTED.0,
            "time": 1_000, "isBuyer": true, "isMaker": false,
        })
    }
}

impl Books {
    /// The honest answer.
    fn answer(&mut self, ask: Ask, asked: &HashMap<String, String>) -> (&'static str, Value) {
        let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let id = [of("newClientOrderId"), of("origClientOrderId")].concat();
        let number = 28 + u64::try_from(self.received.len()).expect("few");
        let unknown = (
            "400 Bad Request",
            json!({"code": -2013, "msg": "Order does not exist."}),
        );
        match ask {
            Ask::Order => {
                let kept = Kept {
                    number,
                    quantity: of("quantity"),
                    price: of("price"),
                    cancelled: false,
                };
                let mut row = kept.row(&id);
                row["fills"] = json!([{"price": EXECUTED.1, "qty": EXECUTED.0, "tradeId": kept.execution()}]);
                self.orders.insert(id, kept);
                ("200 OK", row)
            }
            Ask::Query => self.orders.get(&id).map_or(unknown, |kept| ("200 OK", kept.row(&id))),
            Ask::List => {
                let open = self.orders.iter().filter(|(_, kept)| !kept.cancelled);
                ("200 OK", open.map(|(id, kept)| kept.row(id)).collect())
            }
            Ask::Trades => {
                let from = of("fromId").parse().unwrap_or(0);
                let wanted = |kept: &&Kept| kept.number.to_string() == of("orderId") && kept.execution() >= from;
                ("200 OK", self.orders.values().filter(wanted).map(Kept::trade).collect())
            }
            Ask::Cancel => match self.orders.get_mut(&id) {
                Some(kept) => {
                    kept.cancelled = true;
                    let mut row = kept.row("x");
                    row["origClientOrderId"] = id.into();
                    ("200 OK", row)
                }
                None => unknown,
            },
        }
    }
}

/// What it does on which question.
pub type Script = Vec<(Ask, Act)>;

/// Starts it.
pub async fn rogue(script: Script) -> Rogue {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let books: Arc<Mutex<Books>> = Arc::default();
    books.lock().expect("held").told = vec![0; script.len()];
    let (kept, script) = (books.clone(), Arc::new(script));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, kept.clone(), script.clone()));
        }
    });
    Rogue { base, books }
}

/// The lie that is due, counted.
fn lie(books: &mut Books, script: &Script, ask: Ask) -> Option<Act> {
    let due = |place: &usize| script[*place].0 == ask && books.told[*place] < LIES;
    let place = (0..script.len()).find(due)?;
    books.told[place] += 1;
    Some(script[place].1)
}

async fn serve(mut stream: TcpStream, books: Arc<Mutex<Books>>, script: Arc<Script>) {
    while let Some((ask, asked)) = request(&mut stream).await {
        let Some(ask) = ask else {
            // What its key may do is no part of the game.
            let rights =
                r#"{"enableWithdrawals":false,"enableInternalTransfer":false,"permitsUniversalTransfer":false}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{rights}", rights.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            continue;
        };
        let (lie, (status, honest)) = {
            let mut books = books.lock().expect("held");
            let lie = lie(&mut books, &script, ask);
            if ask == Ask::Order {
                books
                    .received
                    .push(asked.get("newClientOrderId").cloned().unwrap_or_default());
                if matches!(lie, Some(Act::Lose)) {
                    return;
                }
            }
            (lie, books.answer(ask, &asked))
        };
        let whole = |status: &str, body: &str| {
            let length = body.len();
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        };
        let answer = whole(status, &honest.to_string());
        let (answer, ends) = match lie {
            None => (answer, false),
            // The page behind the last one is empty whatever one says of its rows.
            Some(Act::Say(_)) if honest.as_array().is_some_and(Vec::is_empty) => (answer, false),
            Some(Act::Say(change)) => {
                let mut said = honest;
                change(&mut said);
                (whole(status, &said.to_string()), false)
            }
            Some(Act::Body(status, body)) => (whole(status, body), false),
            Some(Act::Late) => {
                tokio::time::sleep(LATE).await;
                (answer, false)
            }
            Some(Act::Twice) => (answer.repeat(2), false),
            Some(Act::Half) => (answer[..answer.len() - 20].to_owned(), true),
            Some(Act::Never) => (String::new(), false),
            Some(Act::HangUp | Act::Lose) => (String::new(), true),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() || ends {
            return;
        }
    }
}

/// Reads one request: what is asked (`None`: what the key may do), and its parameters.
async fn request(stream: &mut TcpStream) -> Option<(Option<Ask>, HashMap<String, String>)> {
    let mut read = Vec::new();
    loop {
        let mut some = [0; 4_096];
        let count = stream.read(&mut some).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() < length.unwrap_or(0) {
            continue;
        }
        let mut words = head.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let ask = match (method, path) {
            ("POST", _) => Some(Ask::Order),
            ("DELETE", _) => Some(Ask::Cancel),
            (_, "/api/v3/openOrders") => Some(Ask::List),
            (_, "/api/v3/myTrades") => Some(Ask::Trades),
            (_, "/sapi/v1/account/apiRestrictions") => None,
            _ => Some(Ask::Query),
        };
        let pairs = query
            .split('&')
            .chain(body.split('&'))
            .filter_map(|pair| pair.split_once('='));
        return Some((
            ask,
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ));
    }
}
