//! Attacks on a running house, over real listeners and TLS: each is refused, nothing of it reaches the venue, and the gateway lives.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

#[path = "attacks/alone.rs"]
mod alone;
#[path = "attacks/bytes.rs"]
mod bytes;
#[path = "attacks/canaries.rs"]
mod canaries;
#[path = "attacks/certificates.rs"]
mod certificates;
#[path = "attacks/disk.rs"]
mod disk;
#[path = "attacks/doctor.rs"]
mod doctor;
#[path = "attacks/fix.rs"]
mod fix;
#[path = "attacks/freqtrade.rs"]
mod freqtrade;
#[path = "attacks/house.rs"]
mod house;
#[path = "attacks/http.rs"]
mod http;
#[path = "attacks/javascript.rs"]
mod javascript;
#[path = "attacks/judges.rs"]
mod judges;
#[path = "attacks/listeners.rs"]
mod listeners;
#[path = "attacks/native.rs"]
mod native;
#[path = "attacks/nautilus.rs"]
mod nautilus;
#[path = "attacks/orders.rs"]
mod orders;
#[path = "attacks/proofs.rs"]
mod proofs;
#[path = "attacks/proxy.rs"]
mod proxy;
#[path = "attacks/reads.rs"]
mod reads;
#[path = "attacks/records.rs"]
mod records;
#[path = "attacks/rekey.rs"]
mod rekey;
#[path = "attacks/renewals.rs"]
mod renewals;
#[path = "attacks/schema.rs"]
mod schema;
#[path = "attacks/sidecar.rs"]
mod sidecar;
#[path = "attacks/small_disk.rs"]
mod small_disk;
#[path = "attacks/stream.rs"]
mod stream;
#[path = "attacks/tls.rs"]
mod tls;
#[path = "attacks/venue_keys.rs"]
mod venue_keys;
