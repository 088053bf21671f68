//! Somebody who buys the stake of others with a share of its rewards.

use remuda_ledger::math::Share;
use remuda_ledger::stake::{Role, Sharing, StakeAction, Subject};
use remuda_ledger::{Action, Economy};

use super::Scheme;
use crate::agents::Provider;
use crate::amounts::{from_tokens, tokens};
use crate::play::Actor;
use crate::world::{Strategy, World, WorldError};

pub(super) const WHAT: &str = "A provider with the least stake that lets it work offers half of \
    its rewards to whoever stakes on it; somebody with what full efficiency asks for does. \
    Honest: the same provider offers nothing, and nobody stakes on it.";

/// Whether a profile has bribes, and anything that stake of others improves.
pub(super) fn possible(economy: &Economy) -> bool {
    let stake = &economy.stake;
    stake.provider.open
        && stake.delegation
        && stake.provider.sharing == Sharing::Bribe
        && stake.ramp.full > remuda_types::Tokens(0)
}

/// A provider, and somebody with tokens.
#[derive(Debug)]
pub(super) struct Bribing {
    node: Actor,
    staker: Actor,
    attacks: bool,
    steps: u32,
}

impl Bribing {
    pub(super) fn new(seed: u64, attacks: bool) -> Self {
        let actor = |name: &str| Actor::new(seed, &format!("bribing {name}"));
        Self { node: actor("node"), staker: actor("staker"), attacks, steps: 0 }
    }

    fn subject(&self) -> Subject {
        Subject { role: Role::Provider, operator: self.node.key.public() }
    }
}

impl Strategy for Bribing {
    fn noon(&mut self, world: &mut World) {
        self.steps += 1;
        let subject = self.subject();
        if self.attacks && self.steps == 2 {
            let bribe = StakeAction::SetBribe { subject, share: Share::percent(50) };
            world.play.act(&self.node.key, Action::Stake(Box::new(bribe)));
        }
        if self.attacks && self.steps == 4 {
            let amount = world.play.account(self.staker.account).tokens;
            let delegate = StakeAction::Delegate { subject, amount };
            world.play.act(&self.staker.key, Action::Stake(Box::new(delegate)));
        }
        world.claim(&self.node);
    }
}

impl Scheme for Bribing {
    fn begin(&mut self, world: &mut World) -> Result<f64, WorldError> {
        let like = world.providers.iter().find(|provider| provider.class == 1);
        let Some(uptime) = like.map(|provider| provider.uptime) else { return Ok(0.0) };
        world.enlist(Provider::new(self.node.clone(), 1, 1.0, uptime));
        let index = world.providers.len() - 1;
        let (needed, full) = (world.stake_to_buy(index), world.economy.stake.ramp.full);
        let bought = world.buy_from_all(&self.node, needed)?;
        let lent = world.buy_from_all(&self.staker, from_tokens(full))?;
        if bought < needed * 0.999 || tokens(lent * 1.001) < full {
            return Ok(0.0);
        }
        world.providers[index].dollars -= bought * world.price;
        world.providers[index].sold -= bought;
        Ok(bought * world.price)
    }

    fn wealth(&self, world: &World) -> f64 {
        world.worth(std::slice::from_ref(&self.node))
    }
}
