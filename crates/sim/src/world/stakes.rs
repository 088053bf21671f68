//! Stake that providers need, where a profile asks for any: who has too little buys it for
//! dollars, and who leaves takes it back.

use remuda_ledger::Action;
use remuda_ledger::math::Share;
use remuda_ledger::stake::{Load, Role, StakeAction, Subject};
use remuda_types::Tokens;

use super::World;
use crate::amounts::{fixed, from_tokens, tokens};
use crate::play::Actor;

/// How much more than it needs a provider bonds, because formulas move.
const MARGIN: f64 = 1.25;

impl World {
    /// Whether providers stake at all.
    fn stakes(&self) -> bool {
        let rules = &self.economy.stake;
        let none = rules.provider.minimum == Tokens(0)
            && rules.provider.required == remuda_ledger::stake::RequiredRules::default()
            && rules.ramp.full == Tokens(0);
        rules.provider.open && !none
    }

    /// Providers whose turn it is take what their stake earned, and add what it lacks.
    pub(super) fn stake(&mut self) {
        if !self.stakes() {
            return;
        }
        for index in 0..self.providers.len() {
            let provider = &self.providers[index];
            // A newcomer does so at once.
            let fresh = self.day.saturating_sub(provider.since) <= self.days;
            if provider.active && (fresh || self.is_turn(provider.turn)) {
                self.stake_of(index);
            }
        }
    }

    fn stake_of(&mut self, index: usize) {
        let actor = self.providers[index].actor.clone();
        let subject = Subject { role: Role::Provider, operator: actor.key.public() };
        let act = |world: &mut Self, action| {
            world.play.act(&actor.key, Action::Stake(Box::new(action)));
        };
        match self.play.pool(subject) {
            None => {
                let (role, owner) = (Role::Provider, actor.account);
                let enroll = StakeAction::Enroll { role, owner, commission: Share::ZERO };
                act(self, enroll);
            }
            Some(view) if view.pool.owed > Tokens(0) => {
                act(self, StakeAction::Claim { subject });
            }
            Some(_) => {}
        }
        let has = self.play.pool(subject).map_or(0.0, |view| from_tokens(view.stake));
        let needed = self.needed(index);
        if has >= needed {
            return;
        }
        let lacking = needed * MARGIN - has;
        let own = self.tokens_of(&actor);
        if own < lacking {
            self.buy_stake(index, &actor, lacking - own);
        }
        // What it could not buy it lacks until its next turn.
        let able = own + self.providers[index].bought;
        self.providers[index].bought = 0.0;
        let amount = tokens(lacking.min(able));
        if amount > Tokens(0) && able >= lacking {
            act(self, StakeAction::Bond { subject, amount });
        }
    }

    /// How many tokens somebody new must bring to stake.
    pub(crate) fn stake_to_buy(&self, index: usize) -> f64 {
        // As much again, for what others add until it is bonded.
        if self.stakes() { self.needed(index) * MARGIN * 1.05 } else { 0.0 }
    }

    /// What the rules ask of a provider, in tokens.
    fn needed(&self, index: usize) -> f64 {
        let provider = &self.providers[index];
        let rules = &self.economy.stake;
        let weight = fixed(super::work::measured(&self.economy, provider));
        let load = Load { count: provider.devices as u64, weight };
        let required = self.play.required(load).map_or(0.0, from_tokens);
        required.max(from_tokens(rules.provider.minimum)).max(from_tokens(rules.ramp.floor))
    }

    fn buy_stake(&mut self, index: usize, actor: &Actor, lacking: f64) {
        let exchange = self.cast.exchange.clone();
        // Others buy in the same block.
        let stock = self.tokens_of(&exchange) * 0.5;
        if stock < lacking {
            return;
        }
        let bought = tokens(lacking);
        self.transfer(&exchange, actor, bought);
        let bought = from_tokens(bought);
        let provider = &mut self.providers[index];
        provider.bought = bought;
        provider.sold -= bought;
        provider.dollars -= bought * self.price;
    }

    /// Who leaves takes its stake back.
    pub(super) fn unstake(&mut self, actor: &Actor) {
        let subject = Subject { role: Role::Provider, operator: actor.key.public() };
        if self.stakes() && self.play.pool(subject).is_some_and(|view| view.stake > Tokens(0)) {
            let unbond = StakeAction::Unbond { subject, amount: None };
            self.play.act(&actor.key, Action::Stake(Box::new(unbond)));
        }
    }
}
