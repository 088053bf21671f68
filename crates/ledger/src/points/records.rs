//! What the room of points keeps.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, Height, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use super::amount::Points;
use crate::math::Fixed;
use crate::query::record;

/// A team's number; numbers count from 1.
pub type TeamNumber = u64;

record! {
    /// What an account has of points, and what belongs to them.
    #[derive(Default)]
    PointsAccount {
        /// Its place among all accounts that came to points, from 1.
        number: u64,
        /// Points of its own work.
        work: Points,
        /// What its team added.
        team_bonus: Points,
        /// What the work of those that it invited added.
        referral: Points,
        /// What it found in chests.
        won: Points,
        /// Whether its work counts it as qualified.
        qualified: bool,
        /// Its team.
        team: Option<TeamNumber>,
        /// From when it may enter a team.
        team_from: TimestampMs,
        /// Who invited it.
        inviter: Option<AccountId>,
        /// How many named it as their inviter.
        invited: u32,
        /// Chests that teams and invitations brought, at most the cap.
        brought: u32,
        /// Chests that it opened, or that wait for their draw.
        opened: u32,
        /// The number of its certificate, from 1.
        certificate: Option<u32>,
        /// What its points became.
        converted: Tokens,
        /// Of that, what it took.
        released: Tokens,
    }
}

record! {
    /// A team.
    Team {
        /// Its number.
        number: TeamNumber,
        /// A name for people.
        name: String,
        /// Who formed it.
        founder: AccountId,
        /// How many are in it.
        members: u32,
        /// How many of them are qualified.
        qualified: u32,
    }
}

record! {
    /// Chests of one account that were committed to be opened in one block.
    #[derive(Copy)]
    Opening {
        /// How many.
        count: u32,
        /// How many of them were drawn.
        drawn: u32,
        /// The credits set aside for each.
        reserve: Credits,
    }
}

record! {
    /// What the last draw for an account gave.
    Drawn {
        /// In which block it was committed.
        committed: Height,
        /// The block whose beacon decided.
        beacon: Height,
        /// Which of the economy's prizes, from 0, one for each chest.
        prizes: Vec<u8>,
    }
}

/// Where the points of a network are in their life.
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
pub enum Phase {
    /// Work earns points.
    #[default]
    Open,
    /// No more points; open draws are awaited.
    Ended,
    /// Points become tokens, some accounts in each block.
    Converting {
        /// Since when the tokens vest.
        since: TimestampMs,
        /// All tokens of the conversion.
        pool: Tokens,
        /// The points among which the pool is divided.
        among: Points,
        /// The last account that was converted.
        last: Option<AccountId>,
        /// Of the pool, what is not yet an account's.
        left: Tokens,
    },
    /// All points became tokens.
    Converted {
        /// Since when the tokens vest.
        since: TimestampMs,
    },
}

record! {
    /// The sums of points.
    PointsBook {
        /// When points began: the first block with their rules.
        started_at: TimestampMs,
        /// Where they are in their life.
        phase: Phase,
        /// By what work is multiplied in this season.
        multiplier: Fixed,
        /// How many accounts came to points.
        accounts: u64,
        /// How many are qualified.
        qualified: u64,
        /// How many teams there ever were.
        teams: u64,
        /// How many certificates there are.
        certificates: u32,
        /// All points.
        total: Points,
        /// All points of accounts with a certificate.
        certified: Points,
        /// Credits for chests.
        funded: Credits,
        /// Of them, what is set aside for chests that wait for their draw.
        reserved: Credits,
    }
}

record! {
    /// The chests of an account.
    ChestStatus {
        /// How many it earned so far.
        earned: u32,
        /// How many it opened, or committed to open.
        opened: u32,
        /// How many it may still open, by what it earned and by the cap.
        openable: u32,
        /// How many wait for their draw.
        waiting: u32,
        /// What the last draw gave.
        last: Option<Drawn>,
    }
}

impl PointsAccount {
    /// All its points.
    ///
    /// # Errors
    /// [`remuda_types::AmountError::Overflow`].
    pub fn total(&self) -> Result<Points, remuda_types::AmountError> {
        self.work.add(self.team_bonus)?.add(self.referral)?.add(self.won)
    }
}
