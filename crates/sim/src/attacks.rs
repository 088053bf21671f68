//! What attackers gain. Each attack is played twice from the same moment of the same network:
//! once the attacker does as honest people do with the same means, once it attacks. What it
//! gains is the difference of its wealth at the end, in dollars at the model's price.

mod bribe;
mod chests;
mod oracle;
mod spiral;
mod sybil;
mod wash;

use serde::Serialize;

pub(crate) use spiral::{FALLS, PLEDGES, sweep};
pub use spiral::{Outcome, Sweep};

use crate::amounts::{from_credits, from_tokens, tokens};
use crate::play::Actor;
use crate::world::{Strategy, World, WorldError};

/// Up to this part of what it put in, an attacker gains little.
pub const LITTLE: f64 = 0.05;
/// The part of all circulating tokens that an attacker buys to begin with.
const BAG: f64 = 0.05;
/// The most of one owner's tokens that it buys.
const FROM_ONE: f64 = 0.25;
/// So many days before the end it stops, so that nothing is still on its way to it.
const RETURN_DAYS: u32 = 5;

/// When somebody washes early: while few tokens exist, and much is minted beside them.
const EARLY_DAYS: u32 = 14;

/// So many tokens must circulate before somebody attacks; it waits until this day at most.
const CIRCULATING_MIN: f64 = 1_000.0;
/// See [`CIRCULATING_MIN`].
const LATEST_DAY: u32 = 3 * 365;

/// What came of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It costs more than it brings.
    Loses,
    /// It brings nothing, or at most a twentieth of what was put in.
    GainsLittle,
    /// It pays.
    Profits,
    /// The profile has nothing that could be attacked so.
    NotPossible,
}

impl Verdict {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Loses => "loses",
            Self::GainsLittle => "gains at most 5 %",
            Self::Profits => "profits",
            Self::NotPossible => "not possible",
        }
    }
}

/// One attack and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attack {
    /// Its name.
    pub name: &'static str,
    /// What the attacker does.
    pub what: &'static str,
    /// What it put in, in dollars.
    pub put_in: f64,
    /// What it has at the end when it is honest, in dollars.
    pub honest: f64,
    /// What it has at the end when it attacks, in dollars.
    pub attacking: f64,
    /// The difference, as a part of what it put in.
    pub gain: f64,
    /// What that means.
    pub verdict: Verdict,
}

impl Attack {
    fn of(name: &'static str, what: &'static str, ends: Option<Ends>) -> Self {
        let Some(ends) = ends.filter(|ends| ends.put_in > 0.0) else {
            return Self {
                name,
                what,
                put_in: 0.0,
                honest: 0.0,
                attacking: 0.0,
                gain: 0.0,
                verdict: Verdict::NotPossible,
            };
        };
        let Ends { put_in, honest, attacking } = ends;
        let gain = (attacking - honest) / put_in;
        // A difference that only rounding explains is none.
        let verdict = match gain {
            gain if gain < -1e-6 => Verdict::Loses,
            gain if gain <= LITTLE => Verdict::GainsLittle,
            _ => Verdict::Profits,
        };
        Self { name, what, put_in, honest, attacking, gain, verdict }
    }
}

/// How a pair of runs ended, in dollars.
#[derive(Clone, Copy, Debug)]
struct Ends {
    put_in: f64,
    honest: f64,
    attacking: f64,
}

/// Somebody with means, honest or not.
trait Scheme: Strategy {
    /// Gets the means; what they cost, in dollars.
    fn begin(&mut self, world: &mut World) -> Result<f64, WorldError>;
    /// What it has, in dollars.
    fn wealth(&self, world: &World) -> f64;
}

/// How long attacks last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// For how long the network runs before, in days.
    pub(crate) before: u32,
    /// For how long the attacker acts, in days.
    pub(crate) during: u32,
}

/// Plays both sides from the same moment.
fn pair<S: Scheme>(
    world: &World,
    days: u32,
    scheme: impl Fn(bool, u32) -> S,
) -> Result<Option<Ends>, WorldError> {
    let end = world.day + days;
    let mut ends = Ends { put_in: 0.0, honest: 0.0, attacking: 0.0 };
    let mut price = 0.0;
    for attacks in [false, true] {
        let mut world = world.clone();
        let mut scheme = scheme(attacks, end.saturating_sub(returning(&world)));
        ends.put_in = scheme.begin(&mut world)?;
        if ends.put_in <= 0.0 {
            return Ok(None);
        }
        world.until(end, &mut scheme)?;
        if attacks {
            // At one price: what an attacker does to the price is no gain by itself.
            world.price = price;
        }
        price = world.price;
        let wealth = scheme.wealth(&world);
        if attacks {
            ends.attacking = wealth;
        } else {
            ends.honest = wealth;
        }
    }
    Ok(Some(ends))
}

/// How long before the end an attacker stops.
fn returning(world: &World) -> u32 {
    RETURN_DAYS + world.hold_days()
}

/// Every attack on a network that has run for a while.
///
/// # Errors
/// When a network cannot be played.
pub(crate) fn all(
    fresh: &World,
    seed: u64,
    span: Span,
    told: &mut dyn FnMut(&'static str),
) -> Result<Vec<Attack>, WorldError> {
    let mut world = fresh.clone();
    world.until(span.before, &mut crate::world::Nobody)?;
    // Where all tokens are locked at first, there is nothing to attack with before.
    while world.circulating() < CIRCULATING_MIN && world.day < LATEST_DAY {
        world.until(world.day + 30, &mut crate::world::Nobody)?;
    }
    world.until(world.day + 30, &mut crate::world::Nobody)?;
    let days = span.during + world.hold_days();
    let mut attacks = Vec::new();
    told("wash trading");
    let washing = |world: &World, count| {
        pair(world, days, |attacks, until| wash::Washing::new(seed, count, attacks, until))
    };
    let mut early = fresh.clone();
    early.until(span.before.min(EARLY_DAYS), &mut crate::world::Nobody)?;
    attacks.push(Attack::of("wash trading, first weeks", wash::ALONE, washing(&early, 1)?));
    attacks.push(Attack::of("wash trading", wash::ALONE, washing(&world, 1)?));
    told("collusion");
    attacks.push(Attack::of("collusion", wash::RING, washing(&world, 4)?));
    told("Sybil splitting");
    for (name, what, kind) in sybil::KINDS {
        let ends =
            pair(&world, days, |attacks, _| sybil::Splitting::new(seed, kind, attacks, days))?;
        attacks.push(Attack::of(name, what, ends));
    }
    told("oracle manipulation");
    for (name, what, count) in oracle::KINDS {
        let posters = |attacks, until| oracle::Lying::new(seed, count, attacks, until);
        attacks.push(Attack::of(name, what, pair(&world, days, posters)?));
    }
    told("bribed delegation");
    let bribing = |attacks, _| bribe::Bribing::new(seed, attacks);
    let ends = if bribe::possible(&world.economy) { pair(&world, days, bribing)? } else { None };
    attacks.push(Attack::of("bribed delegation", bribe::WHAT, ends));
    told("chest farming");
    let farming = |attacks, _| chests::Farming::new(seed, attacks);
    let ends = match chests::days(&fresh.economy) {
        Some(days) => {
            let mut world = fresh.clone();
            world.until(chests::FIRST_DAY, &mut crate::world::Nobody)?;
            pair(&world, days, farming)?
        }
        None => None,
    };
    attacks.push(Attack::of("chest farming", chests::WHAT, ends));
    Ok(attacks)
}

impl World {
    /// Buys somebody a bag of tokens at the model's price; what it cost, in dollars.
    fn buy_bag(&mut self, to: &Actor) -> Result<f64, WorldError> {
        let bought = self.buy_from_all(to, self.circulating() * BAG)?;
        Ok(bought * self.price)
    }

    /// Buys tokens of everybody, some of each; how many it got.
    fn buy_from_all(&mut self, to: &Actor, amount: f64) -> Result<f64, WorldError> {
        let mut lacking = amount;
        for index in 0..self.providers.len() {
            let actor = self.providers[index].actor.clone();
            let part = (self.tokens_of(&actor) * FROM_ONE).min(lacking);
            if part > 0.0 && !self.providers[index].hostile {
                let amount = tokens(part);
                self.transfer(&actor, to, amount);
                let part = from_tokens(amount);
                self.providers[index].dollars += part * self.price;
                self.providers[index].sold += part;
                lacking -= part;
            }
        }
        let cast = &self.cast;
        let others: Vec<Actor> =
            cast.duties.iter().chain([&cast.holder, &cast.exchange]).cloned().collect();
        for actor in others {
            let part = (self.tokens_of(&actor) * FROM_ONE).min(lacking);
            if part > 0.0 {
                self.transfer(&actor, to, tokens(part));
                lacking -= part;
            }
        }
        self.play.block(self.play.now + 1)?;
        Ok(amount - lacking)
    }

    /// What some accounts have together, in dollars at the model's price.
    fn worth(&self, actors: &[Actor]) -> f64 {
        let held = |actor: &Actor| from_tokens(self.play.account(actor.account).tokens);
        let tokens: f64 = actors.iter().map(held).sum();
        tokens * self.price + self.claims(actors)
    }

    /// What some accounts have beside tokens, or are owed, in dollars.
    fn claims(&self, actors: &[Actor]) -> f64 {
        let of = |actor: &Actor| {
            let account = self.play.account(actor.account);
            let tokens = from_tokens(self.play.rewards(actor.account))
                + self.granted(actor)
                + self.play.staked(actor.account);
            let earned = if self.settles() { from_credits(account.earned) } else { 0.0 };
            let own = self.providers.iter().filter(|p| p.actor.account == actor.account);
            let receivable: f64 =
                own.map(|p| if self.settles() { p.owed + p.dollars } else { p.dollars }).sum();
            tokens * self.price + from_credits(account.credits) + earned + receivable
        };
        actors.iter().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_gain() {
        let verdict = |attacking| {
            let ends = Ends { put_in: 100.0, honest: 100.0, attacking };
            Attack::of("a", "b", Some(ends)).verdict
        };
        assert_eq!(verdict(99.0), Verdict::Loses);
        assert_eq!(verdict(100.0), Verdict::GainsLittle);
        assert_eq!(verdict(105.0), Verdict::GainsLittle);
        assert_eq!(verdict(105.1), Verdict::Profits);
        assert_eq!(Attack::of("a", "b", None).verdict, Verdict::NotPossible);
    }
}
