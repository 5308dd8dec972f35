//! A name's fingerprint: enough to tell whether it is the one of the order before.

/// FNV-1a of 32 bits (Fowler, Noll and Vo); 0 stands for no name yet.
#[must_use]
pub(crate) fn fingerprint(name: &str) -> u32 {
    let mixed = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    mixed.max(1)
}

/// Whether `name` is the one behind `last`; false when there was none.
#[must_use]
pub(crate) fn is_again(last: u32, name: &str) -> bool {
    last == fingerprint(name)
}
