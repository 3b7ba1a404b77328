//! What the machine has room for: how many speech workers it gets unless told.

use std::fs;

/// More at once only wait for each other's memory bandwidth.
const MOST: usize = 4;
/// What a worker holds beside its model, at its peak: measured 260–330 MiB.
const WORKER_BYTES: u64 = 350 << 20;
/// What a model takes when its file is not there yet: that of the default one.
const MODEL_BYTES: u64 = 80 << 20;

/// One worker a core, as far as half of the memory holds them: the rest is for the
/// server, its store and the files that the system keeps in memory. `model` is the
/// size of the model's file in bytes.
pub(super) fn workers(cores: usize, memory: Option<u64>, model: Option<u64>) -> usize {
    // While it loads, a worker has the file and its own form of it.
    let each = WORKER_BYTES + 2 * model.unwrap_or(MODEL_BYTES);
    let room = memory.map_or(MOST as u64, |bytes| bytes / 2 / each);
    cores.clamp(1, MOST).min(room.max(1) as usize)
}

/// Bytes of memory that this process can have: those of the machine, or less where
/// its control group is limited.
pub(super) fn memory() -> Option<u64> {
    let machine = total(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let limit = fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|groups| {
            let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
            let path = format!("/sys/fs/cgroup{group}/memory.max");
            fs::read_to_string(path).ok()?.trim().parse().ok()
        });
    Some(limit.map_or(machine, |limit: u64| limit.min(machine)))
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_fit_cores_and_memory() {
        let gib = |n: u64| Some(n << 30);
        assert_eq!(workers(2, gib(24), None), 2);
        assert_eq!(workers(16, gib(64), None), 4);
        assert_eq!(workers(4, gib(1), None), 1);
        assert_eq!(workers(4, gib(2), None), 2);
        assert_eq!(workers(4, gib(4), Some(874 << 20)), 1);
        assert_eq!(workers(0, Some(0), None), 1);
        assert_eq!(workers(3, None, None), 3);
    }

    #[test]
    fn the_memory_of_this_machine_is_found() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:  2048 kB\n"), Some(2 << 20));
        assert_eq!(total("nothing"), None);
        assert!(memory().is_some_and(|bytes| bytes > 1 << 27));
    }
}
