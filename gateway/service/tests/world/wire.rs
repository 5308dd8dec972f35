//! What bots see: the routes of a session, asked without a socket.

use std::sync::Mutex;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use gateway_service::{
    api::Bots,
    listener::accept::{Opened, Peer},
};
use serde_json::Value;
use tower::ServiceExt;

use super::{World, inspected, noon};

/// An answer: its status and its body.
#[derive(Debug, Clone)]
pub struct Told {
    pub status: u16,
    pub body: Value,
}

impl Told {
    /// The code of the problem it tells, or none.
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }
}

/// One connection, open as long as it lives.
pub struct Wire {
    router: Router,
    _guard: Mutex<Box<dyn std::any::Any + Send>>,
}

impl Wire {
    /// Opens a connection at an instance, with a certificate or without one, as from `address`.
    pub fn open(world: &World, instance: usize, leaf: Option<&[u8]>, address: &str) -> Self {
        let inspected = inspected();
        let [issuing, root] = world.issuers();
        if let Some(leaf) = leaf {
            inspected.check_at(&[leaf, &issuing, &root], noon()).expect("profile");
        }
        let at = &world.instances[instance];
        let bots = Bots::new(at.gateway.clone(), at.venues.clone(), inspected.into());
        let Opened { router, guard, .. } = bots.open(Peer {
            address: address.parse().expect("address"),
            certificates: leaf.map(|leaf| leaf.to_vec().into()).into_iter().collect(),
        });
        let _guard = Mutex::new(guard);
        Self { router, _guard }
    }

    /// The usual one, once the instance has followed everything.
    pub async fn of(world: &World, leaf: &[u8]) -> Self {
        world.followed(0).await;
        Self::open(world, 0, Some(leaf), "127.0.0.1:40000")
    }

    /// Asks with further headers.
    pub async fn ask_with(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Told {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("whole");
        Told {
            status,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Told {
        self.ask_with(method, path, body, &[]).await
    }

    pub async fn post(&self, order: &str) -> Told {
        self.ask("POST", "/v1/orders", order).await
    }

    pub async fn cancel(&self, id: &str) -> Told {
        self.ask("DELETE", &format!("/v1/orders/{id}"), "").await
    }
}
