//! What a network says about disputes: windows, bonds, deadlines, rewards and penalties.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::Tokens;
use serde::{Deserialize, Serialize};

use crate::economy::RuleError;
use crate::genesis::PERIOD_MS_MAX;
use crate::math::units::tokens;
use crate::math::{Period, Share};

/// The most checkers of one draw, whatever the rules say.
pub const CHECKERS_PER_DRAW_MAX: u32 = 16;
/// The most rounds of one bisection: an arity of 16 thrice over steps, operators and tiles.
pub const BISECTION_ROUNDS_MAX: u32 = 9;

/// The section `[disputes]` of a profile. By default nothing can be challenged: the window is
/// zero. What is objective can always be proven, but the default penalties are zero.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisputeRules {
    /// How long after its root was posted a receipt can be challenged. Zero: never.
    pub window: Period,
    /// The share of all receipts that the beacon draws for a check without a bond.
    pub audit: Share,
    /// What a referee's work costs. A challenger bonds twice as much.
    #[serde(with = "tokens")]
    pub referee_cost: Tokens,
    /// What a checker deposits to be drawn.
    #[serde(with = "tokens")]
    pub checker_bond: Tokens,
    /// How long a checker's bond stays after it left.
    pub checker_cooldown: Period,
    /// What a checker is paid for one verdict, from the treasury while it has any.
    #[serde(with = "tokens")]
    pub checker_reward: Tokens,
    /// Checkers of a first check.
    pub checkers: u32,
    /// Fresh checkers of an escalation.
    pub escalation: u32,
    /// How long drawn checkers have to commit.
    pub commit: Period,
    /// How long they have to reveal, after all committed.
    pub reveal: Period,
    /// How many blocks a side of a bisection has for one move.
    pub move_blocks: u64,
    /// Rounds of a bisection, at most [`BISECTION_ROUNDS_MAX`].
    pub rounds: u32,
    /// How many intervals one move names.
    pub arity: u32,
    /// Of a lost bond: what the winner gets. The rest is burned.
    pub bond_to_winner: Share,
    /// What offences cost.
    pub slash: SlashRules,
}

impl Default for DisputeRules {
    fn default() -> Self {
        Self {
            window: Period(0),
            audit: Share::ZERO,
            referee_cost: Tokens::ZERO,
            checker_bond: Tokens::ZERO,
            checker_cooldown: Period::DAY.times(14),
            checker_reward: Tokens::ZERO,
            checkers: 1,
            escalation: 3,
            commit: Period::MINUTE,
            reveal: Period::SECOND.times(30),
            move_blocks: 10,
            rounds: BISECTION_ROUNDS_MAX,
            arity: 16,
            bond_to_winner: Share::percent(50),
            slash: SlashRules::default(),
        }
    }
}

/// Offences as shares of what the offender has at risk, and where that goes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlashRules {
    /// Equivocation, forged signature, double bill, exact mismatch. The offender is ejected.
    pub objective: Share,
    /// A first statistical conviction.
    pub statistical: Share,
    /// A second one within `repeat`. The offender is ejected.
    pub statistical_again: Share,
    /// How long a statistical conviction is remembered.
    pub repeat: Period,
    /// A false class of hardware.
    pub hardware: Share,
    /// A checker that did not commit or not reveal, of its bond.
    pub checker_absent: Share,
    /// A checker that was shown to be lazy, of its bond.
    pub checker_lazy: Share,
    /// A checker that passed a poisoned job, of its bond.
    pub checker_poisoned: Share,
    /// Work taken and not delivered.
    pub undelivered: Share,
    /// Of what is slashed: what is burned.
    pub burn: Share,
    /// Of what is slashed: what the reporter gets. The affected get the rest.
    pub reporter: Share,
}

impl Default for SlashRules {
    fn default() -> Self {
        Self {
            objective: Share::ZERO,
            statistical: Share::ZERO,
            statistical_again: Share::ZERO,
            repeat: Period::DAY.times(30),
            hardware: Share::ZERO,
            checker_absent: Share::ZERO,
            checker_lazy: Share::ZERO,
            checker_poisoned: Share::ZERO,
            undelivered: Share::ZERO,
            burn: Share::percent(50),
            reporter: Share::percent(30),
        }
    }
}

impl DisputeRules {
    /// Checks counts, periods and shares.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        let counts = [
            ("disputes.checkers", self.checkers, 1, CHECKERS_PER_DRAW_MAX),
            ("disputes.escalation", self.escalation, 1, CHECKERS_PER_DRAW_MAX),
            ("disputes.rounds", self.rounds, 1, BISECTION_ROUNDS_MAX),
            ("disputes.arity", self.arity, 2, 64),
        ];
        for (path, count, least, most) in counts {
            let rule = format!("must be from {least} to {most}");
            RuleError::require((least..=most).contains(&count), path, &rule)?;
        }
        let moves = (1..=100_000).contains(&self.move_blocks);
        RuleError::require(moves, "disputes.move_blocks", "must be from 1 to 100000")?;
        let periods = [
            ("disputes.window", self.window),
            ("disputes.checker_cooldown", self.checker_cooldown),
            ("disputes.commit", self.commit),
            ("disputes.reveal", self.reveal),
            ("disputes.slash.repeat", self.slash.repeat),
        ];
        for (path, period) in periods {
            let fits = period.ms() <= PERIOD_MS_MAX;
            RuleError::require(fits, path, "must be at most ten years")?;
        }
        let bond = self.referee_cost.add(self.referee_cost).is_ok();
        RuleError::require(bond, "disputes.referee_cost", "must be less, to be doubled")?;
        self.slash.validate()
    }

    /// What a challenger deposits: twice the referee's cost.
    pub(crate) fn bond(&self) -> Tokens {
        Tokens(self.referee_cost.0.saturating_mul(2))
    }
}

impl SlashRules {
    fn validate(&self) -> Result<(), RuleError> {
        let parts = self.burn.billionths().saturating_add(self.reporter.billionths());
        let fits = parts <= Share::ALL.billionths();
        RuleError::require(fits, "disputes.slash", "burn and reporter together at most 100%")?;
        // Whoever reports itself must lose by it.
        let penal = self.burn >= Share::percent(50);
        RuleError::require(penal, "disputes.slash.burn", "must be at least 50%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reporting_oneself_never_profits() {
        assert_eq!(DisputeRules::default().validate(), Ok(()));
        let mut rules = DisputeRules::default();
        rules.slash.burn = Share::percent(49);
        assert_eq!(rules.validate().map_err(|e| e.path), Err("disputes.slash.burn".into()));
        rules.slash.burn = Share::percent(80);
        assert_eq!(rules.validate().map_err(|e| e.path), Err("disputes.slash".into()));
    }

    #[test]
    fn counts_have_bounds() {
        for (rules, path) in [
            (DisputeRules { checkers: 0, ..DisputeRules::default() }, "disputes.checkers"),
            (DisputeRules { rounds: 10, ..DisputeRules::default() }, "disputes.rounds"),
            (DisputeRules { arity: 1, ..DisputeRules::default() }, "disputes.arity"),
            (DisputeRules { move_blocks: 0, ..DisputeRules::default() }, "disputes.move_blocks"),
            (
                DisputeRules { window: Period(PERIOD_MS_MAX + 1), ..DisputeRules::default() },
                "disputes.window",
            ),
        ] {
            assert_eq!(rules.validate().map_err(|e| e.path), Err(path.into()));
        }
    }
}
