//! A disk of a few MiB, mounted for one test; it takes root.

use std::{path::PathBuf, process::Command};

/// A small disk, for as long as this lives.
pub(crate) struct Disk(PathBuf);

/// Whether disks can be mounted here; says so when not.
pub(crate) fn may_mount() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let may = Disk::mount(folder.path().join("disk"), 1).is_some();
    if !may {
        eprintln!("skipped: mounting a small disk needs root");
    }
    may
}

impl Disk {
    /// Mounts one at `at`; none without the right to.
    pub(crate) fn mount(at: PathBuf, mib: u32) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let size = format!("size={mib}m,mode=700");
        let mounted = run("mount", &["-t", "tmpfs", "-o", &size, "mandatum-test"], &at);
        mounted.then_some(Self(at))
    }

    /// From now on nothing can be written to it; nobody may have a file of it open.
    #[allow(dead_code, reason = "only one of the two test programs makes one read-only")]
    pub(crate) fn make_read_only(&self) {
        assert!(run("mount", &["-o", "remount,ro"], &self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.0);
    }
}

fn run(program: &str, arguments: &[&str], at: &std::path::Path) -> bool {
    let ended = Command::new(program).args(arguments).arg(at).output();
    ended.is_ok_and(|output| output.status.success())
}
