//! A venue that fills every order at once and does nothing else, on a thread of its own (named `venue`, so that its cost can be told from
//! the gateway's). The peer's proxy gets the same thread as its upstream: what it costs behind one, it costs behind the other.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The name of its thread.
pub(crate) const THREAD: &str = "venue";
/// The price of everything.
pub(crate) const PRICE: &str = "3120.55";

/// Starts it on a free loopback port.
pub(crate) fn start() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the venue");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("the venue's listener");
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(answer_all(stream));
            }
        });
    };
    std::thread::Builder::new().name(THREAD.to_owned()).spawn(serve)?;
    Ok(port)
}

/// Reads just the HTTP that the gateway and the peer write.
async fn answer_all(mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
    let mut held = Vec::with_capacity(4_096);
    loop {
        let Some(length) = request_length(&held) else {
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let text = answer(std::str::from_utf8(&held[..length]).unwrap_or_default());
        held.drain(..length);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all(&[head.as_bytes(), text.as_bytes()].concat()).await?;
    }
}

/// The length of the first request in `held`, once all of it is there.
fn request_length(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&held[..head]).ok()?;
    let length = text.lines().filter_map(|line| line.split_once(": "));
    let length = length
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .find_map(|(_, length)| length.parse().ok());
    let whole = head + 4 + length.unwrap_or(0);
    (held.len() >= whole).then_some(whole)
}

fn answer(request: &str) -> String {
    let form = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if request.starts_with("POST /api/v3/order ") {
        return filled(form);
    }
    if request.contains("/api/v3/ticker/price") {
        return format!(r#"{{"symbol":"ETHEUR","price":"{PRICE}"}}"#);
    }
    if request.contains("/account/apiRestrictions") {
        return r#"{"enableWithdrawals":false,"enableInternalTransfer":false,"permitsUniversalTransfer":false}"#
            .to_owned();
    }
    if request.starts_with("POST /v1/orders") {
        return r#"{"status":"accepted","id":17}"#.to_owned();
    }
    "[]".to_owned()
}

fn filled(form: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let of = |name: &str| {
        form.split('&')
            .find_map(|pair| pair.strip_prefix(name))
            .unwrap_or_default()
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (id, quantity, price) = (of("newClientOrderId="), of("quantity="), of("price="));
    format!(
        r#"{{"symbol":"ETHEUR","orderId":{number},"clientOrderId":"{id}","transactTime":1,"price":"{price}","origQty":"{quantity}","executedQty":"{quantity}","cummulativeQuoteQty":"1","status":"FILLED","timeInForce":"GTC","type":"LIMIT","side":"BUY","fills":[{{"price":"{price}","qty":"{quantity}","commission":"0","commissionAsset":"ETH","tradeId":{number}}}]}}"#
    )
}
