//! The rules of one network's economy, as a profile states them. They are part of the state
//! (and of its root); after genesis only governance changes them.

mod supply;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::Tokens;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::accounts::{AccountRules, Allocation};

/// The longest name of a profile or a token, in bytes.
pub const RULE_NAME_BYTES_MAX: usize = 64;

/// The longest description of a profile, in bytes.
pub const ABOUT_BYTES_MAX: usize = 4_096;

/// Every rule of an economy, one section a room. The default is an economy without fees,
/// emission or stake, in which credits are granted.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct Economy {
    /// The profile's name; empty for the default.
    pub profile: String,
    /// What the profile is, for people.
    pub about: String,
    /// Whether block time moves only when somebody moves it: for tests and demonstrations.
    /// Part of the genesis, so that such a network can never pass for a real one.
    pub virtual_clock: bool,
    /// The token and its cap.
    pub token: TokenRules,
    /// Fees, accounts of several keys, and vesting.
    pub accounts: AccountRules,
    /// Credits and the oracle.
    pub credits: crate::credits::Rules,
    /// Held payouts, fees, leases and orders.
    pub escrow: crate::escrow::EscrowRules,
    /// Devices, certificates and node licences.
    pub devices: crate::devices::Rules,
    /// Who may bond what, and what it is lost by.
    pub stake: crate::stake::Rules,
    /// What each epoch mints, and for whom.
    pub epochs: crate::epochs::Rules,
    /// Points, teams, chests and certificates.
    pub points: crate::points::Rules,
    /// Governance, treasury and buy-back.
    pub governance: crate::governance::Rules,
    /// Disputes, checkers and penalties.
    pub disputes: crate::disputes::DisputeRules,
}

/// The token.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRules {
    /// What people call it.
    pub symbol: String,
    /// The most that may ever exist at one time; none means no bound.
    #[serde(with = "optional_tokens")]
    pub cap: Option<Tokens>,
    /// The whole that the allocations share; stated when there are any, at most the cap.
    #[serde(with = "optional_tokens")]
    pub total: Option<Tokens>,
    /// To whom the whole belongs; the parts come to exactly 100 % of `total`. None: nothing is
    /// allocated, and what is minted follows from the rules alone.
    pub allocations: Vec<Allocation>,
}

impl Default for TokenRules {
    fn default() -> Self {
        Self { symbol: "RMD".into(), cap: None, total: None, allocations: Vec::new() }
    }
}

/// An optional amount: `"none"` or whole tokens.
pub(crate) mod optional_tokens {
    use remuda_types::Tokens;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::math::units::tokens;

    pub(crate) fn serialize<S: Serializer>(cap: &Option<Tokens>, to: S) -> Result<S::Ok, S::Error> {
        match cap {
            Some(cap) => tokens::serialize(cap, to),
            None => to.serialize_str("none"),
        }
    }

    pub(crate) fn deserialize<'de, D>(from: D) -> Result<Option<Tokens>, D::Error>
    where
        D: Deserializer<'de>,
    {
        match String::deserialize(from)?.as_str() {
            "none" => Ok(None),
            text => tokens::parse(text).map(Some).map_err(de::Error::custom),
        }
    }
}

/// A rule that cannot stand.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {rule}")]
pub struct RuleError {
    /// Where it stands: section and field, as in `stake.cooldown`.
    pub path: String,
    /// What would be accepted.
    pub rule: String,
}

impl RuleError {
    /// A rule at `path` that must read otherwise.
    pub fn new(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { path: path.into(), rule: rule.into() }
    }

    /// Requires that a rule holds.
    ///
    /// # Errors
    /// The rule's path and text when it does not.
    pub fn require(holds: bool, path: &str, rule: &str) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(path, rule)) }
    }
}

impl Economy {
    /// Checks each section, and what must hold between them.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        let fits = |text: &str| text.len() <= RULE_NAME_BYTES_MAX;
        RuleError::require(fits(&self.profile), "profile", "must have at most 64 bytes")?;
        let about = self.about.len() <= ABOUT_BYTES_MAX;
        RuleError::require(about, "about", "must have at most 4096 bytes")?;
        let symbol = !self.token.symbol.is_empty() && fits(&self.token.symbol);
        RuleError::require(symbol, "token.symbol", "must have 1 to 64 bytes")?;
        self.token.validate_allocations()?;
        self.accounts.validate()?;
        self.credits.validate()?;
        self.escrow.validate()?;
        self.devices.validate()?;
        self.stake.validate()?;
        self.validate_conversion()?;
        self.epochs.validate(&self.credits, self.room_for_emission())?;
        self.points.validate()?;
        self.governance.validate()?;
        self.governance.validate_with(&self.stake)?;
        self.disputes.validate()?;
        let held = self.escrow.hold >= self.disputes.window;
        let rule = "must be at least disputes.window, or there is nothing left to take back";
        RuleError::require(held, "escrow.hold", rule)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_stands_and_a_wrong_name_does_not() {
        assert_eq!(Economy::default().validate(), Ok(()));
        let long = Economy { profile: "x".repeat(65), ..Economy::default() };
        assert_eq!(long.validate().map_err(|error| error.path), Err("profile".into()));
        let mut promised = Economy::default();
        promised.token.cap = Some(Tokens(9));
        promised.points.conversion.pool = Tokens(10);
        let path = promised.validate().map_err(|error| error.path);
        assert_eq!(path, Err("points.conversion.pool".into()));
    }
}
