//! What the room keeps.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, Height, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use crate::money::Denomination;
use crate::query::record;

record! {
    /// The state of governance as a whole.
    Governance {
        /// When the network began.
        began_at: TimestampMs,
        /// The phase: 1, 2 or 3.
        phase: u8,
        /// Since when.
        phase_since: TimestampMs,
        /// The number of the next proposal.
        next_proposal: u64,
        /// Proposals that have not ended.
        open: u32,
        /// The number of the next spend of the council.
        next_spend: u64,
        /// Spends of the council that wait.
        spends_open: u32,
        /// The number of the next outflow of the treasury.
        next_outflow: u64,
        /// When the council's period began.
        council_since: TimestampMs,
        /// What it committed to spend in it.
        council_spent: Tokens,
        /// How many proposals it vetoed or passed in it.
        council_acts: u32,
        /// When tokens are bought back next.
        buy_back_at: TimestampMs,
        /// The newest plan to upgrade.
        upgrade: Option<UpgradePlan>,
    }
}

record! {
    /// From some block on, other software.
    UpgradePlan {
        /// What people call it, such as a version.
        name: String,
        /// The first block that it makes.
        height: Height,
    }
}

record! {
    /// One parameter's new value.
    ParameterChange {
        /// Where it stands, as in `stake.cooldown`; elements of lists by their number. Paths
        /// that begin with `bounds.` are the bounds of the state machine.
        path: String,
        /// The new value as JSON.
        value: String,
    }
}

/// What a proposal would do.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProposalKind {
    /// Nothing: it says something.
    Text,
    /// Changes parameters, all or none.
    Change {
        /// Which, in their order.
        changes: Vec<ParameterChange>,
    },
    /// Pays from the treasury; credits become the receiver's earned ones.
    Spend {
        /// To whom.
        to: AccountId,
        /// How much, in base units.
        amount: u128,
        /// Of what.
        denomination: Denomination,
    },
    /// Burns tokens of the treasury.
    Burn {
        /// How many.
        amount: Tokens,
    },
    /// Moves tokens and credits of the treasury into the pool, for good.
    SeedPool {
        /// Tokens.
        tokens: Tokens,
        /// Credits.
        credits: Credits,
    },
    /// Announces an upgrade.
    Upgrade {
        /// The plan.
        plan: UpgradePlan,
    },
}

/// Where a proposal stands.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProposalStatus {
    /// Votes are taken.
    Voting,
    /// It passed, and waits for its execution.
    Queued {
        /// From when on it can be executed.
        execute_at: TimestampMs,
        /// Why it could not be when its time came; anyone may try again until it lapses.
        failure: Option<String>,
    },
    /// It took effect.
    Executed,
    /// Too few took part, or too few said yes.
    Rejected,
    /// Too many said veto. Its deposit was burned.
    Vetoed,
    /// The council vetoed it.
    CouncilVetoed,
    /// It passed, but could not be executed in its time.
    Lapsed,
}

impl ProposalStatus {
    /// Whether something will still become of it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Voting | Self::Queued { .. })
    }
}

record! {
    /// The votes on a proposal. Votes are what the rules make of tokens.
    Tally {
        /// Yes.
        yes: u128,
        /// No.
        no: u128,
        /// Neither: counts toward the quorum only.
        abstain: u128,
        /// No, and burn the deposit.
        veto: u128,
        /// The tokens behind all of them.
        turnout: u128,
    }
}

record! {
    /// A proposal.
    Proposal {
        /// Its number.
        id: u64,
        /// Who made it.
        proposer: AccountId,
        /// In one line.
        title: String,
        /// In full, or where to read it.
        text: String,
        /// What it would do.
        kind: ProposalKind,
        /// What the proposer locked.
        deposit: Tokens,
        /// When it was made.
        proposed_at: TimestampMs,
        /// Until when votes are taken.
        votes_until: TimestampMs,
        /// All tokens (or stake) that could vote when it was made.
        electorate: u128,
        /// The votes.
        tally: Tally,
        /// Where it stands.
        status: ProposalStatus,
        /// When something becomes of it by time alone.
        due_at: Option<TimestampMs>,
    }
}

/// What a voter says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum Choice {
    /// For it.
    Yes,
    /// Against it.
    No,
    /// Neither.
    Abstain,
    /// Against it, and its proposer shall lose the deposit.
    Veto,
}

record! {
    /// A vote.
    Vote {
        /// Whose.
        voter: AccountId,
        /// What it says.
        choice: Choice,
        /// The tokens behind it.
        weight: u128,
        /// What the rules made of them.
        power: u128,
    }
}

record! {
    /// Tokens that an account locked for voting.
    VotingLock {
        /// How many.
        amount: Tokens,
        /// Until when: the end of the last proposal on which it voted.
        until: TimestampMs,
    }
}

/// Where a spend of the council stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum SpendStatus {
    /// It waits for its time.
    Pending,
    /// It was paid.
    Paid,
    /// The treasury held too little when its time came.
    Failed,
    /// The council took it back.
    Cancelled,
}

record! {
    /// A spend of the council.
    CouncilSpend {
        /// Its number.
        id: u64,
        /// To whom.
        to: AccountId,
        /// How many tokens.
        amount: Tokens,
        /// What for.
        memo: String,
        /// When it is paid.
        execute_at: TimestampMs,
        /// Where it stands.
        status: SpendStatus,
    }
}

/// Why the treasury paid.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutflowReason {
    /// A proposal, by its number.
    Proposal(u64),
    /// A spend of the council, by its number.
    Council(u64),
    /// The buy-back of tokens.
    BuyBack,
}

record! {
    /// Money that left the treasury.
    Outflow {
        /// Its number.
        number: u64,
        /// When.
        at: TimestampMs,
        /// Why.
        reason: OutflowReason,
        /// To which account; none: into the pool, or burned.
        to: Option<AccountId>,
        /// Tokens.
        tokens: Tokens,
        /// Credits.
        credits: Credits,
    }
}

record! {
    /// The pool: what `Vault::Pool` holds, and what it did.
    Pool {
        /// Tokens in it.
        tokens: Tokens,
        /// Credits in it.
        credits: Credits,
        /// All tokens that accounts sold to it.
        sold: Tokens,
        /// All credits that they got.
        paid: Credits,
        /// All tokens that were bought back and burned.
        bought: Tokens,
        /// All credits that the treasury paid for them.
        spent: Credits,
    }
}
