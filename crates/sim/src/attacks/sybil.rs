//! Somebody who poses as many.

use super::Scheme;
use crate::agents::Provider;
use crate::play::Actor;
use crate::world::{Strategy, World, WorldError};

/// How many it poses as.
const PARTS: usize = 4;
/// What running a machine costs, as a part of what it can be paid at most.
const COST: f64 = 0.35;

/// Which disguise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each of four machines has an account of its own.
    Accounts,
    /// One machine is shown as four small ones.
    Machine,
}

pub(super) const KINDS: [(&str, &str, Kind); 2] = [
    (
        "Sybil splitting, accounts",
        "Four machines, each under a key and an account of its own. Honest: the same four under \
         one key. What they are paid for standing ready; work goes by capacity, not by names.",
        Kind::Accounts,
    ),
    (
        "Sybil splitting, one machine as four",
        "One machine is shown as four with a quarter of its score each, as partitions of a GPU \
         would be, and every challenge is passed. Honest: the one machine.",
        Kind::Machine,
    ),
];

/// Machines under one name, or under many.
#[derive(Debug)]
pub(super) struct Splitting {
    actors: Vec<Actor>,
    kind: Kind,
    /// For how many days it is played.
    days: u32,
}

impl Splitting {
    pub(super) fn new(seed: u64, kind: Kind, attacks: bool, days: u32) -> Self {
        let count = if attacks { PARTS } else { 1 };
        let actor = |index| Actor::new(seed, &format!("splitting {index}"));
        Self { actors: (0..count).map(actor).collect(), kind, days }
    }

    /// One of its machines: four of consumers, or one of a data centre.
    fn machine(&self, world: &World, actor: Actor) -> Option<Provider> {
        let class = match self.kind {
            Kind::Accounts => 1,
            Kind::Machine => 3,
        };
        let like = world.providers.iter().find(|provider| provider.class == class)?;
        let mut machine = Provider::new(actor, class, 1.0, like.uptime);
        machine.witnesses = 4;
        if self.kind == Kind::Accounts {
            // What one account has is all four.
            let parts = PARTS as f64;
            machine.devices = PARTS;
            (machine.score, machine.rate) = (machine.score * parts, machine.rate * parts);
        }
        Some(machine)
    }
}

impl Strategy for Splitting {
    fn noon(&mut self, world: &mut World) {
        for actor in &self.actors {
            world.claim(actor);
            if world.settles() {
                world.settle_all(actor);
            }
        }
    }
}

impl Scheme for Splitting {
    fn begin(&mut self, world: &mut World) -> Result<f64, WorldError> {
        let count = self.actors.len();
        let mut whole = 0.0;
        for actor in self.actors.clone() {
            let Some(mut machine) = self.machine(world, actor) else { return Ok(0.0) };
            whole = machine.rate * COST;
            // Work is dealt out by the market's assumption, not by a rule: it is left out.
            machine.rate = 0.0;
            let parts = count as f64;
            machine.devices = (machine.devices / count).max(1);
            machine.score /= parts;
            world.enlist(machine);
            let index = world.providers.len() - 1;
            let needed = world.stake_to_buy(index);
            let bought = world.buy_from_all(&world.providers[index].actor.clone(), needed)?;
            if bought < needed * 0.999 {
                return Ok(0.0);
            }
            world.providers[index].dollars -= bought * world.price;
            world.providers[index].sold -= bought;
        }
        Ok(whole * f64::from(self.days))
    }

    fn wealth(&self, world: &World) -> f64 {
        world.worth(&self.actors)
    }
}
