//! What a network says about held payouts, fees, leases and orders.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{Credits, Tokens};
use serde::{Deserialize, Serialize};

use crate::economy::RuleError;
use crate::genesis::PERIOD_MS_MAX;
use crate::math::units::{dollars, tokens};
use crate::math::{Period, Share};
use crate::money::Denomination;

/// The most leases that one escrow account may ever have had, whatever the rules say.
pub const LEASES_MAX: u32 = 64;
/// The most open bids on one escrow account, whatever the rules say.
pub const BIDS_MAX: u32 = 64;
/// The most parts of one order, whatever the rules say.
pub const ORDER_PARTS_MAX: u32 = 256;

/// The section `[escrow]` of a profile. The default holds nothing back and takes no fee.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct EscrowRules {
    /// How long what a channel pays is held: the dispute window of the receipts behind it.
    /// Zero pays at once.
    pub hold: Period,
    /// What is taken of every payment to a provider.
    pub fees: FeeRules,
    /// Leases that are paid by the tick.
    pub leases: LeaseRules,
    /// Orders that are paid by the confirmed part.
    pub orders: OrderRules,
}

/// Fees by denomination. They are taken when the provider is paid, never earlier: what is
/// refunded has paid no fee.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct FeeRules {
    /// Of payments in tokens.
    pub token: FeeRule,
    /// Of payments in credits.
    pub credit: FeeRule,
}

impl FeeRules {
    /// The rule for one denomination.
    #[must_use]
    pub const fn of(&self, denomination: Denomination) -> FeeRule {
        match denomination {
            Denomination::Token => self.token,
            Denomination::Credit => self.credit,
        }
    }
}

/// Shares of one payment. The provider gets the rest, and all dust.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct FeeRule {
    /// What ends: tokens are burned, credits retired.
    pub burn: Share,
    /// What goes to the public treasury.
    pub treasury: Share,
}

/// Leases: an escrow account pays its leases by the tick, and settles when it is touched.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseRules {
    /// The tick by which rates count. Zero: every block is one, as in Akash.
    pub tick: Period,
    /// How long what a lease pays is held.
    pub hold: Period,
    /// The least first deposit of an escrow account in tokens.
    #[serde(with = "tokens")]
    pub deployment_min: Tokens,
    /// The least first deposit of an escrow account in credits.
    #[serde(with = "dollars")]
    pub deployment_min_credits: Credits,
    /// The tokens that every bid deposits; they come back when the bid or its lease ends.
    #[serde(with = "tokens")]
    pub bid_deposit: Tokens,
    /// Leases that one escrow account may ever have had, at most [`LEASES_MAX`].
    pub leases_max: u32,
    /// Open bids on one escrow account, at most [`BIDS_MAX`].
    pub bids_max: u32,
    /// Escrow accounts of one owner that have not ended.
    pub open_max: u32,
}

impl Default for LeaseRules {
    fn default() -> Self {
        Self {
            tick: Period(0),
            hold: Period(0),
            deployment_min: Tokens::ZERO,
            deployment_min_credits: Credits::ZERO,
            bid_deposit: Tokens::ZERO,
            leases_max: 16,
            bids_max: 20,
            open_max: 1_024,
        }
    }
}

/// Orders: parts (frames, tiles, periods) that are paid when the buyer confirms them.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderRules {
    /// How long a buyer may look at a delivered part. Silence approves it.
    pub approval: Period,
    /// How long what an order pays is held after the approval.
    pub hold: Period,
    /// What the provider of an undelivered part pays the buyer beside the refund, as a share of
    /// the part's price. It deposits as much when it takes the part.
    pub penalty: Share,
    /// Whether an undelivered part is offered again; else it is refunded.
    pub reopen_undelivered: bool,
    /// How often one part may be rejected and done again; then a rejection refunds it.
    pub redo_max: u32,
    /// Rejections of one buyer within `rejection_period` before it is quarantined; zero means
    /// no bound.
    pub rejections_max: u32,
    /// The period over which rejections are counted.
    pub rejection_period: Period,
    /// How long a serial rejecter can neither reject nor open orders.
    pub quarantine: Period,
    /// Parts of one order, at most [`ORDER_PARTS_MAX`].
    pub parts_max: u32,
    /// Orders of one buyer that have not ended.
    pub open_max: u32,
}

impl Default for OrderRules {
    fn default() -> Self {
        Self {
            approval: Period::HOUR.times(72),
            hold: Period(0),
            penalty: Share::ZERO,
            reopen_undelivered: false,
            redo_max: 2,
            rejections_max: 0,
            rejection_period: Period::DAY.times(7),
            quarantine: Period::DAY.times(7),
            parts_max: ORDER_PARTS_MAX,
            open_max: 1_024,
        }
    }
}

impl EscrowRules {
    /// Checks that shares leave nothing below zero, and that counts and periods have bounds.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        self.fees.token.validate("escrow.fees.token")?;
        self.fees.credit.validate("escrow.fees.credit")?;
        let counts = [
            ("escrow.leases.leases_max", self.leases.leases_max, LEASES_MAX),
            ("escrow.leases.bids_max", self.leases.bids_max, BIDS_MAX),
            ("escrow.leases.open_max", self.leases.open_max, u32::MAX),
            ("escrow.orders.parts_max", self.orders.parts_max, ORDER_PARTS_MAX),
            ("escrow.orders.open_max", self.orders.open_max, u32::MAX),
        ];
        for (path, count, most) in counts {
            let rule = format!("must be from 1 to {most}");
            RuleError::require((1..=most).contains(&count), path, &rule)?;
        }
        let periods = [
            ("escrow.hold", self.hold),
            ("escrow.leases.tick", self.leases.tick),
            ("escrow.leases.hold", self.leases.hold),
            ("escrow.orders.approval", self.orders.approval),
            ("escrow.orders.hold", self.orders.hold),
            ("escrow.orders.rejection_period", self.orders.rejection_period),
            ("escrow.orders.quarantine", self.orders.quarantine),
        ];
        for (path, period) in periods {
            let fits = period.ms() <= PERIOD_MS_MAX;
            RuleError::require(fits, path, "must be at most ten years")?;
        }
        let redo = self.orders.redo_max <= 16;
        RuleError::require(redo, "escrow.orders.redo_max", "must be at most 16")
    }
}

impl FeeRule {
    fn validate(self, path: &str) -> Result<(), RuleError> {
        let whole = self.burn.billionths().saturating_add(self.treasury.billionths());
        let fits = whole <= Share::ALL.billionths();
        RuleError::require(fits, path, "burn and treasury together must be at most 100%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_leave_something_or_nothing_but_never_less() {
        assert_eq!(EscrowRules::default().validate(), Ok(()));
        let mut rules = EscrowRules::default();
        rules.fees.token = FeeRule { burn: Share::percent(95), treasury: Share::percent(5) };
        assert_eq!(rules.validate(), Ok(()));
        rules.fees.token.treasury = Share::percent(6);
        assert_eq!(rules.validate().map_err(|e| e.path), Err("escrow.fees.token".into()));
    }

    #[test]
    fn counts_and_periods_have_bounds() {
        let mut rules = EscrowRules::default();
        rules.leases.leases_max = 0;
        assert_eq!(rules.validate().map_err(|e| e.path), Err("escrow.leases.leases_max".into()));
        let mut rules = EscrowRules::default();
        rules.orders.parts_max = ORDER_PARTS_MAX + 1;
        assert_eq!(rules.validate().map_err(|e| e.path), Err("escrow.orders.parts_max".into()));
        let rules = EscrowRules { hold: Period(PERIOD_MS_MAX + 1), ..EscrowRules::default() };
        assert_eq!(rules.validate().map_err(|e| e.path), Err("escrow.hold".into()));
    }
}
