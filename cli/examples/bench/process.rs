//! What a process costs and holds, as Linux tells it; and children that end with their owner.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context;

/// The unit of `/proc/PID/stat`: ten milliseconds on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

/// A child that is ended when this is dropped.
pub(crate) struct Owned(pub(crate) Child);

impl Owned {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let started = command.spawn();
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(started.with_context(|| format!("{name} does not start"))?))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // Asked first: a server that forks takes its children with it.
        let asked = Command::new("kill").arg(self.pid().to_string()).status();
        for _ in 0..200 {
            if asked.is_err() || matches!(self.0.try_wait(), Ok(Some(_))) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The processor time of a process and its children so far, the threads named `without` left out.
pub(crate) fn cpu(pid: u32, without: &str) -> anyhow::Result<Duration> {
    let mut sum = of_stat(&format!("/proc/{pid}/stat"))?;
    for child in children(pid)? {
        sum += of_stat(&format!("/proc/{child}/stat")).unwrap_or_default();
    }
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        if name.trim_end() == without {
            sum = sum.saturating_sub(of_stat(&task.join("stat").display().to_string())?);
        }
    }
    Ok(sum)
}

/// The largest resident size of a process so far, and the present one, in bytes.
pub(crate) fn resident(pid: u32) -> anyhow::Result<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok())
            .map_or(0, |kib| kib * 1_024)
    };
    Ok((of("VmHWM:"), of("VmRSS:")))
}

/// What a process has had written to disks so far, in bytes.
pub(crate) fn written(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("write_bytes")?.trim().parse()?)
}

/// User and system time, fields 14 and 15 of proc(5); the name before them may hold anything, so it is skipped by its bracket.
fn of_stat(path: &str) -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{path}: these benches read Linux's /proc"))?;
    let fields: Vec<&str> = after_name(&text).split_whitespace().collect();
    let of = |place: usize| fields.get(place).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    Ok(TICK * (of(11) + of(12)))
}

fn after_name(stat: &str) -> &str {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest)
}

fn children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let parent = after_name(&stat)
            .split_whitespace()
            .nth(1)
            .and_then(|text| text.parse().ok());
        if parent == Some(pid) {
            found.push(child);
        }
    }
    Ok(found)
}

/// Whether a program is there; otherwise what to do about it.
pub(crate) fn needs(program: &str, probe: &str, package: &str) -> anyhow::Result<()> {
    let there = Command::new(program)
        .arg(probe)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    anyhow::ensure!(
        there.is_ok(),
        "this bench compares with {program}, which is not installed; on Debian: sudo apt-get install {package}"
    );
    Ok(())
}

/// A loopback port that is free now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// What this machine is, for the first line of a result.
pub(crate) fn machine(folder: &Path) -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split_once(": "))
        .map_or("?", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let disk = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
    let disk = disk.map_or_else(
        |_| "?".to_owned(),
        |out| String::from_utf8_lossy(&out.stdout).trim().to_owned(),
    );
    let mark = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let mark = mark.map_or_else(
        |_| "?".to_owned(),
        |out| String::from_utf8_lossy(&out.stdout).trim().to_owned(),
    );
    format!("{cores} x {model}, {disk}, commit {mark}")
}
