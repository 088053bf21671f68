//! Somebody whose word is part of the price.

use super::Scheme;
use super::wash::Washing;
use crate::world::{Strategy, World, WorldError};

/// By which factor the price is stated too high, or too low.
const LIE: f64 = 2.0;

/// One of five, and most of them.
pub(super) const KINDS: [(&str, &str, usize); 2] = [
    (
        "oracle manipulation, 1 of 5",
        "One poster of five is the attacker's: it doubles the price on days on which the \
         attacker pays itself, and halves it on days on which it settles. Counted as wash \
         trading is.",
        1,
    ),
    (
        "oracle manipulation, 3 of 5",
        "The same with three posters of five, which no median withstands.",
        3,
    ),
];

/// Buys at a price that it made, and settles at another.
#[derive(Debug)]
pub(super) struct Lying {
    washing: Washing,
    posters: usize,
    attacks: bool,
}

impl Lying {
    pub(super) fn new(seed: u64, posters: usize, attacks: bool, until: u32) -> Self {
        Self { washing: Washing::new(seed, 1, attacks, until), posters, attacks }
    }
}

impl Strategy for Lying {
    fn noon(&mut self, world: &mut World) {
        if !self.attacks {
            return;
        }
        let buys = (world.day / world.days).is_multiple_of(2);
        if buys && self.washing.is_on(world) {
            self.washing.spend(world);
        } else {
            self.washing.gather(world);
        }
        // What its posters say tomorrow.
        let bias = match (self.washing.is_on(world), buys) {
            (false, _) => 1.0,
            (true, true) => 1.0 / LIE,
            (true, false) => LIE,
        };
        for poster in world.bias.iter_mut().take(self.posters) {
            *poster = bias;
        }
    }
}

impl Scheme for Lying {
    fn begin(&mut self, world: &mut World) -> Result<f64, WorldError> {
        self.washing.fund(world)
    }

    fn wealth(&self, world: &World) -> f64 {
        self.washing.has(world)
    }
}
