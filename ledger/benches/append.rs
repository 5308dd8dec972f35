//! placeholder of the append bench
fn main() {}
