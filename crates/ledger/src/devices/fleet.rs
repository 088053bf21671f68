//! Devices: how they come, wait, work and go.

use std::collections::BTreeMap;

use remuda_types::{Hash, NodeId, TimestampMs};

use super::actions::{REGION_BYTES_MAX, check_attributes};
use super::rules::ClassRules;
use super::{Benchmark, BenchmarkResults, BenchmarkRules, Device, DeviceStatus, DevicesError};
use super::{Rules, Subject};
use crate::block::Effects;
use crate::context::{Context, Verdict, check_text, is_full};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Fixed, Rounding, Share, mul_div};
use crate::state::{Row, State};

/// The most timers of devices that one block runs; the others run in the next ones.
const TIMERS_PER_BLOCK_MAX: usize = 512;
/// The most points of one part of a benchmark.
const BENCHMARK_POINTS_MAX: i128 = 1_000_000;

/// What a provider says of its device.
pub(super) struct Described<'a> {
    pub(super) region: &'a str,
    pub(super) attributes: &'a BTreeMap<String, String>,
}

impl Described<'_> {
    fn check(&self) -> Result<(), TransactionError> {
        check_text("region", self.region, REGION_BYTES_MAX)?;
        check_attributes(self.attributes)
    }
}

impl State {
    /// The devices of a provider that are not retired, in the order of their fingerprints.
    pub(crate) fn devices_of(&self, node: &NodeId) -> impl Iterator<Item = &Device> {
        let fingerprints = self.indexes.devices.of_provider.get(node).into_iter().flatten();
        fingerprints.filter_map(|fingerprint| self.tables.devices.get(fingerprint))
    }

    fn put_device(&mut self, device: Device) {
        self.write(Row::Device(device.fingerprint, Some(device)));
    }

    fn device_of(&self, context: &Context<'_>, id: &Hash) -> Result<Device, TransactionError> {
        let device = self.tables.devices.get(id);
        let own = |device: &&Device| {
            device.provider == context.signer && device.status != DeviceStatus::Retired
        };
        Ok(device.filter(own).cloned().ok_or(DevicesError::UnknownDevice)?)
    }

    /// Takes all devices of a provider out: it leaves the registry.
    pub(crate) fn retire_devices_of(&mut self, node: &NodeId, now: TimestampMs, rules: &Rules) {
        let devices: Vec<Device> = self.devices_of(node).cloned().collect();
        for device in devices {
            self.put_device(retired(device, now, rules));
        }
    }
}

fn retired(device: Device, now: TimestampMs, rules: &Rules) -> Device {
    let due_at = Some(now.saturating_add(rules.retired_memory.ms()));
    Device { status: DeviceStatus::Retired, due_at, ..device }
}

fn class<'a>(rules: &'a Rules, name: &str) -> Result<&'a ClassRules, DevicesError> {
    let unknown = || DevicesError::UnknownClass { class: name.chars().take(64).collect() };
    rules.classes.get(name).ok_or_else(unknown)
}

/// A provider enters a device.
pub(super) fn register(
    state: &mut State,
    context: &Context<'_>,
    fingerprint: Hash,
    class_name: &str,
    vram_mib: u32,
    described: &Described<'_>,
) -> Verdict {
    let rules = &context.economy.devices;
    if !rules.enabled {
        return Err(DevicesError::Disabled.into());
    }
    described.check()?;
    let provider = context.signer;
    if !state.tables.providers.contains_key(&provider) {
        return Err(TransactionError::UnknownProvider);
    }
    let needed = class(rules, class_name)?.vram_mib_min;
    if vram_mib < needed {
        return Err(DevicesError::DeviceMemory { needed }.into());
    }
    check_room(state, rules, &provider, &fingerprint)?;
    let waits = rules.waiting.ms() > 0;
    state.put_device(Device {
        fingerprint,
        provider,
        class: class_name.into(),
        region: described.region.into(),
        vram_mib,
        benchmark: None,
        attributes: described.attributes.clone(),
        status: if waits { DeviceStatus::New } else { DeviceStatus::Standby },
        registered_at: context.now,
        due_at: waits.then(|| context.now.saturating_add(rules.waiting.ms())),
    });
    Ok(Effects::default())
}

/// Whether the fingerprint is free, and the provider and the network have room for it.
fn check_room(
    state: &State,
    rules: &Rules,
    provider: &NodeId,
    fingerprint: &Hash,
) -> Result<(), DevicesError> {
    let most = rules.devices_max;
    match state.tables.devices.get(fingerprint) {
        Some(device) if device.status != DeviceStatus::Retired => {
            return Err(DevicesError::FingerprintTaken { provider: device.provider });
        }
        None if is_full(state.tables.devices.len(), most) => {
            return Err(DevicesError::DeviceLimit { most });
        }
        _ => {}
    }
    let most = rules.per_provider_max;
    let own = state.indexes.devices.of_provider.get(provider).map_or(0, |devices| devices.len());
    if is_full(own, most) { Err(DevicesError::DeviceLimit { most }) } else { Ok(()) }
}

/// A provider describes its device anew.
pub(super) fn describe(
    state: &mut State,
    context: &Context<'_>,
    fingerprint: Hash,
    described: &Described<'_>,
) -> Verdict {
    described.check()?;
    let device = state.device_of(context, &fingerprint)?;
    let (region, attributes) = (described.region.into(), described.attributes.clone());
    state.put_device(Device { region, attributes, ..device });
    Ok(Effects::default())
}

/// A provider offers its device for hire.
pub(super) fn activate(state: &mut State, context: &Context<'_>, fingerprint: Hash) -> Verdict {
    let rules = &context.economy.devices;
    let device = state.device_of(context, &fingerprint)?;
    let status = device.status;
    if status != DeviceStatus::Standby {
        return Err(DevicesError::DeviceState { status }.into());
    }
    if !is_fast_enough(&device, class(rules, &device.class)?) {
        return Err(DevicesError::BenchmarkTooLow.into());
    }
    let needed = rules.active_tier_min;
    let found = state.tier_of_device(&device, context.now, &rules.certificates);
    if found < needed {
        return Err(DevicesError::TierTooLow { needed, found }.into());
    }
    state.put_device(Device { status: DeviceStatus::Active, ..device });
    Ok(Effects::default())
}

fn is_fast_enough(device: &Device, class: &ClassRules) -> bool {
    let score = device.benchmark.as_ref().map_or(Fixed::ZERO, |benchmark| benchmark.score);
    score >= class.benchmark_min
}

/// A provider takes its device from hire.
pub(super) fn pause(state: &mut State, context: &Context<'_>, fingerprint: Hash) -> Verdict {
    let device = state.device_of(context, &fingerprint)?;
    let status = device.status;
    if status != DeviceStatus::Active {
        return Err(DevicesError::DeviceState { status }.into());
    }
    state.put_device(Device { status: DeviceStatus::Standby, ..device });
    Ok(Effects::default())
}

/// A provider takes its device out.
pub(super) fn retire(state: &mut State, context: &Context<'_>, fingerprint: Hash) -> Verdict {
    let device = state.device_of(context, &fingerprint)?;
    state.put_device(retired(device, context.now, &context.economy.devices));
    Ok(Effects::default())
}

/// A measurement comes in.
pub(super) fn report(
    state: &mut State,
    context: &Context<'_>,
    fingerprint: Hash,
    results: &BenchmarkResults,
) -> Verdict {
    let rules = &context.economy.devices;
    let reporter = context.account();
    let device = if rules.reporters.is_empty() {
        state.device_of(context, &fingerprint)?
    } else {
        if !rules.reporters.contains(&reporter) {
            return Err(DevicesError::NotReporter.into());
        }
        let device = state.tables.devices.get(&fingerprint);
        let device = device.filter(|device| device.status != DeviceStatus::Retired).cloned();
        device.ok_or(DevicesError::UnknownDevice)?
    };
    let score = score(&rules.benchmark, results)?;
    let benchmark = Some(Benchmark { score, reporter, reported_at: context.now });
    let mut device = Device { benchmark, ..device };
    let slow =
        !rules.classes.get(&device.class).is_some_and(|class| is_fast_enough(&device, class));
    if slow && device.status == DeviceStatus::Active {
        device.status = DeviceStatus::Standby;
    }
    state.put_device(device);
    Ok(Effects::default())
}

/// The score: each part times its weight, rounded toward zero, and added up.
fn score(rules: &BenchmarkRules, results: &BenchmarkResults) -> Result<Fixed, TransactionError> {
    let parts = [
        (results.info, rules.info),
        (results.direct_light, rules.direct_light),
        (results.path_trace, rules.path_trace),
    ];
    let most = Fixed::from_integer(BENCHMARK_POINTS_MAX)?;
    let mut sum = Fixed::ZERO;
    for (points, weight) in parts {
        if points.is_negative() || points > most {
            return Err(DevicesError::BenchmarkRange.into());
        }
        sum = sum.add(weighted(points, weight)?)?;
    }
    Ok(sum)
}

fn weighted(points: Fixed, weight: Share) -> Result<Fixed, TransactionError> {
    let whole = u128::from(Share::ALL.billionths());
    let weight = u128::from(weight.billionths());
    let part = mul_div(points.0.unsigned_abs(), weight, whole, Rounding::Down)?;
    Ok(Fixed(i128::try_from(part).map_err(|_| TransactionError::Overflow)?))
}

impl State {
    /// The audit tier that counts for a device: its own, or its provider's if that is higher.
    pub(crate) fn tier_of_device(
        &self,
        device: &Device,
        now: TimestampMs,
        rules: &super::CertificateRules,
    ) -> u8 {
        let own = self.audit_tier(&Subject::Device(device.fingerprint), now, rules);
        own.max(self.audit_tier(&Subject::Node(device.provider), now, rules))
    }
}

/// Every block: new devices whose wait is over come on standby, old ones are forgotten.
pub(crate) fn run_timers(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let timers = state.indexes.devices.timers.iter();
    let due = timers.take_while(|(due, _)| *due <= cycle.now).take(TIMERS_PER_BLOCK_MAX);
    let due: Vec<Hash> = due.map(|(_, fingerprint)| *fingerprint).collect();
    for fingerprint in due {
        let Some(device) = state.tables.devices.get(&fingerprint).cloned() else { continue };
        match device.status {
            DeviceStatus::Retired => state.write(Row::Device(fingerprint, None)),
            _ => state.put_device(Device { status: DeviceStatus::Standby, due_at: None, ..device }),
        }
    }
    Ok(())
}

/// When the next timer of a device runs.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    state.indexes.devices.timers.first().map(|(due, _)| *due)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Fixed {
        text.parse().unwrap()
    }

    /// OctaneBench: 920/699/688 are 715.6 points by the published weights.
    #[test]
    fn a_score_weighs_its_parts() {
        let results = BenchmarkResults {
            info: fixed("920"),
            direct_light: fixed("699"),
            path_trace: fixed("688"),
        };
        let rules = BenchmarkRules::default();
        assert_eq!(score(&rules, &results), Ok(fixed("715.6")));
        let wrong = BenchmarkResults { info: fixed("-1"), ..results };
        let refused = score(&rules, &wrong).map_err(|error| error.code());
        assert_eq!(refused, Err("device_benchmark_range"));
        let wrong = BenchmarkResults { info: fixed("1000000.1"), ..results };
        assert!(score(&rules, &wrong).is_err());
    }
}
