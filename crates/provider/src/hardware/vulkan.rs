//! Cards of any brand, by Vulkan's loader, opened at run time.
//!
//! Vulkan is a C interface: this is the one module of the provider that calls foreign code,
//! and each call says why it is sound.
#![allow(unsafe_code)]

use std::ffi::CStr;

use ash::{Entry, Instance, vk};

use super::gpu::{Gpu, GpuKind, PciAddress};

/// The cards that Vulkan shows; emulated ones go to `rasterisers` by name. A missing loader
/// is no note: many machines have none.
pub(super) fn gpus(rasterisers: &mut Vec<String>, notes: &mut Vec<String>) -> Vec<Gpu> {
    // SAFETY: loading runs the loader library's initialisers; it is the system's own Vulkan
    // loader, which is written to be opened so. `entry` outlives the instance made from it.
    let Ok(entry) = (unsafe { Entry::load() }) else { return Vec::new() };
    match Session::open(&entry) {
        Ok(session) => session.list(rasterisers, notes),
        // A loader without any driver: as if there were none.
        Err(vk::Result::ERROR_INCOMPATIBLE_DRIVER) => Vec::new(),
        Err(error) => {
            notes.push(format!(
                "Vulkan is installed but does not start ({error}); check the driver: vulkaninfo"
            ));
            Vec::new()
        }
    }
}

/// An instance that is destroyed when dropped.
struct Session(Instance);

impl Session {
    fn open(entry: &Entry) -> Result<Self, vk::Result> {
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_1);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: `info` and what it points to live until the call returns; no extension or
        // layer is asked for.
        unsafe { entry.create_instance(&info, None) }.map(Self)
    }

    fn list(&self, rasterisers: &mut Vec<String>, notes: &mut Vec<String>) -> Vec<Gpu> {
        // SAFETY: the instance is alive; it is destroyed only when `self` is dropped.
        let devices = match unsafe { self.0.enumerate_physical_devices() } {
            Ok(devices) => devices,
            Err(error) => {
                notes.push(format!("Vulkan does not list its devices: {error}"));
                return Vec::new();
            }
        };
        let described = devices.into_iter().map(|device| self.describe(device));
        let (gpus, emulated): (Vec<_>, Vec<_>) = described.partition(Result::is_ok);
        rasterisers.extend(emulated.into_iter().filter_map(Result::err));
        gpus.into_iter().filter_map(Result::ok).collect()
    }

    /// The card; or, of an emulated one, its name.
    fn describe(&self, device: vk::PhysicalDevice) -> Result<Gpu, String> {
        // SAFETY: `device` was listed by this instance, which is alive.
        let properties = unsafe { self.0.get_physical_device_properties(device) };
        let name = text(properties.device_name_as_c_str().ok());
        let Some(kind) = kind(properties.device_type) else { return Err(name) };
        let identity = self.identity(device, &properties);
        Ok(Gpu {
            name,
            kind,
            memory: self.memory(device),
            memory_free: None,
            pci: identity.pci,
            uuid: identity.uuid,
            driver: identity.driver,
            cuda: None,
            seen_by: vec!["vulkan".to_owned()],
        })
    }

    /// What distinguishes this card from an equal one.
    fn identity(
        &self,
        device: vk::PhysicalDevice,
        properties: &vk::PhysicalDeviceProperties,
    ) -> Identity {
        if properties.api_version < vk::API_VERSION_1_1 {
            return Identity::default();
        }
        let extensions = self.extensions(device);
        let mut ids = vk::PhysicalDeviceIDProperties::default();
        let mut pci = vk::PhysicalDevicePCIBusInfoPropertiesEXT::default();
        let mut driver = vk::PhysicalDeviceDriverProperties::default();
        let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut ids);
        let has_pci = extensions.iter().any(|name| name == "VK_EXT_pci_bus_info");
        let has_driver = extensions.iter().any(|name| name == "VK_KHR_driver_properties");
        if has_pci {
            all = all.push_next(&mut pci);
        }
        if has_driver {
            all = all.push_next(&mut driver);
        }
        // SAFETY: the device is of Vulkan 1.1, which has this call; each structure chained
        // belongs to that version or to an extension that the device lists, and all of them
        // live until the call returns.
        unsafe { self.0.get_physical_device_properties2(device, &mut all) };
        Identity {
            pci: has_pci.then_some(PciAddress {
                domain: pci.pci_domain,
                bus: pci.pci_bus,
                device: pci.pci_device,
            }),
            uuid: Some(digits(&ids.device_uuid)),
            driver: has_driver.then(|| driver_text(&driver)),
        }
    }

    fn extensions(&self, device: vk::PhysicalDevice) -> Vec<String> {
        // SAFETY: `device` was listed by this instance, which is alive.
        let listed = unsafe { self.0.enumerate_device_extension_properties(device) };
        let name =
            |extension: &vk::ExtensionProperties| text(extension.extension_name_as_c_str().ok());
        listed.unwrap_or_default().iter().map(name).collect()
    }

    /// The largest heap of the card's own memory, in bytes.
    fn memory(&self, device: vk::PhysicalDevice) -> u64 {
        // SAFETY: `device` was listed by this instance, which is alive.
        let memory = unsafe { self.0.get_physical_device_memory_properties(device) };
        let heaps = memory.memory_heaps_as_slice().iter();
        let own = heaps.filter(|heap| heap.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL));
        own.map(|heap| heap.size).max().unwrap_or(0)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: nothing made from the instance is left: devices are only handles into it.
        unsafe { self.0.destroy_instance(None) };
    }
}

#[derive(Default)]
struct Identity {
    pci: Option<PciAddress>,
    uuid: Option<String>,
    driver: Option<String>,
}

/// How the card is built in; `None` for one that the processor emulates.
fn kind(device: vk::PhysicalDeviceType) -> Option<GpuKind> {
    match device {
        vk::PhysicalDeviceType::CPU => None,
        vk::PhysicalDeviceType::DISCRETE_GPU => Some(GpuKind::Discrete),
        vk::PhysicalDeviceType::INTEGRATED_GPU => Some(GpuKind::Integrated),
        vk::PhysicalDeviceType::VIRTUAL_GPU => Some(GpuKind::Virtual),
        _ => Some(GpuKind::Other),
    }
}

fn driver_text(driver: &vk::PhysicalDeviceDriverProperties<'_>) -> String {
    let name = text(driver.driver_name_as_c_str().ok());
    let info = text(driver.driver_info_as_c_str().ok());
    format!("{name} {info}").trim().to_owned()
}

fn text(bytes: Option<&CStr>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string_lossy().into_owned())
}

fn digits(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulated_card_is_no_gpu() {
        assert_eq!(kind(vk::PhysicalDeviceType::CPU), None);
        assert_eq!(kind(vk::PhysicalDeviceType::INTEGRATED_GPU), Some(GpuKind::Integrated));
    }
}
