//! One fdatasync, as the ledger does it: a few pages written over in a file that was grown ahead of use.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

/// The length of the file, as the ledger's write-ahead log.
const LENGTH: u64 = 64 << 20;

/// Microseconds of each write and fdatasync of `bytes` in `folder`, for `time`, sorted.
pub(crate) fn fdatasync(folder: &Path, bytes: u64, time: Duration) -> anyhow::Result<Vec<f32>> {
    let path = folder.join("fdatasync");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?;
    if file.metadata()?.len() < LENGTH {
        let zeros = vec![0; 1 << 20];
        for _ in 0..LENGTH >> 20 {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
    }
    let page = vec![7; usize::try_from(bytes)?];
    let (mut at, mut taken) = (0, Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < time {
        let start = Instant::now();
        file.write_all_at(&page, at)?;
        file.sync_data()?;
        taken.push(start.elapsed().as_secs_f32() * 1e6);
        at = (at + bytes) % (LENGTH - bytes);
    }
    taken.sort_by(f32::total_cmp);
    Ok(taken)
}
