//! One entry with its receipt, and whether the role works.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::Answer;
use crate::{Console, problem::Problem};

/// The entry as it stands, the proof that it does, and the signed checkpoint: checked with public keys alone.
pub(super) async fn show(State(console): State<Console>, Path(position): Path<String>) -> Answer {
    let position: u64 = super::parse("POSITION", &position)?;
    if position >= console.ledger.head().size {
        return Err(Problem::missing("entry at this position"));
    }
    let receipt = console.ledger.receipt(position).await;
    let receipt = receipt.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let entry: Value = serde_json::from_slice(&receipt.entry).unwrap_or_default();
    Ok(Json(json!({"entry": entry, "position": position, "receipt": receipt})))
}

/// Whether the process answers at all.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Whether officers can act: with the reasons when they cannot.
pub(super) async fn readyz(State(console): State<Console>) -> (StatusCode, Json<Value>) {
    let mut reasons = Vec::new();
    if let Some(reason) = console.ledger.closed() {
        reasons.push(format!("the ledger has closed itself: {reason}"));
    }
    match console.view().await {
        Ok(view) if view.register.house().is_none() => {
            reasons.push("no house was founded on this ledger: run `mandatum init`".to_owned());
        }
        Ok(_) => {}
        Err(problem) => reasons.push(format!("the ledger cannot be read ({})", problem.code())),
    }
    if reasons.is_empty() {
        (StatusCode::OK, Json(json!({"status": "ready"})))
    } else {
        let answer = json!({"reasons": reasons, "status": "not ready"});
        (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
    }
}
