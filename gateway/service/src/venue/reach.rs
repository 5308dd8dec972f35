//! How a venue is reached, whatever it speaks: where, over which connections, with what regard for what it says of asking too much, and what it has shown of the key.

pub(in crate::venue) mod back_off;
pub(in crate::venue) mod budget;
pub(in crate::venue) mod connection;
pub(in crate::venue) mod proof;
pub(in crate::venue) mod settings;

pub use back_off::BackOff;
pub use budget::Budget;
pub use proof::KeyFault;
pub use settings::{Settings, SettingsError};
