//! Who is there, what buyers want, who gets the work, and what reporters say of all that.

use remuda_ledger::epochs::formulas::Formula;
use remuda_ledger::epochs::{
    CapacityEntry, DutyEntry, EpochAction, Facts, REPORT_ENTRIES_MAX, Recipient, Schedule,
    UptimeEntry,
};
use remuda_ledger::math::Share;
use remuda_ledger::{Action, Economy};

use super::World;
use crate::agents::Provider;
use crate::amounts::{fixed, share};
use crate::assumptions::{
    CLASSES, DEMAND_DAYS, DEMAND_FIRST, DEMAND_LAST, DEMAND_NOISE, JOIN_FACTOR, LOAD_DAYS,
    OWED_DAYS, PATIENCE_DAYS,
};

impl World {
    /// Providers join where others earn, and leave where they do not.
    pub(super) fn decide(&mut self) {
        let day = self.day;
        for class in 0..CLASSES.len() {
            let active = self.providers.iter().filter(|p| p.active && p.class == class);
            let (count, sum) = active.fold((0.0, 0.0), |(n, sum), p| (n + 1.0, sum + p.income));
            // What a newcomer expects: its part of what all of the class earn.
            let expected = sum / (count + 1.0);
            let mut joined = false;
            for index in 0..self.providers.len() {
                let provider = &self.providers[index];
                if provider.hostile || provider.class != class {
                    continue;
                }
                let stayed = day.saturating_sub(provider.since) >= PATIENCE_DAYS;
                if provider.active && stayed && provider.income < provider.cost {
                    self.leave(index);
                } else if !provider.active && !joined {
                    let tries = count < 1.0 && self.tries.below(6) == 0;
                    if expected > JOIN_FACTOR * self.providers[index].cost || tries {
                        self.join(index);
                        // One at a time: the next looks at what is left.
                        joined = true;
                    }
                }
            }
        }
    }

    fn join(&mut self, index: usize) {
        let day = self.day;
        let provider = &mut self.providers[index];
        (provider.active, provider.since, provider.known) = (true, day, false);
        (provider.idle, provider.income) = (0.0, 0.0);
    }

    fn leave(&mut self, index: usize) {
        let entries = self.entries(index, true);
        let key = self.cast.reporter.key.clone();
        let provider = &mut self.providers[index];
        (provider.active, provider.income, provider.owed) = (false, 0.0, 0.0);
        if provider.known {
            provider.known = false;
            let actor = provider.actor.key.clone();
            let report = EpochAction::ReportCapacity { entries };
            if pays_capacity(&self.economy) {
                self.play.act(&key, Action::Epochs(report));
            }
            self.play.act(&actor, Action::DeregisterProvider);
        }
        let actor = self.providers[index].actor.clone();
        self.unstake(&actor);
    }

    /// What buyers want to spend on a day of this step.
    pub(super) fn want(&mut self) {
        let potential: f64 = self.providers.iter().filter(|p| !p.hostile).map(|p| p.rate).sum();
        let time = (f64::from(self.day) / DEMAND_DAYS).min(1.0);
        let grown = time * time * (3.0 - 2.0 * time);
        let noise = 1.0 + DEMAND_NOISE * (2.0 * self.chance.unit() - 1.0);
        let part = DEMAND_FIRST + (DEMAND_LAST - DEMAND_FIRST) * grown;
        self.wanted = potential * part * noise;
    }

    /// Gives the wanted work to those whose capacity was used least, class by class; what a
    /// class cannot do goes to the next, and last to the first.
    pub(super) fn work(&mut self) {
        let days = f64::from(self.days);
        let all: f64 = self.providers.iter().filter(|p| !p.hostile).map(|p| p.rate).sum();
        let mut rest = 0.0;
        let mut busy = vec![0.0_f64; self.providers.len()];
        for class in 0..CLASSES.len() {
            let of_class = self.providers.iter().filter(|p| !p.hostile && p.class == class);
            let own: f64 = of_class.map(|p| p.rate).sum();
            let wanted = if all > 0.0 { self.wanted * own / all * days } else { 0.0 };
            rest = self.share_out(class, wanted + rest, days, &mut busy);
        }
        for class in 0..CLASSES.len() {
            rest = self.share_out(class, rest, days, &mut busy);
        }
        for (provider, busy) in self.providers.iter_mut().zip(busy) {
            provider.note_work(busy, days);
        }
    }

    /// Hands out so many dollars of work in a class; returns what nobody could take.
    fn share_out(&self, class: usize, dollars: f64, days: f64, busy: &mut [f64]) -> f64 {
        let mut able: Vec<usize> = (0..self.providers.len())
            .filter(|&index| {
                let provider = &self.providers[index];
                provider.active
                    && provider.rate > 0.0
                    && provider.class == class
                    && provider.owed < provider.rate * OWED_DAYS
            })
            .collect();
        // The load in the middle of the work that it would get: so neither large nor small
        // providers get more than their part.
        let after = |provider: &Provider| {
            let most = (provider.rate * provider.uptime * days).min(dollars);
            provider.load + 0.5 * most / (provider.rate * LOAD_DAYS)
        };
        able.sort_by(|&a, &b| {
            let (first, second) = (&self.providers[a], &self.providers[b]);
            let load = after(first).total_cmp(&after(second));
            load.then(second.idle.total_cmp(&first.idle)).then(a.cmp(&b))
        });
        let mut rest = dollars;
        for index in able {
            let provider = &self.providers[index];
            let part = (provider.rate * provider.uptime * days - busy[index]).max(0.0).min(rest);
            busy[index] += part;
            rest -= part;
        }
        rest
    }

    /// Reporters say what newcomers have, how long all stood ready, and who served.
    pub(super) fn report(&mut self) {
        let reporter = self.cast.reporter.key.clone();
        let fresh: Vec<usize> = (0..self.providers.len())
            .filter(|&index| self.providers[index].active && !self.providers[index].known)
            .collect();
        let mut entries = Vec::new();
        for index in fresh {
            let provider = &mut self.providers[index];
            provider.known = true;
            let (key, reward) = (provider.actor.key.clone(), provider.actor.account);
            let actor = provider.actor.clone();
            self.welcome(&actor);
            let register = Action::RegisterProvider { reward, name: format!("provider {index}") };
            self.play.act(&key, register);
            entries.extend(self.entries(index, false));
        }
        if !pays_capacity(&self.economy) {
            entries.clear();
        }
        for chunk in entries.chunks(REPORT_ENTRIES_MAX) {
            let report = EpochAction::ReportCapacity { entries: chunk.to_vec() };
            self.play.act(&reporter, Action::Epochs(report));
        }
        if pays_capacity(&self.economy) {
            self.report_uptime();
        }
        self.report_duties();
    }

    fn report_uptime(&mut self) {
        let reporter = self.cast.reporter.key.clone();
        let entries: Vec<UptimeEntry> = self
            .providers
            .iter()
            .filter(|provider| provider.active && provider.known)
            .flat_map(|provider| {
                (0..provider.devices).map(|number| UptimeEntry {
                    provider: provider.actor.key.public(),
                    device: provider.device_name(number),
                    uptime: share(provider.uptime),
                })
            })
            .collect();
        for chunk in entries.chunks(REPORT_ENTRIES_MAX) {
            let report = EpochAction::ReportUptime { entries: chunk.to_vec() };
            self.play.act(&reporter, Action::Epochs(report));
        }
    }

    fn report_duties(&mut self) {
        let reporter = self.cast.reporter.key.clone();
        let reported = Recipient::ALL.into_iter().filter(|recipient| recipient.is_reported());
        for (recipient, actor) in reported.zip(self.cast.duties.clone()) {
            let streams = &self.economy.epochs.streams;
            if !streams.iter().any(|stream| stream.split.of(recipient) > Share::ZERO) {
                continue;
            }
            let entries = vec![DutyEntry { node: actor.key.public(), weight: 1 }];
            let report = EpochAction::ReportDuty { recipient, entries };
            self.play.act(&reporter, Action::Epochs(report));
        }
    }

    /// What a reporter says of a provider's devices; nothing of one that leaves.
    fn entries(&self, index: usize, gone: bool) -> Vec<CapacityEntry> {
        let provider = &self.providers[index];
        let class = &CLASSES[provider.class];
        let score = if gone { 0.0 } else { measured(&self.economy, provider) };
        let entry = |number| CapacityEntry {
            provider: provider.actor.key.public(),
            device: provider.device_name(number),
            facts: Facts {
                score: fixed(score),
                count: 1,
                memory_mib: class.memory_mib,
                tier: share(class.tier),
                model: share(class.model),
                earlier: fixed(provider.earned / provider.rate.max(1.0)),
                ..Facts::default()
            },
        };
        (0..provider.devices).map(entry).collect()
    }

    /// Somebody new who provides from now on, for an attacker.
    pub(crate) fn enlist(&mut self, mut machine: Provider) {
        (machine.active, machine.known, machine.hostile) = (true, false, true);
        machine.since = self.day;
        self.providers.push(machine);
    }
}

/// Whether any stream pays for standing ready.
fn pays_capacity(economy: &Economy) -> bool {
    economy.epochs.streams.iter().any(|stream| stream.split.capacity > Share::ZERO)
}

/// What a reporter measures of one device, in the unit of the economy's formula: witnesses,
/// petabytes where a baseline is in petabytes, iterations, or multiples of a consumer's device.
pub(super) fn measured(economy: &Economy, provider: &Provider) -> f64 {
    let streams = &economy.epochs.streams;
    let score = provider.score / provider.devices as f64;
    match economy.epochs.capacity {
        Formula::Hip15 { .. } => f64::from(provider.witnesses),
        Formula::Phala(_) => score * 500.0,
        _ if streams.iter().any(|s| matches!(s.schedule, Schedule::Baseline { .. })) => {
            score * 100.0
        }
        _ => score,
    }
}
