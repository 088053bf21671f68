//! Somebody who buys work from itself: alone, or in a ring.

use remuda_ledger::Action;
use remuda_ledger::credits::CreditsAction;
use remuda_types::{Credits, Tokens};

use super::Scheme;
use crate::amounts::from_tokens;
use crate::play::Actor;
use crate::world::{Strategy, World, WorldError};

pub(super) const ALONE: &str = "Pays its own provider with all it has, settles what that earns, \
    takes its rewards, and begins anew as soon as it has tokens. All that it spends and gets is \
    counted at the price of the day, so that a rising or falling price is no gain. Honest: \
    spends nothing.";
pub(super) const RING: &str = "The same with four buyers and four providers: each buyer pays \
    the provider of the next, so that nobody pays itself.";

/// The part of its tokens that it keeps for fees: one of so many.
const FOR_FEES: u128 = 1_000;

/// Buyers who pay providers that are theirs.
#[derive(Debug)]
pub(super) struct Washing {
    payers: Vec<Actor>,
    nodes: Vec<Actor>,
    attacks: bool,
    /// The last day on which it pays.
    until: u32,
    /// What its tokens were worth when it got them first, in dollars.
    bag: f64,
    /// What it spent, and got for that, each at the price of the day, in dollars.
    spent: f64,
    got: f64,
    /// The price when it last asked for what it is owed.
    asked_at: f64,
}

impl Washing {
    pub(super) fn new(seed: u64, count: usize, attacks: bool, until: u32) -> Self {
        let many = |name: &str| {
            let actor = |index| Actor::new(seed, &format!("washing {name} {index}"));
            (0..count).map(actor).collect()
        };
        let (bag, spent, got, asked_at) = (0.0, 0.0, 0.0, 0.0);
        let (payers, nodes) = (many("payer"), many("node"));
        Self { payers, nodes, attacks, until, bag, spent, got, asked_at }
    }

    /// Takes all that came back, and sends it to where it is spent.
    pub(super) fn gather(&mut self, world: &mut World) {
        for (payer, node) in self.payers.iter().zip(&self.nodes) {
            let has = without_fees(world.play.account(node.account).tokens);
            self.got += from_tokens(has) * self.asked_at;
            world.transfer(node, payer, has);
            world.claim(node);
            if world.settles() {
                world.settle_all(node);
            }
        }
        self.asked_at = world.price;
    }

    /// Spends all on its own providers.
    pub(super) fn spend(&mut self, world: &mut World) {
        let count = self.payers.len();
        for (index, payer) in self.payers.iter().enumerate() {
            let account = world.play.account(payer.account);
            let mut credits = account.credits;
            let tokens = without_fees(account.tokens);
            if tokens > Tokens(0)
                && let Some(bought) = world.play.bought_for(tokens)
            {
                let buy = CreditsAction::BuyCredits { tokens, credits_min: Credits(0) };
                world.play.act(&payer.key, Action::Credits(buy));
                self.spent += from_tokens(tokens) * world.price;
                credits = Credits(credits.0.saturating_add(bought.0));
            }
            if credits > Credits(0) {
                let node = self.nodes[(index + 1) % count].key.clone();
                world.pay_through_channel(&payer.key, &node, credits);
            }
        }
    }

    /// Whether it still pays today.
    pub(super) fn is_on(&self, world: &World) -> bool {
        self.attacks && world.day <= self.until
    }

    /// Gets its tokens, in equal parts.
    pub(super) fn fund(&mut self, world: &mut World) -> Result<f64, WorldError> {
        if !world.is_market() {
            return Ok(0.0);
        }
        let first = self.payers[0].clone();
        let cost = world.buy_bag(&first)?;
        let part = world.play.account(first.account).tokens.0 / self.payers.len() as u128;
        for node in &self.nodes {
            world.welcome(node);
        }
        for payer in self.payers.iter().skip(1) {
            world.transfer(&first, payer, Tokens(part));
        }
        world.play.block(world.play.now + 1)?;
        (self.bag, self.asked_at) = (cost, world.price);
        Ok(cost)
    }

    /// What it began with, what it got, less what it spent, and what is on its way to it.
    pub(super) fn has(&self, world: &World) -> f64 {
        let waiting: f64 = self
            .nodes
            .iter()
            .map(|node| from_tokens(world.play.account(node.account).tokens) * self.asked_at)
            .sum();
        let (nodes, payers) = (world.claims(&self.nodes), world.claims(&self.payers));
        self.bag + self.got - self.spent + waiting + nodes + payers
    }
}

/// Tokens without what stays for what the transactions cost.
const fn without_fees(tokens: Tokens) -> Tokens {
    Tokens(tokens.0 - tokens.0.div_ceil(FOR_FEES))
}

impl Strategy for Washing {
    fn noon(&mut self, world: &mut World) {
        if self.attacks {
            self.gather(world);
        }
        if self.is_on(world) {
            self.spend(world);
        }
    }
}

impl Scheme for Washing {
    fn begin(&mut self, world: &mut World) -> Result<f64, WorldError> {
        self.fund(world)
    }

    fn wealth(&self, world: &World) -> f64 {
        self.has(world)
    }
}
