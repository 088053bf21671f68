//! The rules of epochs: the section `[epochs]` of a profile.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Tokens};
use serde::{Deserialize, Serialize};

use super::formulas::Formula;
use super::schedule::Schedule;
use crate::economy::RuleError;
use crate::genesis::PERIOD_MS_MAX;
use crate::math::units::tokens;
use crate::math::{Period, Share};

/// The most streams of one economy.
pub const STREAMS_MAX: usize = 8;
/// The longest name of a stream, in bytes.
pub const STREAM_NAME_BYTES_MAX: usize = 32;
/// The most accounts that may report.
pub const REPORTERS_MAX: usize = 64;
/// The most epochs that one block may begin to close.
pub const EPOCHS_PER_BLOCK_MAX: u32 = 64;
/// The most records that one block may weigh or pay.
pub const ITEMS_PER_BLOCK_MAX: u32 = 65_536;

/// Who takes part of what an epoch mints.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// Devices that stood ready, by the formula of `capacity`.
    Capacity,
    /// Providers that were paid for work, by the credits.
    Work,
    /// Checkers, by their verdicts.
    Checkers,
    /// Validators, by their service.
    Validators,
    /// Those who delegated stake.
    Delegators,
    /// Nodes that keep the network together.
    ServiceNodes,
    /// The public treasury.
    Treasury,
}

impl Recipient {
    /// All, in the order in which they are paid.
    pub const ALL: [Self; 7] = [
        Self::Capacity,
        Self::Work,
        Self::Checkers,
        Self::Validators,
        Self::Delegators,
        Self::ServiceNodes,
        Self::Treasury,
    ];

    /// Whether reporters say who did it: nobody else does.
    #[must_use]
    pub const fn is_reported(self) -> bool {
        matches!(self, Self::Checkers | Self::Validators | Self::Delegators | Self::ServiceNodes)
    }
}

/// The room's section of an economy. The default emits nothing.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// What is minted, each stream on a clock of its own.
    pub streams: Vec<Stream>,
    /// The most epochs that one block begins to close. The rest is done in the next blocks.
    pub epochs_per_block: u32,
    /// The most records that one block weighs or pays. The rest is done in the next blocks.
    pub items_per_block: u32,
    /// Whether rewards go to their accounts when the epoch is paid; else they are claimed.
    pub auto_pay: bool,
    /// Whether validators, and those who delegated to them, weigh by the stake behind them when
    /// an epoch ends, beside what reporters say: the 256 with most of it.
    pub by_stake: bool,
    /// Accounts whose word about capacity, uptime, coverage and duties counts.
    pub reporters: Vec<AccountId>,
    /// How long a report of uptime counts. Later, and before the first report, a device has
    /// the uptime `uptime_default`.
    pub report_life: Period,
    /// The uptime of a device of which nobody said anything.
    pub uptime_default: Share,
    /// The most devices whose capacity is known.
    pub devices_max: u32,
    /// How capacity weighs: `formula = "…"` and its parameters.
    pub capacity: Formula,
    /// What bounds the pay for work.
    pub work: WorkRules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            streams: Vec::new(),
            epochs_per_block: 8,
            items_per_block: 4_096,
            auto_pay: false,
            by_stake: false,
            reporters: Vec::new(),
            report_life: Period::DAY,
            uptime_default: Share::ZERO,
            devices_max: 1_000_000,
            capacity: Formula::default(),
            work: WorkRules::default(),
        }
    }
}

/// What is minted on one clock.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// Its name, 1 to 32 bytes; a renamed stream is another one and begins anew.
    pub name: String,
    /// How long an epoch is, in block time.
    pub length: Period,
    /// How long after the network's start (or after the stream came to be) the first epoch
    /// begins.
    pub delay: Period,
    /// How much each epoch has to give.
    pub schedule: Schedule,
    /// The most that the schedule gives in all its epochs: what would exceed it is clipped.
    /// Nothing means no bound.
    #[serde(with = "tokens")]
    pub cap: Tokens,
    /// Of the tokens burned during an epoch, at most so many are given again by the epoch,
    /// beside its schedule (HIP-20: net emission).
    #[serde(with = "tokens")]
    pub recycle: Tokens,
    /// Who gets which share.
    pub split: Split,
    /// What becomes of a share that nobody may take.
    pub unclaimed: Unclaimed,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            name: "main".into(),
            length: Period::HOUR,
            delay: Period(0),
            schedule: Schedule::None {},
            cap: Tokens::ZERO,
            recycle: Tokens::ZERO,
            split: Split::default(),
            unclaimed: Unclaimed::default(),
        }
    }
}

/// Who gets which share of an epoch. The shares come to 100 %; of the whole, what rounding
/// leaves goes one unit each to the first that have a share.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct Split {
    /// For devices that stand ready.
    pub capacity: Share,
    /// For work that was paid for.
    pub work: Share,
    /// For checkers.
    pub checkers: Share,
    /// For validators.
    pub validators: Share,
    /// For those who delegated stake.
    pub delegators: Share,
    /// For service nodes.
    pub service_nodes: Share,
    /// For the treasury.
    pub treasury: Share,
}

impl Split {
    /// One recipient's share.
    #[must_use]
    pub const fn of(&self, recipient: Recipient) -> Share {
        match recipient {
            Recipient::Capacity => self.capacity,
            Recipient::Work => self.work,
            Recipient::Checkers => self.checkers,
            Recipient::Validators => self.validators,
            Recipient::Delegators => self.delegators,
            Recipient::ServiceNodes => self.service_nodes,
            Recipient::Treasury => self.treasury,
        }
    }
}

/// What becomes of a share that nobody may take: no one contributed, or the work burned too
/// little.
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
#[serde(rename_all = "snake_case")]
pub enum Unclaimed {
    /// It is never minted.
    #[default]
    NotMinted,
    /// It is minted for the treasury.
    Treasury,
    /// It is added to the same recipient's part of the next epoch.
    Carried,
}

/// What bounds the pay for work.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkRules {
    /// What an epoch mints for work is at most this share (κ) of the tokens burned for work
    /// since the epoch before, and where tokens have a price, of what the paid credits are
    /// worth. Without it, paying oneself may profit.
    pub kappa: Option<Share>,
    /// Which share of the tokens burned for credits counts as burned for work. Where earned
    /// credits are settled in tokens, only what no settlement mints again may count.
    pub purchases: Share,
}

impl Default for WorkRules {
    fn default() -> Self {
        Self { kappa: None, purchases: Share::ALL }
    }
}

impl Rules {
    /// Checks the section, that it fits the one of credits, and that the streams do not give
    /// more than there is for emission (`cap`).
    ///
    /// # Errors
    /// The first [`RuleError`] found.
    pub fn validate(
        &self,
        credits: &crate::credits::Rules,
        cap: Option<Tokens>,
    ) -> Result<(), RuleError> {
        self.work.validate_beside(credits)?;
        if let Some(cap) = cap {
            self.validate_below(cap)?;
        }
        let require = RuleError::require;
        require(self.streams.len() <= STREAMS_MAX, "epochs.streams", "must be at most 8")?;
        let mut names = BTreeSet::new();
        for (index, stream) in self.streams.iter().enumerate() {
            let path = format!("epochs.streams[{index}]");
            let fresh = names.insert(stream.name.as_str());
            require(fresh, &format!("{path}.name"), "must not name another stream")?;
            stream.validate(&path)?;
        }
        let fits = (1..=EPOCHS_PER_BLOCK_MAX).contains(&self.epochs_per_block);
        require(fits, "epochs.epochs_per_block", "must be 1 to 64")?;
        let fits = (1..=ITEMS_PER_BLOCK_MAX).contains(&self.items_per_block);
        require(fits, "epochs.items_per_block", "must be 1 to 65536")?;
        let distinct: BTreeSet<_> = self.reporters.iter().collect();
        let fits = distinct.len() == self.reporters.len() && distinct.len() <= REPORTERS_MAX;
        require(fits, "epochs.reporters", "must name at most 64 accounts, each once")?;
        let fits = self.report_life.ms() <= PERIOD_MS_MAX;
        require(fits, "epochs.report_life", "must be at most ten years")?;
        require(self.devices_max > 0, "epochs.devices_max", "must be at least 1")?;
        self.capacity.validate("epochs.capacity")?;
        let standing = self.streams.iter().filter(|stream| stream.split.capacity > Share::ZERO);
        let fits = !self.capacity.has_memory() || standing.count() <= 1;
        let rule = "keeps a value per device, so only one stream may have a capacity share";
        require(fits, "epochs.capacity.formula", rule)
    }
}

impl Rules {
    /// What all streams give together fits below the cap of emission. What is burned and given
    /// again does not count.
    fn validate_below(&self, cap: Tokens) -> Result<(), RuleError> {
        let mut room = cap;
        for (index, stream) in self.streams.iter().enumerate() {
            let (path, rule) = (format!("epochs.streams[{index}].cap"), "must be given");
            let most = stream.most().ok_or_else(|| RuleError::new(&*path, rule))?;
            let rule = "must not exceed, with the other streams, what there is for emission";
            room = room.sub(most).map_err(|_| RuleError::new(path, rule))?;
        }
        Ok(())
    }
}

impl WorkRules {
    /// Where κ bounds the pay for work and earned credits become tokens, what settlements mint
    /// again may not count as burned.
    fn validate_beside(&self, credits: &crate::credits::Rules) -> Result<(), RuleError> {
        use crate::credits::Mode;
        let room = match credits.mode {
            Mode::Off | Mode::Render => Share::ALL,
            Mode::Akash | Mode::Direct => Share::ZERO,
            Mode::Remuda => credits.settle_share.complement(),
        };
        let fits = self.kappa.is_none() || self.purchases <= room;
        let rule = format!("must be at most {room} with kappa: settlements mint the rest again");
        RuleError::require(fits, "epochs.work.purchases", &rule)
    }
}

impl Stream {
    /// The most that the schedule ever gives, after the clip; none when nothing bounds it.
    fn most(&self) -> Option<Tokens> {
        let sum = match &self.schedule {
            Schedule::Baseline { total, .. } => Some(*total),
            schedule => schedule.sum(u64::MAX).ok().flatten(),
        };
        let cap = Some(self.cap).filter(|cap| !cap.is_zero());
        match (sum, cap) {
            (Some(sum), Some(cap)) => Some(sum.min(cap)),
            (sum, cap) => sum.or(cap),
        }
    }

    fn validate(&self, path: &str) -> Result<(), RuleError> {
        let require = |holds, field: &str, rule: &str| {
            RuleError::require(holds, &format!("{path}.{field}"), rule)
        };
        let fits = (1..=STREAM_NAME_BYTES_MAX).contains(&self.name.len());
        require(fits, "name", "must have 1 to 32 bytes")?;
        let fits = (1..=PERIOD_MS_MAX).contains(&self.length.ms());
        require(fits, "length", "must be longer than nothing and at most ten years")?;
        require(self.delay.ms() <= PERIOD_MS_MAX, "delay", "must be at most ten years")?;
        let shares = Recipient::ALL.map(|recipient| self.split.of(recipient).billionths());
        let whole = shares.iter().sum::<u64>() == Share::ALL.billionths();
        require(whole, "split", "must have shares that come to 100%")?;
        self.schedule.validate(&format!("{path}.schedule"))
    }
}

#[cfg(test)]
mod tests {
    use remuda_types::Hash;

    use super::*;

    fn stream() -> Stream {
        let split =
            Split { capacity: Share::percent(60), work: Share::percent(40), ..Split::default() };
        Stream { split, ..Stream::default() }
    }

    fn path(rules: &Rules) -> Option<String> {
        rules.validate(&crate::credits::Rules::default(), None).err().map(|error| error.path)
    }

    #[test]
    fn the_default_emits_nothing_and_stands() {
        assert_eq!(path(&Rules::default()), None);
        assert_eq!(path(&Rules { streams: vec![stream()], ..Rules::default() }), None);
    }

    #[test]
    fn wrong_rules_are_named() {
        let with = |change: fn(&mut Rules)| {
            let mut rules = Rules { streams: vec![stream()], ..Rules::default() };
            change(&mut rules);
            path(&rules).unwrap_or_default()
        };
        assert_eq!(
            with(|r| r.streams[0].split.work = Share::percent(39)),
            "epochs.streams[0].split"
        );
        assert_eq!(with(|r| r.streams[0].length = Period(0)), "epochs.streams[0].length");
        assert_eq!(with(|r| r.streams[0].name = String::new()), "epochs.streams[0].name");
        assert_eq!(with(|r| r.streams.push(stream())), "epochs.streams[1].name");
        assert_eq!(with(|r| r.streams = vec![stream(); 9]), "epochs.streams");
        assert_eq!(with(|r| r.epochs_per_block = 0), "epochs.epochs_per_block");
        assert_eq!(with(|r| r.items_per_block = 0), "epochs.items_per_block");
        assert_eq!(with(|r| r.reporters = vec![AccountId(Hash([1; 32])); 2]), "epochs.reporters");
        assert_eq!(with(|r| r.devices_max = 0), "epochs.devices_max");
    }

    #[test]
    fn streams_give_no_more_than_the_tokens_cap() {
        let credits = crate::credits::Rules::default();
        let stream = |name: &str, cap| Stream {
            name: name.into(),
            schedule: Schedule::Demand {
                first: Tokens(1),
                least: Tokens(1),
                most: Tokens(1),
                step: Share::ZERO,
            },
            cap: Tokens(cap),
            ..stream()
        };
        let rules =
            |a, b| Rules { streams: vec![stream("a", a), stream("b", b)], ..Rules::default() };
        let path = |rules: Rules| rules.validate(&credits, Some(Tokens(10))).map_err(|e| e.path);
        assert_eq!(path(rules(6, 4)), Ok(()));
        assert_eq!(path(rules(6, 5)), Err("epochs.streams[1].cap".into()));
        assert_eq!(path(rules(0, 5)), Err("epochs.streams[0].cap".into()));
        assert_eq!(rules(0, 5).validate(&credits, None), Ok(()));
    }

    #[test]
    fn what_settlements_mint_again_is_not_burned() {
        use crate::credits::{Mode, Rules as CreditRules};
        let work = |kappa, percent| Rules {
            work: WorkRules { kappa, purchases: Share::percent(percent) },
            ..Rules::default()
        };
        let stands = |rules: Rules, mode| {
            let credits =
                CreditRules { mode, settle_share: Share::percent(90), ..CreditRules::default() };
            rules.validate(&credits, None).is_ok()
        };
        let kappa = Some(Share::ALL);
        assert!(stands(work(kappa, 100), Mode::Render) && stands(work(None, 100), Mode::Akash));
        assert!(stands(work(kappa, 10), Mode::Remuda) && !stands(work(kappa, 11), Mode::Remuda));
        assert!(stands(work(kappa, 0), Mode::Direct) && !stands(work(kappa, 1), Mode::Direct));
    }
}
