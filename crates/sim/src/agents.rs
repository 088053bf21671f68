//! Who plays: providers by class of device, and everybody else.

use remuda_types::Hash;

use crate::assumptions::{
    ACTIVE_FIRST, BUYERS, CLASSES, DEVICES_PER_PROVIDER, INCOME_DAYS, LOAD_DAYS, POSTERS,
};
use crate::chance::Chance;
use crate::play::Actor;

/// How many others hear a device, beside one: from lonely to crowded places.
const WITNESSES: [u32; 7] = [0, 3, 7, 1, 4, 13, 2];

/// Somebody with devices of one class.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) actor: Actor,
    /// Its class among [`CLASSES`].
    pub(crate) class: usize,
    /// Which device it is to the ledger; the first, where it has several alike.
    pub(crate) device: Hash,
    /// How many devices alike it has under its key.
    pub(crate) devices: usize,
    /// How many others hear it, where a profile pays for coverage.
    pub(crate) witnesses: u32,
    /// What reporters measure of all its devices together.
    pub(crate) score: f64,
    /// The most that it can be paid for a day's work, in dollars.
    pub(crate) rate: f64,
    /// What a day costs it, in dollars.
    pub(crate) cost: f64,
    /// The part of the time in which it stands ready.
    pub(crate) uptime: f64,
    /// On which of the days of a turn it acts.
    pub(crate) turn: usize,
    /// Whether it belongs to an attacker: then it neither leaves nor sells of its own accord.
    pub(crate) hostile: bool,
    pub(crate) active: bool,
    /// Since which day it is active.
    pub(crate) since: u32,
    /// Whether the ledger knows what it has.
    pub(crate) known: bool,
    /// What it worked for and was not yet paid, in dollars.
    pub(crate) owed: f64,
    /// Which part of what it can do it did of late.
    pub(crate) load: f64,
    /// Days since it last had work.
    pub(crate) idle: f64,
    /// What it earned a day, on average, in dollars at the price of the day.
    pub(crate) income: f64,
    /// What it earned in all, in dollars at the prices of the days.
    pub(crate) earned: f64,
    /// Dollars that it was paid for tokens.
    pub(crate) dollars: f64,
    /// The tokens that it had, with what it is owed, after the last step.
    pub(crate) before: f64,
    /// Tokens that it sold in this step, less those that it bought.
    pub(crate) sold: f64,
    /// Tokens that it is buying to stake them.
    pub(crate) bought: f64,
}

impl Provider {
    /// A provider of a class, which costs it `factor` times the usual.
    pub(crate) fn new(actor: Actor, class: usize, factor: f64, uptime: f64) -> Self {
        let kind = &CLASSES[class];
        Self {
            device: Hash(actor.account.0.0),
            actor,
            class,
            devices: 1,
            witnesses: 1,
            score: kind.score,
            rate: kind.rate * DEVICES_PER_PROVIDER,
            cost: kind.cost * DEVICES_PER_PROVIDER * factor,
            uptime,
            turn: 0,
            hostile: false,
            active: false,
            since: 0,
            known: false,
            owed: 0.0,
            load: 0.0,
            idle: 0.0,
            income: 0.0,
            earned: 0.0,
            dollars: 0.0,
            before: 0.0,
            sold: 0.0,
            bought: 0.0,
        }
    }

    /// The name of one of its devices.
    pub(crate) fn device_name(&self, number: usize) -> Hash {
        let mut name = self.device;
        name.0[0] ^= number.to_le_bytes()[0];
        name
    }

    /// Notes how much of its time it worked.
    pub(crate) fn note_work(&mut self, dollars: f64, days: f64) {
        self.owed += dollars;
        if self.rate <= 0.0 {
            return;
        }
        let weight = (days / LOAD_DAYS).min(1.0);
        self.load += (dollars / (self.rate * days) - self.load) * weight;
        self.idle = if dollars > 0.0 || !self.active { 0.0 } else { self.idle + days };
    }

    /// Notes what a step of so many days brought, in dollars.
    pub(crate) fn note_income(&mut self, dollars: f64, days: f64) {
        let weight = (days / INCOME_DAYS).min(1.0);
        self.income += (dollars / days - self.income) * weight;
        self.earned += dollars;
    }
}

/// Everybody else.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    /// May grant credits, and grants none but where nothing else makes any.
    pub(crate) grantor: Actor,
    pub(crate) posters: Vec<Actor>,
    pub(crate) reporter: Actor,
    pub(crate) buyers: Vec<Actor>,
    /// Where tokens are bought and sold for dollars.
    pub(crate) exchange: Actor,
    /// Owns what a genesis allocates to accounts.
    pub(crate) holder: Actor,
    /// Those who check, validate, delegate and serve, one of each: paid where a profile pays.
    pub(crate) duties: Vec<Actor>,
}

impl Cast {
    pub(crate) fn new(seed: u64) -> Self {
        let actor = |name: &str| Actor::new(seed, name);
        let many = |name: &str, count: usize| {
            (0..count).map(|index| Actor::new(seed, &format!("{name} {index}"))).collect()
        };
        Self {
            grantor: actor("grantor"),
            posters: many("poster", POSTERS),
            reporter: actor("reporter"),
            buyers: many("buyer", BUYERS),
            exchange: actor("exchange"),
            holder: actor("holder"),
            duties: many("duty", 4),
        }
    }
}

/// The providers of a seed: all that there could be, of which some are active from the start.
pub(crate) fn providers(seed: u64, count: usize) -> Vec<Provider> {
    let mut chance = Chance::new(seed, "providers");
    let mut found = Vec::with_capacity(count);
    let mut through = 0.0;
    for (class, kind) in CLASSES.iter().enumerate() {
        through += kind.part;
        let mut place = 0;
        // At least one of each class, and together as many as there should be.
        let most = (count + class + 1).saturating_sub(CLASSES.len());
        let wanted = |found: usize| (found as f64) < through * count as f64 && found < most;
        while wanted(found.len()) || place == 0 {
            let actor = Actor::new(seed, &format!("provider {class} {place}"));
            let factor = 0.6 + 0.8 * chance.unit();
            let uptime = 0.9 + 0.1 * chance.unit();
            let mut provider = Provider::new(actor, class, factor, uptime);
            provider.witnesses = 1 + WITNESSES[found.len() % WITNESSES.len()];
            provider.active = place == 0 || chance.unit() < ACTIVE_FIRST;
            provider.turn = found.len();
            found.push(provider);
            place += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_providers() {
        for count in [4, 20, 60] {
            let all = providers(1, count);
            assert_eq!(all.len(), count);
            for class in 0..CLASSES.len() {
                let first = all.iter().find(|provider| provider.class == class);
                assert!(first.is_some_and(|provider| provider.active), "{class} of {count}");
            }
        }
    }
}
