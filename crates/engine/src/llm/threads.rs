//! How many threads native computation takes: what is free, never blindly all cores.

use std::sync::OnceLock;
use std::thread::available_parallelism;

/// Threads for a machine that may run `parallelism` threads at once, on `cores` physical
/// cores, with so many runnable `load` already: what is free, at least one, at most the
/// cores, and on machines with more than two cores one less than that.
#[must_use]
pub fn free_threads(parallelism: usize, cores: usize, load: f64) -> u16 {
    let cores = cores.clamp(1, parallelism.max(1));
    let most = if cores > 2 { cores - 1 } else { cores };
    // Saturating float-to-integer conversion: a negative or absent load counts as none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let busy = load.round() as usize;
    let free = parallelism.saturating_sub(busy).clamp(1, most);
    u16::try_from(free).unwrap_or(u16::MAX)
}

/// [`free_threads`] of this machine, now.
pub(super) fn free_threads_now() -> u16 {
    let parallelism = available_parallelism().map_or(1, usize::from);
    free_threads(parallelism, physical_cores().unwrap_or(parallelism), load_average())
}

/// Threads for a prompt, which takes a moment and keeps a buyer waiting: what is free at this
/// moment, and at least `told`, the threads of everything else. More than are free would make
/// it slower, for they wait for each other at every layer.
pub(super) fn prompt_threads(told: u16) -> u16 {
    static CORES: OnceLock<(usize, usize)> = OnceLock::new();
    let &(parallelism, cores) = CORES.get_or_init(|| {
        let parallelism = available_parallelism().map_or(1, usize::from);
        (parallelism, physical_cores().unwrap_or(parallelism))
    });
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    free_threads(parallelism, cores, others_running(&load).unwrap_or(f64::MAX)).max(told)
}

/// The threads that run or want to at this moment, without the one that asks.
fn others_running(loadavg: &str) -> Option<f64> {
    let (running, _) = loadavg.split_whitespace().nth(3)?.split_once('/')?;
    running.parse().ok().map(|running: f64| running - 1.0)
}

/// The runnable threads, averaged over the last minute; 0 where the system does not tell.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// Cores, each counted once however many threads it runs.
fn physical_cores() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    Some(count_cores(&text)).filter(|&cores| cores > 0)
}

fn count_cores(cpuinfo: &str) -> usize {
    let mut cores = std::collections::BTreeSet::new();
    let mut package = "";
    for line in cpuinfo.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.trim() {
            "physical id" => package = value.trim(),
            "core id" => drop(cores.insert((package, value.trim()))),
            _ => {}
        }
    }
    cores.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_free_and_leaves_one() {
        assert_eq!(free_threads(16, 8, 0.0), 7);
        assert_eq!(free_threads(16, 8, 12.2), 4);
        assert_eq!(free_threads(16, 8, 99.0), 1);
        assert_eq!(free_threads(2, 2, 0.2), 2);
        assert_eq!(free_threads(2, 2, 0.9), 1);
        assert_eq!(free_threads(0, 0, f64::NAN), 1);
        assert_eq!(free_threads(4, 64, -3.0), 3, "a container's quota bounds its cores");
    }

    #[test]
    fn the_one_that_asks_does_not_count_as_running() {
        assert_eq!(others_running("1.52 2.10 1.90 3/412 9817"), Some(2.0));
        assert_eq!(others_running("0.00 0.00 0.00 1/90 17"), Some(0.0));
        assert_eq!(others_running(""), None);
    }

    #[test]
    fn hyperthreads_share_a_core() {
        let cpuinfo = "physical id\t: 0\ncore id\t: 0\n\nphysical id\t: 0\ncore id\t: 0\n\n\
                       physical id\t: 0\ncore id\t: 1\n\nphysical id\t: 1\ncore id\t: 1\n";
        assert_eq!(count_cores(cpuinfo), 3);
        assert_eq!(count_cores("processor : 0"), 0);
    }
}
