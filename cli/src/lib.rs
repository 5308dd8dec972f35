//! Mandatum as one program: configuration, clocks, the composition of all roles, and every command as a function.
//!
//! The binary is a thin wrapper around [`commands::main`]. Tests and the demonstration call the same functions: [`founding::found`],
//! [`serve::run`], [`officer::enrol`], [`officer::Officer`], [`bot::enrol`], [`bot::Bot`].

pub mod bot;
pub mod client;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod founding;
pub mod logs;
pub mod officer;
mod past;
pub mod pem;
pub mod pkcs7;
pub mod proof;
pub mod request;
pub mod serve;
pub mod sidecar;
mod suggest;
mod venues;

/// Commits and answers take and give back large pieces of memory thousands of times a second; the system's allocator asks the kernel for each of
/// them again (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
