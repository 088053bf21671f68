//! What the ledger keeps of stake.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, PublicKey, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use crate::math::{Fixed, Share};
use crate::query::record;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize,
            BorshDeserialize, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }
    };
}

name! {
    /// As what a node is staked on.
    Role {
        /// It sells compute.
        Provider,
        /// It makes blocks and posts prices.
        Validator,
        /// It verifies results.
        Checker,
        /// It matches.
        Indexer,
        /// It takes orders from buyers.
        Gateway,
    }
}

/// Whom stake stands behind: a node in one role.
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
pub struct Subject {
    /// The role.
    pub role: Role,
    /// The node's key.
    pub operator: PublicKey,
}

name! {
    /// What stake is lost by. Being idle is none of it.
    Offence {
        /// Two signed statements that exclude each other.
        Equivocation,
        /// A signature that its signer did not make.
        ForgedSignature,
        /// The same work billed twice.
        DoubleBill,
        /// An exact result proven wrong, or a lost bisection.
        OutputMismatch,
        /// A result that fresh checkers found outside of all bounds.
        StatisticalFailure,
        /// A forged or revoked attestation.
        InvalidQuote,
        /// A class of hardware that is not there, or performance far below what was claimed.
        FakeHardware,
        /// A checker's reveal differs from its commitment, or it did not do the work.
        LazyCheck,
        /// A checker passed a result that was planted to be wrong.
        PoisonPassed,
        /// A checker was drawn, and did not answer.
        MissedCheck,
        /// A challenge that turned out wrong.
        FalseChallenge,
        /// Accepted work was not delivered in time.
        Timeout,
        /// A service broke off while it was in use or reserved.
        Interruption,
        /// A copied or poisoned contribution to a training run.
        CopiedGradient,
        /// Offline while it had promised to be there (an hour of it).
        Offline,
        /// A wrong result, without intent.
        WrongResult,
        /// Harm with intent.
        Malice,
        /// Harm with intent to the network itself.
        Attack,
    }
}

/// Where a subject stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may work.
    Active,
    /// It may not, until its owner frees it: from this time on, with enough stake.
    Jailed(TimestampMs),
    /// It never may again.
    Ejected,
}

record! {
    /// All stake behind one subject. Stakers hold shares of `tokens + rewards`, so that every
    /// reward and every slash reaches all of them at once, exactly in proportion.
    StakePool {
        /// Whom it stands behind.
        subject: Subject,
        /// Who owns the subject, sets its terms and has its pay.
        owner: AccountId,
        /// Where it stands.
        standing: Standing,
        /// Since when it is enrolled.
        enrolled_at: TimestampMs,
        /// Bonded tokens of all stakers.
        tokens: Tokens,
        /// Rewards of all stakers that nobody has claimed.
        rewards: Tokens,
        /// All shares of both.
        shares: u128,
        /// How often all of both was slashed: shares of an earlier era are worth nothing.
        era: u32,
        /// What the owner has earned and not claimed.
        owed: Tokens,
        /// Tokens on their way out, still at risk.
        unbonding: Tokens,
        /// All shares of them.
        unbonding_shares: u128,
        /// How often all of them was slashed.
        unbonding_era: u32,
        /// How rewards are shared.
        terms: Terms,
        /// Who co-stakes, or may.
        co_stake: Option<CoStake>,
    }
}

record! {
    /// How a subject's rewards are shared.
    Terms {
        /// What the owner keeps of its stakers' rewards, where the role shares so.
        commission: Share,
        /// When that was set.
        commission_at: TimestampMs,
        /// What the stakers have of the owner's rewards, where the role shares so.
        bribe: Share,
        /// What was announced.
        next_bribe: Option<NextBribe>,
    }
}

record! {
    /// An announced bribe.
    NextBribe {
        /// The stakers' share.
        share: Share,
        /// From when on it holds.
        from: TimestampMs,
    }
}

record! {
    /// An offer to stake beside the owner, and who took it.
    CoStake {
        /// How much is asked.
        asked: Tokens,
        /// The co-staker's share of all rewards.
        share: Share,
        /// Who took it.
        holder: Option<AccountId>,
        /// What of that is bonded; slashes lessen it.
        tokens: Tokens,
        /// What it has earned and not claimed.
        rewards: Tokens,
    }
}

record! {
    /// What one account staked on one subject.
    StakePosition {
        /// On whom.
        subject: Subject,
        /// Whose.
        account: AccountId,
        /// Its shares of the pool.
        shares: u128,
        /// Of which era they are.
        era: u32,
        /// What was put in and not taken out. What the shares are worth beyond this is
        /// earnings; after a slash, rewards first make good what was lost.
        principal: Tokens,
        /// When stake last moved here from another subject; 0 is never.
        moved_at: TimestampMs,
    }
}

record! {
    /// Stake on its way out.
    Unbonding {
        /// Its number.
        id: u64,
        /// From which subject.
        subject: Subject,
        /// Whose.
        account: AccountId,
        /// Its shares of what is on its way out.
        shares: u128,
        /// Of which era they are.
        era: u32,
        /// When it is paid.
        matures_at: TimestampMs,
        /// Whether it was a co-stake, which does not return to the pool.
        co_stake: bool,
    }
}

record! {
    /// How often a subject committed one offence.
    Offending {
        /// How often, in a row of which no two are further apart than the rule's window.
        count: u32,
        /// When the last time was.
        last_at: TimestampMs,
    }
}

record! {
    /// What one slash took, and where it went: `taken` is the sum of the last four.
    #[derive(Default)]
    Slashed {
        /// All of it.
        taken: Tokens,
        /// What of it were unclaimed rewards; they go first.
        from_rewards: Tokens,
        /// Burned.
        burned: Tokens,
        /// To who reported.
        reporter: Tokens,
        /// To who was harmed.
        affected: Tokens,
        /// To the treasury.
        treasury: Tokens,
    }
}

record! {
    /// One slash, as remembered.
    SlashEntry {
        /// Its number.
        sequence: u64,
        /// Who was slashed.
        subject: Subject,
        /// What for.
        offence: Offence,
        /// The how manieth time.
        time: u32,
        /// When.
        at: TimestampMs,
        /// What it took.
        slashed: Slashed,
        /// Where the subject stood after it.
        standing: Standing,
    }
}

record! {
    /// The next free numbers.
    #[derive(Default)]
    StakeNumbers {
        /// Of unbondings.
        unbonding: u64,
        /// Of slashes.
        slash: u64,
    }
}

record! {
    /// What the last epoch measured, for formulas of required stake.
    #[derive(Default)]
    StakeMeasures {
        /// Tokens per unit of weight (Aethir's staking coefficient); 0 is not measured.
        coefficient: Tokens,
        /// What all providers earned on the last day.
        daily_reward: Tokens,
        /// Power of the whole network.
        power: Fixed,
        /// The power that the network should have by now.
        baseline: Fixed,
    }
}

record! {
    /// Devices of one kind, for formulas of required stake.
    Load {
        /// How many.
        count: u64,
        /// What one weighs: reward multiplier, specification constant, performance, power, or
        /// whole tokens at risk, as the role's formula says.
        weight: Fixed,
    }
}

/// What an offence puts at risk.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// All that the subject can lose: stake, what unbonds, and unclaimed rewards.
    All,
    /// So many tokens.
    Tokens(Tokens),
    /// The stake that these devices require.
    Load(Load),
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] =
        [Self::Provider, Self::Validator, Self::Checker, Self::Indexer, Self::Gateway];
}

impl Standing {
    /// Whether the subject may work.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }
}

impl Terms {
    /// The stakers' share of the owner's rewards at a time.
    #[must_use]
    pub fn bribe_at(&self, now: TimestampMs) -> Share {
        match &self.next_bribe {
            Some(next) if now >= next.from => next.share,
            _ => self.bribe,
        }
    }
}

impl StakePool {
    /// What all shares together are worth.
    pub(crate) fn value(&self) -> u128 {
        // Both are part of the supply, which fits.
        self.tokens.0.saturating_add(self.rewards.0)
    }

    /// What stands behind the subject: all that is bonded, with a co-staker's part.
    #[must_use]
    pub fn stake(&self) -> Tokens {
        let co_stake = self.co_stake.as_ref().map_or(0, |co_stake| co_stake.tokens.0);
        // Both are part of the supply, which fits.
        Tokens(self.tokens.0.saturating_add(co_stake))
    }

    /// Whether nothing depends on it.
    pub(crate) fn is_forgettable(&self) -> bool {
        let empty = self.shares == 0 && self.unbonding_shares == 0 && self.owed.is_zero();
        let fresh = self.era == 0 && self.unbonding_era == 0 && self.co_stake.is_none();
        empty && fresh && self.standing.is_active()
    }
}
