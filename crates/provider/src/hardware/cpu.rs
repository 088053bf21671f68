//! Processor, memory and disk.

use std::num::NonZero;
use std::path::Path;
use std::thread::available_parallelism;

use remuda_types::DeviceClass;
use sysinfo::{
    CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, RefreshKind, System,
};

use super::{Cpu, Disk, Memory};

/// Above this share of work, in percent, a thread is not free.
const IDLE_PERCENT_MAX: f32 = 50.0;

/// Looks at the processor. Blocks for the time that measuring its work takes.
pub(super) fn detect() -> Cpu {
    let refresh = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_cpu_usage());
    let mut system = System::new_with_specifics(refresh);
    std::thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
    system.refresh_cpu_usage();
    let model = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
    // What this process may use: less than the machine has within a control group.
    let threads = available_parallelism().map_or(1, NonZero::get);
    let physical = System::physical_core_count().unwrap_or(threads);
    let idle = system.cpus().iter().filter(|cpu| cpu.cpu_usage() < IDLE_PERCENT_MAX).count();
    Cpu {
        model: model.filter(|model| !model.is_empty()).unwrap_or_else(|| "unknown".to_owned()),
        architecture: std::env::consts::ARCH.to_owned(),
        cores: count(physical.min(threads)),
        threads: count(threads),
        free_threads: count(idle.min(threads)),
        features: features(),
    }
}

/// At least one.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}

impl Cpu {
    /// The class of this processor: `cpu-` architecture `-` widest vector extension.
    #[must_use]
    pub fn device_class(&self) -> DeviceClass {
        let widest = ["avx512f", "avx2", "avx", "sve", "neon"];
        let has = |name: &&str| self.features.iter().any(|feature| feature == name);
        match widest.into_iter().find(has) {
            Some(extension) => DeviceClass(format!("cpu-{}-{extension}", self.architecture)),
            None => DeviceClass(format!("cpu-{}", self.architecture)),
        }
    }
}

macro_rules! detected {
    ($detect:ident: $($name:tt),+ $(,)?) => {{
        let mut found = Vec::new();
        $(if std::arch::$detect!($name) { found.push($name.to_owned()); })+
        found.sort();
        found
    }};
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<String> {
    detected!(is_x86_feature_detected: "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2",
        "f16c", "fma", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni",
        "avx512bf16", "avxvnni")
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<String> {
    detected!(is_aarch64_feature_detected: "neon", "dotprod", "fp16", "i8mm", "bf16", "sve",
        "sve2")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<String> {
    Vec::new()
}

/// Looks at memory, within this process's control group where it has a limit.
pub(super) fn memory() -> Memory {
    let refresh = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(refresh);
    let whole = Memory { total: system.total_memory(), available: system.available_memory() };
    match system.cgroup_limits() {
        Some(group) if group.total_memory > 0 && group.total_memory < whole.total => {
            Memory { total: group.total_memory, available: group.free_memory.min(whole.available) }
        }
        _ => whole,
    }
}

/// Looks at the file system of `home`, or of the nearest folder above it that exists.
pub(super) fn disk(home: &Path) -> Option<Disk> {
    let seen = home.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
    Some(Disk { total: bytes(seen.f_blocks), free: bytes(seen.f_bavail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_names_the_widest_extension() {
        let mut cpu = Cpu {
            model: "m".into(),
            architecture: "x86_64".into(),
            cores: 1,
            threads: 2,
            free_threads: 1,
            features: vec!["avx".into(), "avx2".into(), "sse3".into()],
        };
        assert_eq!(cpu.device_class().0, "cpu-x86_64-avx2");
        cpu.features = vec!["sse3".into()];
        assert_eq!(cpu.device_class().0, "cpu-x86_64");
    }

    #[test]
    fn this_machine_can_be_seen() {
        let (cpu, memory) = (detect(), memory());
        assert!(cpu.cores >= 1 && cpu.free_threads <= cpu.threads);
        assert!(memory.total >= memory.available && memory.total > 0);
        let deep = std::env::temp_dir().join("is/not/there");
        assert!(disk(&deep).is_some_and(|disk| disk.total >= disk.free));
    }
}
