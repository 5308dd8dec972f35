//! Writes `fixtures/vectors/limits/` again: `cargo run -p extensions --example make_vectors`.

#[path = "../tests/vectors/list.rs"]
mod list;

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/vectors/limits");
    std::fs::create_dir_all(&folder)?;
    let vectors = list::all();
    for vector in &vectors {
        std::fs::write(folder.join(format!("{}.der", vector.name)), &vector.der)?;
    }
    std::fs::write(folder.join("index.json"), list::index(&vectors))?;
    println!("{} vectors written", vectors.len());
    Ok(())
}
