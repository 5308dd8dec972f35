//! Free space of the disk a folder lies on, as `df` tells it (POSIX).

use std::path::Path;

use super::Finding;

/// Below this much free space a disk is said to be full, in MiB.
pub(super) const LEAST_MIB: u64 = 512;

/// Judges the disk of `folder`.
pub(super) fn check(folder: &Path, least_mib: u64) -> Finding {
    let shown = folder.display();
    let fix = format!("make room on the disk of {shown}: entries, keys and renewals are written there");
    match free_mib(folder) {
        Some(free) if free >= least_mib => Finding::good("disk", format!("{free} MiB free at {shown}")),
        Some(free) => Finding::bad(
            "disk",
            format!("{free} MiB free at {shown}, less than {least_mib}"),
            fix,
        ),
        None => Finding::bad("disk", format!("the free space at {shown} cannot be told"), fix),
    }
}

fn free_mib(folder: &Path) -> Option<u64> {
    let output = std::process::Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    of_df(std::str::from_utf8(&output.stdout).ok()?)
}

/// The fourth column of the second line, in KiB.
fn of_df(text: &str) -> Option<u64> {
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control, built in: the same disk with a bound it meets.
    #[test]
    fn a_disk_is_judged_by_its_free_space() {
        let here = Path::new(".");
        assert!(check(here, 0).ok);
        let full = check(here, u64::MAX);
        assert!(!full.ok && full.fix.unwrap().contains("make room"));
        assert!(!check(Path::new("no such folder"), 0).ok);
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 10 5 4096 50% /\n";
        assert_eq!(of_df(text), Some(4));
    }
}
