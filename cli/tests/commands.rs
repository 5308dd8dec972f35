//! The program itself, as a process: the README's tour, exit codes, `--json`, and what needs the server stopped.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

#[path = "commands/benches.rs"]
mod benches;
#[path = "commands/house.rs"]
mod house;
#[path = "commands/read_only.rs"]
mod read_only;
#[path = "commands/receiver.rs"]
mod receiver;
#[path = "attacks/small_disk.rs"]
mod small_disk;
#[path = "commands/tour.rs"]
mod tour;
#[path = "commands/walk.rs"]
mod walk;
