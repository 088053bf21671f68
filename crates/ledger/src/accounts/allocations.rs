//! `[[token.allocations]]`: to whom the whole supply belongs, and when it comes to them.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::Tokens;
use serde::{Deserialize, Serialize};

use super::vesting::VestingTerms;
use crate::economy::{RULE_NAME_BYTES_MAX, RuleError, TokenRules};
use crate::math::Share;

/// The most allocations of one token.
pub const ALLOCATIONS_MAX: usize = 64;

/// A named part of the whole supply: a share of `token.total`, or an amount.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// Its name, once in the list. A genesis binds an allocation to an account by it.
    pub name: String,
    /// How much of `token.total`; this or `amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// How many tokens; this or `share`.
    #[serde(
        default,
        with = "crate::economy::optional_tokens",
        skip_serializing_if = "Option::is_none"
    )]
    pub amount: Option<Tokens>,
    /// What becomes of it.
    pub to: Recipient,
    /// How it comes free; at once by default.
    #[serde(default)]
    pub vesting: VestingTerms,
    /// The most accounts among which it may be shared (`to = "conversion"` only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants_max: Option<u32>,
}

/// What becomes of an allocation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum Recipient {
    /// Minted at genesis into a grant of the account that the genesis binds to its name. When
    /// it binds none, the grant is the public treasury's: the supply of a profile does not
    /// depend on who is bound.
    Account,
    /// Minted at genesis into a grant of the public treasury.
    Treasury,
    /// Minted by the epochs, as their schedule says; nothing at genesis.
    Emission,
    /// Minted account by account when points are converted; nothing at genesis.
    Conversion,
    /// Of unknown use: never minted.
    Other,
}

impl Recipient {
    /// Whether it is minted at genesis.
    #[must_use]
    pub const fn at_genesis(self) -> bool {
        matches!(self, Self::Account | Self::Treasury)
    }
}

impl TokenRules {
    /// How many tokens each allocation has, in their order. Shares are rounded down; what that
    /// leaves over goes to the first allocation that is stated as a share.
    ///
    /// # Errors
    /// When the parts do not come to exactly `token.total`.
    pub fn amounts(&self) -> Result<Vec<Tokens>, RuleError> {
        let Some(total) = self.total else {
            let none = self.allocations.is_empty();
            RuleError::require(none, "token.total", "must be stated when there are allocations")?;
            return Ok(Vec::new());
        };
        if self.sum_of_billionths(total)? != widened(total, Share::ALL)? {
            return Err(self.wrong_sum(total));
        }
        let part = |allocation: &Allocation| match (allocation.share, allocation.amount) {
            (Some(share), _) => Tokens(share.of(total.0)),
            (None, amount) => amount.unwrap_or_default(),
        };
        let mut parts: Vec<Tokens> = self.allocations.iter().map(part).collect();
        // The exact parts come to the total, so the rounded ones come to no more.
        let dust = total.0 - parts.iter().map(|part| part.0).sum::<u128>();
        let first = self.allocations.iter().position(|allocation| allocation.share.is_some());
        if let Some(index) = first {
            parts[index].0 += dust;
        }
        Ok(parts)
    }

    /// All that goes to one kind of recipient: the bound of an emission schedule, for example.
    /// Nothing when the list is wrong.
    #[must_use]
    pub fn allocated_to(&self, recipient: Recipient) -> Tokens {
        let amounts = self.amounts().unwrap_or_default();
        let of = self.allocations.iter().zip(amounts).filter(|(part, _)| part.to == recipient);
        // The sum of all is the total.
        Tokens(of.map(|(_, amount)| amount.0).sum())
    }

    /// The allocation with this name, and its amount.
    #[must_use]
    pub fn allocation(&self, name: &str) -> Option<(&Allocation, Tokens)> {
        let index = self.allocations.iter().position(|allocation| allocation.name == name)?;
        Some((self.allocations.get(index)?, self.amounts().ok()?.get(index).copied()?))
    }

    /// The exact sum of the parts in billionths of base units.
    fn sum_of_billionths(&self, total: Tokens) -> Result<u128, RuleError> {
        self.allocations.iter().try_fold(0_u128, |sum, allocation| {
            let part = match (allocation.share, allocation.amount) {
                (Some(share), _) => widened(total, share)?,
                (None, amount) => widened(amount.unwrap_or_default(), Share::ALL)?,
            };
            sum.checked_add(part).ok_or_else(too_large)
        })
    }

    fn wrong_sum(&self, total: Tokens) -> RuleError {
        let shares = self.allocations.iter().filter_map(|allocation| allocation.share);
        let billionths: u128 = shares.map(|share| u128::from(share.billionths())).sum();
        let amounts = self.allocations.iter().filter_map(|allocation| allocation.amount);
        let amounts = amounts.fold(0_u128, |sum, amount| sum.saturating_add(amount.0));
        let (whole, fraction) = (billionths / 10_000_000, billionths % 10_000_000);
        let fraction = format!("{fraction:07}");
        let point = if fraction.bytes().any(|digit| digit != b'0') { "." } else { "" };
        let rule = format!(
            "must come to exactly 100% of {}: the shares come to {whole}{point}{}%, the amounts \
             to {}",
            crate::math::units::tokens::format(total),
            fraction.trim_end_matches('0'),
            crate::math::units::tokens::format(Tokens(amounts)),
        );
        RuleError::new("token.allocations", rule)
    }

    /// Checks the list and what it says about the cap.
    pub(crate) fn validate_allocations(&self) -> Result<(), RuleError> {
        let few = self.allocations.len() <= ALLOCATIONS_MAX;
        RuleError::require(few, "token.allocations", "must have at most 64 entries")?;
        for (index, allocation) in self.allocations.iter().enumerate() {
            let at = |field: &str| format!("token.allocations[{index}].{field}");
            allocation.validate(&at)?;
            let twice = self.allocations[..index].iter().any(|other| other.name == allocation.name);
            RuleError::require(!twice, &at("name"), "is taken by an allocation before it")?;
        }
        self.amounts()?;
        let (Some(total), Some(cap)) = (self.total, self.cap) else { return Ok(()) };
        RuleError::require(total <= cap, "token.total", "must be at most token.cap")
    }
}

impl Allocation {
    fn validate(&self, at: &dyn Fn(&str) -> String) -> Result<(), RuleError> {
        let named = !self.name.is_empty() && self.name.len() <= RULE_NAME_BYTES_MAX;
        RuleError::require(named, &at("name"), "must have 1 to 64 bytes")?;
        let one = self.share.is_some() != self.amount.is_some();
        RuleError::require(one, &at("share"), "state either share or amount")?;
        let something =
            self.share != Some(Share::ZERO) && self.amount.is_none_or(|amount| !amount.is_zero());
        RuleError::require(something, &at("share"), "must be more than nothing")?;
        let vests = self.to.at_genesis() || self.to == Recipient::Conversion;
        let plain = vests || self.vesting == VestingTerms::default();
        RuleError::require(plain, &at("vesting"), "has no effect: nothing of this is granted")?;
        self.vesting.check().map_err(|rule| RuleError::new(at("vesting"), rule))?;
        let shared = self.to == Recipient::Conversion;
        let counted = self.participants_max.is_none_or(|most| shared && most > 0);
        let rule = "must be at least 1, and stands with to = \"conversion\" only";
        RuleError::require(counted, &at("participants_max"), rule)
    }
}

/// `share` of `amount` in billionths of base units, exactly.
fn widened(amount: Tokens, share: Share) -> Result<u128, RuleError> {
    amount.0.checked_mul(share.billionths().into()).ok_or_else(too_large)
}

fn too_large() -> RuleError {
    RuleError::new("token.allocations", "must be less than 3e20 tokens in all")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(percents: &[&str]) -> TokenRules {
        let allocation = |(index, share): (usize, &&str)| Allocation {
            name: format!("part {index}"),
            share: share.parse().ok(),
            amount: None,
            to: Recipient::Other,
            vesting: VestingTerms::default(),
            participants_max: None,
        };
        TokenRules {
            total: Some(Tokens(1_000)),
            allocations: percents.iter().enumerate().map(allocation).collect(),
            ..TokenRules::default()
        }
    }

    fn path(rules: &TokenRules) -> String {
        rules.validate_allocations().unwrap_err().path
    }

    #[test]
    fn the_whole_is_dealt_out_exactly() {
        assert_eq!(shares(&["7.5%", "5%", "7.5%", "80%"]).validate_allocations(), Ok(()));
        let typo = shares(&["5%", "5%", "7.5%", "80%"]).validate_allocations().unwrap_err();
        assert_eq!(typo.path, "token.allocations");
        assert!(typo.rule.contains("the shares come to 97.5%"), "{}", typo.rule);
        let aethir = ["35%", "17.5%", "15%", "11.75%", "8%", "6.5%", "6.25%"];
        assert_eq!(shares(&aethir).validate_allocations(), Ok(()));
        assert!(shares(&aethir[..6]).validate_allocations().unwrap_err().rule.contains("93.75%"));
        assert!(shares(&["60%", "60%"]).validate_allocations().is_err());
    }

    #[test]
    fn dust_goes_to_the_first_share() {
        let mut rules = shares(&["33.3333333%", "33.3333333%", "33.3333334%"]);
        rules.total = Some(Tokens(100));
        assert_eq!(rules.amounts(), Ok(vec![Tokens(34), Tokens(33), Tokens(33)]));
    }

    #[test]
    fn shares_and_amounts_may_stand_together() {
        let mut rules = shares(&["25%", "50%"]);
        rules.allocations.push(Allocation {
            name: "past".into(),
            share: None,
            amount: Some(Tokens(250)),
            ..rules.allocations[0].clone()
        });
        assert_eq!(rules.amounts(), Ok(vec![Tokens(250), Tokens(500), Tokens(250)]));
        assert_eq!(rules.allocated_to(Recipient::Other), Tokens(1_000));
        assert_eq!(rules.allocation("past").map(|(_, amount)| amount), Some(Tokens(250)));
        rules.cap = Some(Tokens(999));
        assert_eq!(path(&rules), "token.total");
    }

    #[test]
    fn each_entry_is_checked() {
        let wrong = |change: fn(&mut TokenRules)| {
            let mut rules = shares(&["50%", "50%"]);
            change(&mut rules);
            path(&rules)
        };
        assert_eq!(wrong(|r| r.total = None), "token.total");
        assert_eq!(wrong(|r| r.total = Some(Tokens(u128::MAX))), "token.allocations");
        assert_eq!(wrong(|r| r.allocations[1].name = "part 0".into()), "token.allocations[1].name");
        assert_eq!(wrong(|r| r.allocations[0].name.clear()), "token.allocations[0].name");
        assert_eq!(wrong(|r| r.allocations[0].share = None), "token.allocations[0].share");
        assert_eq!(
            wrong(|r| r.allocations[1].amount = Some(Tokens(1))),
            "token.allocations[1].share"
        );
        assert_eq!(wrong(|r| r.allocations[0].vesting.parts = 3), "token.allocations[0].vesting");
        assert_eq!(
            wrong(|r| r.allocations[0].participants_max = Some(5)),
            "token.allocations[0].participants_max"
        );
        assert_eq!(
            wrong(|r| {
                let first = r.allocations[0].clone();
                r.allocations
                    .extend((0..64).map(|n| Allocation { name: n.to_string(), ..first.clone() }));
            }),
            "token.allocations"
        );
    }
}
