//! The rules of devices, certificates and node licences: the section `devices` of an economy.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, AmountError, Credits, Tokens};
use serde::{Deserialize, Serialize};

use crate::economy::RuleError;
use crate::math::{Fixed, Period, Rounding, Share, mul_div};
use crate::money::Denomination;

/// The most classes of devices.
pub const CLASSES_MAX: usize = 256;
/// The most devices that a profile may allow one provider.
pub const DEVICES_PER_PROVIDER_MAX: u32 = 1_024;
/// The most accounts that a profile may name as reporters.
pub const REPORTERS_MAX: usize = 64;
/// The most price tiers of the licences.
pub const LICENCE_TIERS_MAX: usize = 256;
/// The most tiers of the whitelist.
pub const WHITELIST_TIERS_MAX: usize = 16;
/// The highest audit tier, L4; L0 is what a provider says of itself, without a certificate.
pub const AUDIT_TIER_MAX: u8 = 4;

/// The rules of devices. The default: no device can be entered, no licence is sold, and
/// certificates live for up to 365 days.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Whether providers may enter devices.
    pub enabled: bool,
    /// How long a new device waits before it is on standby (io.net: 12 h).
    pub waiting: Period,
    /// Devices of one provider that are not retired; at most [`DEVICES_PER_PROVIDER_MAX`]
    /// (io.net: 8).
    pub per_provider_max: u32,
    /// Devices of the whole network, retired ones that are still remembered included.
    pub devices_max: u32,
    /// How long a retired device's fingerprint is remembered.
    pub retired_memory: Period,
    /// The classes, by name.
    pub classes: BTreeMap<String, ClassRules>,
    /// How a benchmark score comes about.
    pub benchmark: BenchmarkRules,
    /// Who may report benchmark results, besides governance's own choice of this list. Empty:
    /// the provider reports for itself.
    pub reporters: BTreeSet<AccountId>,
    /// The audit tier that a device (or its provider) needs to become active; 0: none.
    pub active_tier_min: u8,
    /// Whether only the reward account itself may name another one for its node. Else the node
    /// key can, so that who steals it takes the earnings from then on.
    pub reward_by_owner_only: bool,
    /// Certificates.
    pub certificates: CertificateRules,
    /// Node licences.
    pub licences: LicenceRules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            enabled: false,
            waiting: Period(0),
            per_provider_max: DEVICES_PER_PROVIDER_MAX,
            devices_max: 1_000_000,
            retired_memory: Period::DAY.times(30),
            classes: BTreeMap::new(),
            benchmark: BenchmarkRules::default(),
            reporters: BTreeSet::new(),
            active_tier_min: 0,
            reward_by_owner_only: false,
            certificates: CertificateRules::default(),
            licences: LicenceRules::default(),
        }
    }
}

/// One class of devices.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassRules {
    /// The factor of the stake that a device of this class needs (Aethir's K).
    pub stake_factor: Fixed,
    /// The factor of its rewards (io.net's multiplier).
    pub multiplier: Fixed,
    /// The weight of its benchmark score in its capacity.
    pub benchmark_weight: Share,
    /// The least memory of the accelerator, in MiB.
    pub vram_mib_min: u32,
    /// The least benchmark score with which a device becomes active, in OctaneBench points.
    pub benchmark_min: Fixed,
}

impl Default for ClassRules {
    fn default() -> Self {
        Self {
            stake_factor: Fixed::ONE,
            multiplier: Fixed::ONE,
            benchmark_weight: Share::ALL,
            vram_mib_min: 0,
            benchmark_min: Fixed::ZERO,
        }
    }
}

/// The weights of a benchmark's three parts. The default is OctaneBench's: 100 points are a
/// GeForce GTX 980.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenchmarkRules {
    /// The weight of the info channels kernel.
    pub info: Share,
    /// The weight of the direct lighting kernel.
    pub direct_light: Share,
    /// The weight of the path tracing kernel.
    pub path_trace: Share,
}

impl Default for BenchmarkRules {
    fn default() -> Self {
        let (info, direct_light) = (Share::percent(10), Share::percent(40));
        Self { info, direct_light, path_trace: Share::percent(50) }
    }
}

/// Certificates: statements that one account signs about a node, a device or an account.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateRules {
    /// The longest validity of one that is no audit (Akash: 365 days).
    pub validity_max: Period,
    /// The longest validity of an audit, from L1 to L4 (AEP-86: 365, 180, 90, 90 days).
    pub tier_validity: [Period; AUDIT_TIER_MAX as usize],
    /// How many auditors must agree before a tier counts, from L1 to L4 (AEP-86: L3 takes 2).
    pub tier_auditors: [u32; AUDIT_TIER_MAX as usize],
    /// By how many tiers two auditors may differ about one subject; beyond it both audits are
    /// void (AEP-86: 1).
    pub tier_disagreement_max: u8,
    /// What an auditor locks before it may audit. Nothing: every account may.
    #[serde(with = "crate::math::units::tokens")]
    pub auditor_bond: Tokens,
    /// How long the bond stays locked after the auditor has left.
    pub auditor_cooldown: Period,
    /// Certificates about one subject at a time.
    pub per_subject_max: u32,
    /// Certificates of one issuer at a time.
    pub per_issuer_max: u32,
}

impl Default for CertificateRules {
    fn default() -> Self {
        let days = |days| Period::DAY.times(days);
        Self {
            validity_max: days(365),
            tier_validity: [days(365), days(180), days(90), days(90)],
            tier_auditors: [1, 1, 2, 2],
            tier_disagreement_max: 1,
            auditor_bond: Tokens::ZERO,
            auditor_cooldown: days(14),
            per_subject_max: 16,
            per_issuer_max: 10_000,
        }
    }
}

/// The sale of node licences: a capped series. The default sells none.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LicenceRules {
    /// How many may ever be sold; the tiers' counts must come to it. 0: no sale.
    pub series: u32,
    /// The price table, the cheapest tier first.
    pub tiers: Vec<LicenceTier>,
    /// What one unit of price costs in tokens; nothing: tokens are not accepted.
    #[serde(with = "crate::math::units::tokens")]
    pub unit_tokens: Tokens,
    /// What one unit of price costs in credits; nothing: credits are not accepted.
    #[serde(with = "crate::math::units::dollars")]
    pub unit_credits: Credits,
    /// When the sale opens to all, after the network's start.
    pub opens: Period,
    /// Licences that one account may buy in the open sale; whitelisted ones do not count.
    pub per_account_max: u32,
    /// The account that whitelists others; none: nobody.
    pub whitelister: Option<AccountId>,
    /// The tiers of the whitelist.
    pub whitelist: Vec<WhitelistTier>,
    /// What a buyer with a referrer pays less.
    pub referral_discount: Share,
    /// What of the paid price goes to the referrer.
    pub referral_reward: Share,
    /// What of the paid price goes to the treasury. The rest backs the buy-back.
    pub treasury_share: Share,
    /// From what age on a licence can be given back; none: never.
    pub buy_back_after: Option<Period>,
    /// What the buy-back keeps of the paid price, for the treasury (Aethir: 10 %).
    pub buy_back_fee: Share,
    /// How long a licence cannot be transferred after its purchase.
    pub transfer_after: Period,
}

impl Default for LicenceRules {
    fn default() -> Self {
        Self {
            series: 0,
            tiers: Vec::new(),
            unit_tokens: Tokens::ZERO,
            unit_credits: Credits::ZERO,
            opens: Period(0),
            per_account_max: 0,
            whitelister: None,
            whitelist: Vec::new(),
            referral_discount: Share::ZERO,
            referral_reward: Share::ZERO,
            treasury_share: Share::ALL,
            buy_back_after: None,
            buy_back_fee: Share::percent(10),
            transfer_after: Period(0),
        }
    }
}

/// One step of the price table.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenceTier {
    /// How many licences it holds.
    pub count: u32,
    /// The price of each, in units of price.
    pub price: Fixed,
}

/// Who may buy before the open sale, or beside it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhitelistTier {
    /// When it opens, after the network's start.
    pub opens: Period,
    /// Licences that all accounts of the tier may buy together, as such.
    pub allotment: u32,
    /// Licences that one account of the tier may buy, as such.
    pub per_account_max: u32,
}

impl Rules {
    /// Checks every bound.
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(&self) -> Result<(), RuleError> {
        let require = RuleError::require;
        let most = DEVICES_PER_PROVIDER_MAX;
        let fits = (1..=most).contains(&self.per_provider_max);
        require(fits, "devices.per_provider_max", "must be 1 to 1024")?;
        require(self.devices_max > 0, "devices.devices_max", "must be at least 1")?;
        let fits = self.classes.len() <= CLASSES_MAX;
        require(fits, "devices.classes", "must be at most 256")?;
        for (name, class) in &self.classes {
            class.validate(&format!("devices.classes.{name}"), name)?;
        }
        let fits = self.reporters.len() <= REPORTERS_MAX;
        require(fits, "devices.reporters", "must be at most 64")?;
        let fits = self.active_tier_min <= AUDIT_TIER_MAX;
        require(fits, "devices.active_tier_min", "must be 0 to 4")?;
        self.benchmark.validate()?;
        self.certificates.validate()?;
        self.licences.validate()
    }
}

impl ClassRules {
    fn validate(&self, path: &str, name: &str) -> Result<(), RuleError> {
        let fits = !name.is_empty() && name.len() <= crate::RULE_NAME_BYTES_MAX;
        RuleError::require(fits, path, "must have a name of 1 to 64 bytes")?;
        let factors = [self.stake_factor, self.multiplier, self.benchmark_min];
        let holds = factors.iter().all(|factor| !factor.is_negative());
        RuleError::require(holds, path, "must not have a negative factor")
    }
}

impl BenchmarkRules {
    fn validate(&self) -> Result<(), RuleError> {
        let weights = [self.info, self.direct_light, self.path_trace];
        let sum: u64 = weights.iter().map(|weight| weight.billionths()).sum();
        let whole = sum == Share::ALL.billionths();
        RuleError::require(whole, "devices.benchmark", "must have weights that sum to 100%")
    }
}

impl CertificateRules {
    fn validate(&self) -> Result<(), RuleError> {
        let require = RuleError::require;
        let lives = self.tier_validity.iter().chain([&self.validity_max]);
        let fits = lives.into_iter().all(|life| (1..=crate::PERIOD_MS_MAX).contains(&life.ms()));
        require(fits, "devices.certificates", "must have validities from 1ms to ten years")?;
        let fits = self.tier_auditors.iter().all(|count| (1..=16).contains(count));
        require(fits, "devices.certificates.tier_auditors", "must each be 1 to 16")?;
        let fits = (1..=64).contains(&self.per_subject_max);
        require(fits, "devices.certificates.per_subject_max", "must be 1 to 64")?;
        let fits = self.per_issuer_max > 0;
        require(fits, "devices.certificates.per_issuer_max", "must be at least 1")
    }
}

impl LicenceRules {
    /// The price of the licence number `number` (from 0), in units of price; none when the
    /// series ends before it.
    #[must_use]
    pub fn price(&self, number: u32) -> Option<Fixed> {
        let mut end = 0_u32;
        for tier in &self.tiers {
            end = end.saturating_add(tier.count);
            if number < end {
                return Some(tier.price);
            }
        }
        None
    }

    /// What a price comes to in a denomination, rounded up to the next base unit; none when
    /// the denomination is not accepted.
    ///
    /// # Errors
    /// [`AmountError`] when it does not fit.
    pub fn cost(&self, price: Fixed, unit: Denomination) -> Result<Option<u128>, AmountError> {
        let unit = match unit {
            Denomination::Token => self.unit_tokens.0,
            Denomination::Credit => u128::from(self.unit_credits.0),
        };
        if unit == 0 {
            return Ok(None);
        }
        let price = u128::try_from(price.0).map_err(|_| AmountError::Underflow)?;
        mul_div(unit, price, Fixed::SCALE.unsigned_abs(), Rounding::Up).map(Some)
    }

    fn validate(&self) -> Result<(), RuleError> {
        let require = RuleError::require;
        let fits = self.tiers.len() <= LICENCE_TIERS_MAX;
        require(fits, "devices.licences.tiers", "must be at most 256")?;
        let sum: u64 = self.tiers.iter().map(|tier| u64::from(tier.count)).sum();
        let whole = sum == u64::from(self.series);
        require(whole, "devices.licences.tiers", "must have counts that sum to the series")?;
        let rises = self.tiers.windows(2).all(|pair| pair[0].price <= pair[1].price);
        let holds = self.tiers.iter().all(|tier| tier.count > 0 && tier.price > Fixed::ZERO);
        require(rises && holds, "devices.licences.tiers", "must have rising prices above 0")?;
        let sold = self.unit_tokens > Tokens::ZERO || self.unit_credits > Credits::ZERO;
        let path = "devices.licences.unit_tokens";
        require(self.series == 0 || sold, path, "or unit_credits must be above 0")?;
        let fits = self.whitelist.len() <= WHITELIST_TIERS_MAX;
        require(fits, "devices.licences.whitelist", "must be at most 16 tiers")?;
        let shares = self.referral_reward.billionths() + self.treasury_share.billionths();
        let fits = shares <= Share::ALL.billionths();
        let (path, rule) = ("devices.licences.treasury_share", "plus referral_reward must be");
        require(fits, path, &format!("{rule} at most 100%"))?;
        let backed = self.buy_back_after.is_none() || shares <= self.buy_back_fee.billionths();
        require(backed, path, &format!("{rule} at most the buy_back_fee, which must be backed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Fixed {
        text.parse().unwrap()
    }

    fn curve() -> LicenceRules {
        let tier = |count, price: &str| LicenceTier { count, price: fixed(price) };
        LicenceRules {
            series: 100_000,
            tiers: vec![tier(10_000, "0.1259"), tier(80_000, "0.4791"), tier(10_000, "1.8232")],
            unit_tokens: Tokens(1_000_000_000),
            unit_credits: Credits(3_000_000_000),
            ..LicenceRules::default()
        }
    }

    /// Aethir's node sale: from 0.1259 to 1.8232, 14.48 times as much.
    #[test]
    fn the_price_rises_by_its_table() {
        let rules = curve();
        assert_eq!(rules.validate(), Ok(()));
        assert_eq!(rules.price(0), Some(fixed("0.1259")));
        assert_eq!(rules.price(9_999), Some(fixed("0.1259")));
        assert_eq!(rules.price(10_000), Some(fixed("0.4791")));
        assert_eq!(rules.price(99_999), Some(fixed("1.8232")));
        assert_eq!(rules.price(100_000), None);
        let (first, last) = (18_232_u128, 1_259_u128);
        assert_eq!(mul_div(first, 100, last, Rounding::HalfEven), Ok(1_448));
    }

    #[test]
    fn a_price_has_a_cost_in_each_accepted_denomination() {
        let rules = curve();
        assert_eq!(rules.cost(fixed("0.1259"), Denomination::Token), Ok(Some(125_900_000)));
        assert_eq!(rules.cost(fixed("0.1259"), Denomination::Credit), Ok(Some(377_700_000)));
        assert_eq!(rules.cost(fixed("0.00000000001"), Denomination::Token), Ok(Some(1)));
        let none = LicenceRules { unit_tokens: Tokens::ZERO, ..rules };
        assert_eq!(none.cost(fixed("1"), Denomination::Token), Ok(None));
    }

    #[test]
    fn wrong_rules_are_named() {
        let path = |rules: &Rules| rules.validate().map_err(|error| error.path);
        assert_eq!(path(&Rules::default()), Ok(()));
        let short = LicenceRules { series: 99_999, ..curve() };
        let short = Rules { licences: short, ..Rules::default() };
        assert_eq!(path(&short), Err("devices.licences.tiers".into()));
        let none = Rules { per_provider_max: 0, ..Rules::default() };
        assert_eq!(path(&none), Err("devices.per_provider_max".into()));
        let benchmark = BenchmarkRules { info: Share::ZERO, ..BenchmarkRules::default() };
        let light = Rules { benchmark, ..Rules::default() };
        assert_eq!(path(&light), Err("devices.benchmark".into()));
        let much = LicenceRules { referral_reward: Share::percent(1), ..curve() };
        let much = Rules { licences: much, ..Rules::default() };
        assert_eq!(path(&much), Err("devices.licences.treasury_share".into()));
    }
}
