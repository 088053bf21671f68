//! Graphics cards, as several libraries see them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A graphics card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// As it names itself, exactly.
    pub name: String,
    /// How it is built in.
    pub kind: GpuKind,
    /// Its own memory, in bytes; 0 when unknown.
    pub memory: u64,
    /// Of that, bytes that are free; `None` when unknown.
    pub memory_free: Option<u64>,
    /// Where it sits, when known.
    pub pci: Option<PciAddress>,
    /// Its own number as 32 hexadecimal digits, when known.
    pub uuid: Option<String>,
    /// The driver, with its version.
    pub driver: Option<String>,
    /// The compute capability of a CUDA device: major and minor.
    pub cuda: Option<(u32, u32)>,
    /// The libraries that see it: `nvml`, `vulkan`.
    pub seen_by: Vec<String>,
}

/// How a graphics card is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuKind {
    /// With memory of its own.
    Discrete,
    /// Sharing the processor's memory.
    Integrated,
    /// A part of a card, given to a virtual machine.
    Virtual,
    /// It does not say.
    Other,
}

/// A place on the PCI bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PciAddress {
    /// The domain.
    pub domain: u32,
    /// The bus.
    pub bus: u32,
    /// The device on the bus.
    pub device: u32,
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}", self.domain, self.bus, self.device)
    }
}

impl Gpu {
    /// Whether both are the same card. Names decide nothing: two equal cards have one name.
    fn is_same_card(&self, other: &Self) -> bool {
        match (&self.uuid, &other.uuid) {
            (Some(mine), Some(theirs)) if mine == theirs => return true,
            _ => {}
        }
        self.pci.is_some() && self.pci == other.pci
    }

    /// Adds what another library knows of the same card.
    fn complete(&mut self, other: Self) {
        self.memory = self.memory.max(other.memory);
        self.memory_free = self.memory_free.or(other.memory_free);
        self.pci = self.pci.or(other.pci);
        self.uuid = self.uuid.take().or(other.uuid);
        self.driver = self.driver.take().or(other.driver);
        self.cuda = self.cuda.or(other.cuda);
        for library in other.seen_by {
            if !self.seen_by.contains(&library) {
                self.seen_by.push(library);
            }
        }
    }
}

/// All cards, each once, the one with most memory first. What the first list says of a card
/// wins.
pub(super) fn merge(first: Vec<Gpu>, second: Vec<Gpu>) -> Vec<Gpu> {
    let mut all: Vec<Gpu> = Vec::with_capacity(first.len() + second.len());
    for gpu in first.into_iter().chain(second) {
        match all.iter_mut().find(|known| known.is_same_card(&gpu)) {
            Some(known) => known.complete(gpu),
            None => all.push(gpu),
        }
    }
    all.sort_by_key(|gpu| std::cmp::Reverse(gpu.memory));
    all
}

/// A UUID's digits, from any of its spellings; `None` when it is not one.
pub(super) fn uuid_digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    // NVML writes `GPU-` before it, whose letters are no hexadecimal digits.
    (digits.len() == 32).then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str, library: &str) -> Gpu {
        Gpu {
            name: name.to_owned(),
            kind: GpuKind::Discrete,
            memory: 8 << 30,
            memory_free: None,
            pci: None,
            uuid: None,
            driver: None,
            cuda: None,
            seen_by: vec![library.to_owned()],
        }
    }

    #[test]
    fn a_card_seen_twice_is_one_card() {
        let place = PciAddress { domain: 0, bus: 3, device: 0 };
        let nvml = Gpu { pci: Some(place), cuda: Some((8, 9)), ..gpu("Card", "nvml") };
        let vulkan = Gpu { pci: Some(place), memory: 9 << 30, ..gpu("Card", "vulkan") };
        let merged = merge(vec![nvml], vec![vulkan]);
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].seen_by, ["nvml", "vulkan"]);
        assert_eq!((merged[0].cuda, merged[0].memory), (Some((8, 9)), 9 << 30));
    }

    #[test]
    fn two_cards_of_one_name_stay_two() {
        let at = |bus| Some(PciAddress { domain: 0, bus, device: 0 });
        let one = Gpu { pci: at(1), ..gpu("Card", "nvml") };
        let other = Gpu { pci: at(2), ..gpu("Card", "vulkan") };
        assert_eq!(merge(vec![one], vec![other]).len(), 2);
        assert_eq!(merge(vec![gpu("Card", "nvml")], vec![gpu("Card", "vulkan")]).len(), 2);
    }

    #[test]
    fn a_uuid_joins_cards_without_a_place() {
        let uuid = uuid_digits("GPU-3a1f0c2e-0000-1111-2222-333344445555");
        assert_eq!(uuid.as_deref(), Some("3a1f0c2e000011112222333344445555"));
        let one = Gpu { uuid: uuid.clone(), ..gpu("Card", "nvml") };
        let other = Gpu { uuid, ..gpu("Card", "vulkan") };
        assert_eq!(merge(vec![one], vec![other]).len(), 1);
        assert_eq!(uuid_digits("GPU-"), None);
    }

    #[test]
    fn the_largest_card_is_first() {
        let small = Gpu { memory: 1, ..gpu("Small", "nvml") };
        let merged = merge(vec![small, gpu("Large", "nvml")], vec![]);
        assert_eq!(merged[0].name, "Large");
    }
}
