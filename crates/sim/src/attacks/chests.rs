//! Somebody who makes many accounts for the chests that teams and invitations bring.

use remuda_ledger::Economy;
use remuda_ledger::credits::CreditsAction;
use remuda_ledger::math::Period;
use remuda_ledger::points::{PointsAction, PointsAnswer, PointsQuery};
use remuda_ledger::{Action, Answer, Query};
use remuda_types::{Credits, Tokens};

use super::Scheme;
use crate::amounts::{from_tokens, tokens};
use crate::play::Actor;
use crate::world::{Strategy, World, WorldError};

pub(super) const WHAT: &str = "Forty accounts in one team, all invited by the first, pay \
    themselves just enough to qualify, open every chest that this brings, and wait for the \
    conversion of points. Honest: keeps the dollars.";
/// When it begins: before points end, and when there are tokens to buy.
pub(super) const FIRST_DAY: u32 = 14;
/// How many accounts it makes.
const ACCOUNTS: usize = 40;
/// What one account spends, in dollars.
const SPENT: f64 = 12.0;

/// For how long it is played: until points are tokens. None where there are no chests.
pub(super) fn days(economy: &Economy) -> Option<u32> {
    let points = &economy.points;
    if !points.on || points.chests.prizes.is_empty() {
        return None;
    }
    let after = points.conversion.after.ms() / Period::DAY.ms();
    u32::try_from(after).ok().map(|after| after.saturating_sub(FIRST_DAY).max(1) + 10)
}

/// Accounts, each a buyer and a provider of its own.
#[derive(Debug)]
pub(super) struct Farming {
    payers: Vec<Actor>,
    nodes: Vec<Actor>,
    attacks: bool,
    steps: u32,
    /// What it did not spend.
    dollars: f64,
}

impl Farming {
    pub(super) fn new(seed: u64, attacks: bool) -> Self {
        let count = if attacks { ACCOUNTS } else { 1 };
        let many = |name: &str| {
            let actor = |index| Actor::new(seed, &format!("farming {name} {index}"));
            (0..count).map(actor).collect()
        };
        Self { payers: many("payer"), nodes: many("node"), attacks, steps: 0, dollars: 0.0 }
    }

    /// Each account pays itself once.
    fn pay(&self, world: &mut World) {
        for (payer, node) in self.payers.iter().zip(&self.nodes) {
            let has = world.play.account(payer.account).tokens;
            let Some(bought) = world.play.bought_for(has) else { continue };
            let buy = CreditsAction::BuyCredits { tokens: has, credits_min: Credits(0) };
            world.play.act(&payer.key, Action::Credits(buy));
            world.pay_through_channel(&payer.key, &node.key.clone(), bought);
        }
    }

    /// The first forms a team, the others say that it invited them and enter.
    fn gather_team(&self, world: &mut World) {
        for (index, node) in self.nodes.iter().enumerate() {
            let act = |world: &mut World, action| {
                world.play.act(&node.key, Action::Points(action));
            };
            if index == 0 {
                act(world, PointsAction::CreateTeam { name: "farm".into() });
            } else {
                act(world, PointsAction::NameInviter { inviter: self.nodes[0].account });
                if let Some(team) = self.team(world) {
                    act(world, PointsAction::JoinTeam { team });
                }
            }
        }
    }

    /// The number that the team will have.
    fn team(&self, world: &World) -> Option<u64> {
        let query = Query::Points(PointsQuery::Teams);
        match world.play.ledger.query(&query) {
            Answer::Points(PointsAnswer::Teams(teams)) => Some(teams.len() as u64 + 1),
            _ => None,
        }
    }

    fn everybody(&self) -> Vec<Actor> {
        self.payers.iter().chain(&self.nodes).cloned().collect()
    }
}

impl Strategy for Farming {
    fn noon(&mut self, world: &mut World) {
        self.steps += 1;
        match self.steps {
            1 if self.attacks => self.gather_team(world),
            2 if self.attacks => self.pay(world),
            _ => {
                for node in &self.nodes {
                    world.claim(node);
                    world.take_points(node);
                    if world.settles() {
                        world.settle_all(node);
                    }
                }
            }
        }
    }
}

impl Scheme for Farming {
    fn begin(&mut self, world: &mut World) -> Result<f64, WorldError> {
        let source = world.cast.exchange.clone();
        self.dollars = if self.attacks { 0.0 } else { SPENT * ACCOUNTS as f64 };
        let whole = SPENT * ACCOUNTS as f64;
        if world.tokens_of(&source) * world.price < whole {
            return Ok(0.0);
        }
        let part = whole / self.payers.len() as f64 / world.price;
        if !self.attacks {
            return Ok(whole);
        }
        for payer in self.payers.clone() {
            world.transfer(&source, &payer, tokens(part));
        }
        for node in self.nodes.clone() {
            world.welcome(&node);
        }
        world.play.block(world.play.now + 1)?;
        Ok(whole)
    }

    fn wealth(&self, world: &World) -> f64 {
        let converted: f64 = self
            .everybody()
            .iter()
            .map(|actor| {
                let query = Query::Points(PointsQuery::Account(actor.account));
                match world.play.ledger.query(&query) {
                    Answer::Points(PointsAnswer::Account(Some(account))) => {
                        from_tokens(Tokens(account.converted.0 - account.released.0))
                    }
                    _ => 0.0,
                }
            })
            .sum();
        self.dollars + world.worth(&self.everybody()) + converted * world.price
    }
}
