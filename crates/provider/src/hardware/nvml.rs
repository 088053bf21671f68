//! NVIDIA's cards, by the management library that comes with their driver.

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use super::gpu::{Gpu, GpuKind, PciAddress, uuid_digits};

/// The most cards that are looked at.
const GPUS_MAX: u32 = 64;

/// The cards that NVML shows. A missing library is no note: most machines have none.
pub(super) fn gpus(notes: &mut Vec<String>) -> Vec<Gpu> {
    match Nvml::init() {
        Ok(nvml) => list(&nvml, notes),
        Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound) => Vec::new(),
        Err(error) => {
            notes.push(format!(
                "NVIDIA's driver is installed but does not answer ({error}); \
                 check that its kernel module is loaded: nvidia-smi"
            ));
            Vec::new()
        }
    }
}

fn list(nvml: &Nvml, notes: &mut Vec<String>) -> Vec<Gpu> {
    let driver = nvml.sys_driver_version().ok().map(|version| format!("nvidia {version}"));
    let count = nvml.device_count().unwrap_or(0).min(GPUS_MAX);
    let mut gpus = Vec::new();
    for index in 0..count {
        match nvml.device_by_index(index).and_then(|device| describe(&device, driver.clone())) {
            Ok(gpu) => gpus.push(gpu),
            Err(error) => notes.push(format!("NVIDIA card {index} does not answer: {error}")),
        }
    }
    gpus
}

fn describe(device: &Device<'_>, driver: Option<String>) -> Result<Gpu, NvmlError> {
    let memory = device.memory_info().ok();
    let pci = device.pci_info().ok();
    let place = pci.map(|pci| PciAddress { domain: pci.domain, bus: pci.bus, device: pci.device });
    let capability = device.cuda_compute_capability().ok();
    let number = |value: i32| u32::try_from(value).unwrap_or(0);
    Ok(Gpu {
        name: device.name()?,
        kind: GpuKind::Discrete,
        memory: memory.as_ref().map_or(0, |memory| memory.total),
        memory_free: memory.map(|memory| memory.free),
        pci: place,
        uuid: device.uuid().ok().and_then(|uuid| uuid_digits(&uuid)),
        driver,
        cuda: capability.map(|cuda| (number(cuda.major), number(cuda.minor))),
        seen_by: vec!["nvml".to_owned()],
    })
}
