//! What this machine is: processor, memory, disk, GPUs.
//!
//! Vendor libraries are opened at run time. One that is missing is a note, never a failure.
//! Software rasterisers (llvmpipe, lavapipe, SwiftShader) report themselves to Vulkan as
//! devices of type CPU; they are listed apart and are never GPUs.

mod cpu;
mod gpu;
mod nvml;
mod vulkan;

use std::path::Path;

use remuda_types::DeviceClass;
use serde::{Deserialize, Serialize};

pub use gpu::{Gpu, GpuKind, PciAddress};

/// What this machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// The processor.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// The disk of the home folder; `None` when its file system cannot be asked.
    pub disk: Option<Disk>,
    /// Graphics cards, each once, the one with most memory first.
    pub gpus: Vec<Gpu>,
    /// Devices that a Vulkan driver emulates on the processor.
    pub software_rasterisers: Vec<String>,
    /// What could not be seen, and why.
    pub notes: Vec<String>,
}

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// As it names itself.
    pub model: String,
    /// The instruction set architecture: `x86_64`, `aarch64`.
    pub architecture: String,
    /// Physical cores that this process may use, at least one.
    pub cores: u32,
    /// Hardware threads that this process may use, at least one.
    pub threads: u32,
    /// Of those, threads that other programs leave idle, at least one: what an engine
    /// should take by default.
    pub free_threads: u32,
    /// Instruction set extensions that matter to engines, sorted.
    pub features: Vec<String>,
}

/// Memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes in the machine, or in this process's control group where that is less.
    pub total: u64,
    /// Bytes that can still be had.
    pub available: u64,
}

/// The disk of the home folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Bytes of its file system.
    pub total: u64,
    /// Bytes that this user can still write.
    pub free: u64,
}

impl Hardware {
    /// The class of the fastest device: the GPU with most memory by its exact name, or the
    /// processor as `cpu-x86_64-avx2`.
    #[must_use]
    pub fn device_class(&self) -> DeviceClass {
        match self.gpus.first() {
            Some(gpu) => DeviceClass(gpu.name.clone()),
            None => self.cpu.device_class(),
        }
    }
}

/// Looks at this machine; `home` is the folder whose disk counts. Blocks for about a quarter
/// of a second (idle threads are measured). Never fails.
#[must_use]
pub fn detect(home: &Path) -> Hardware {
    let mut notes = Vec::new();
    let mut rasterisers = Vec::new();
    let seen_by_nvml = nvml::gpus(&mut notes);
    let seen_by_vulkan = vulkan::gpus(&mut rasterisers, &mut notes);
    Hardware {
        cpu: cpu::detect(),
        memory: cpu::memory(),
        disk: cpu::disk(home),
        gpus: gpu::merge(seen_by_nvml, seen_by_vulkan),
        software_rasterisers: rasterisers,
        notes,
    }
}
