//! Why an action about stake takes no effect.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{TimestampMs, Tokens};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::math::Share;

/// Why an action about stake takes no effect. New variants go to the end.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StakeError {
    /// The economy has no stake in this role.
    #[error("this network has no stake in that role; nothing needs to be bonded")]
    RoleClosed,
    /// There is no such subject.
    #[error("this node is not enrolled in that role; its node key enrolls it")]
    UnknownSubject,
    /// There is stake behind it, or it was ejected.
    #[error("the node has stake, pay or a record; its owner must unbond and claim all first")]
    Enrolled,
    /// As many subjects as there may be, and all have stake.
    #[error("there are {most} subjects with stake, the most allowed")]
    SubjectsFull {
        /// How many there may be.
        most: u32,
    },
    /// Only the owner may do this.
    #[error("only the subject's owner may do this")]
    NotOwner,
    /// The owner bonds, others delegate.
    #[error("the owner of a subject bonds; it does not delegate")]
    OwnSubject,
    /// The economy has no delegation.
    #[error("this network has no delegation; only owners bond")]
    DelegationOff,
    /// It was ejected for good.
    #[error("the subject was ejected for good; stake on another")]
    Ejected,
    /// Less than the least.
    #[error("the amount is below {least}, the least that counts; stake more")]
    BelowMinimum {
        /// The least.
        least: Tokens,
    },
    /// There is less than is needed.
    #[error("the stake there is {available}, and {needed} are needed")]
    InsufficientStake {
        /// What there is.
        available: Tokens,
        /// What it would take.
        needed: Tokens,
    },
    /// The account has no stake there.
    #[error("the account has no stake on this subject")]
    NoPosition,
    /// The account stakes on as many subjects as it may.
    #[error("the account stakes on {most} subjects, the most allowed; add to one of them")]
    PositionLimit {
        /// How many it may.
        most: u32,
    },
    /// The account has as many unbondings as it may.
    #[error("the account has {most} unbondings, the most allowed; wait until one matures")]
    UnbondingLimit {
        /// How many it may have.
        most: u32,
    },
    /// There is no such unbonding of this account.
    #[error("the account has no such unbonding; it may have been paid")]
    UnknownUnbonding,
    /// A co-stake does not return to the pool.
    #[error("a co-stake cannot be cancelled back; wait until it matures, or take a new offer")]
    UnbondingOfCoStake,
    /// Nothing has been earned.
    #[error("there is nothing to take now; come back later")]
    NothingToClaim,
    /// The economy moves no stake.
    #[error("stake does not move here; unbond, wait, and stake anew")]
    MovesOff,
    /// From or to where stake does not move.
    #[error("stake moves between two different active subjects of one role only")]
    MoveBetween,
    /// Moved a while ago.
    #[error("this stake moved lately; it may move again at {until}")]
    MoveTooSoon {
        /// When.
        until: TimestampMs,
    },
    /// A higher share than allowed.
    #[error("the share may be at most {most}")]
    ShareBound {
        /// The highest.
        most: Share,
    },
    /// A larger step than allowed.
    #[error("a commission changes by at most {most} at a time")]
    CommissionStep {
        /// The largest.
        most: Share,
    },
    /// Changed a while ago.
    #[error("the commission changed lately; it may change again at {until}")]
    CommissionTooSoon {
        /// When.
        until: TimestampMs,
    },
    /// The economy has no co-staking.
    #[error("this network has no co-staking")]
    CoStakeOff,
    /// There is an offer or a co-staker.
    #[error("the subject has an offer or a co-staker; end that first")]
    CoStakeExists,
    /// There is no such offer, or no such co-stake.
    #[error("there is no such offer or co-stake; read the offers again")]
    NoCoStake,
    /// As many offers as an owner may have.
    #[error("the owner has {most} offers, the most allowed; withdraw one")]
    OfferLimit {
        /// How many it may have.
        most: u32,
    },
    /// The co-staker would hold too much of the stake.
    #[error("a co-staker may hold at most {most} of the stake; the owner must bond more")]
    CoStakeBound {
        /// How much.
        most: Share,
    },
    /// It is not jailed.
    #[error("the subject is not jailed")]
    NotJailed,
    /// The term is not over.
    #[error("the subject is jailed until {until}")]
    JailedUntil {
        /// Until when.
        until: TimestampMs,
    },
    /// There are stakers.
    #[error("the subject still has stakers or a co-staker; it can retire when they have left")]
    StillStaked,
    /// Only the grantor judges, where the rules say so.
    #[error("only the grantor may judge, and only where the economy's rules say so")]
    NotJudge,
    /// More harmed accounts than one report names.
    #[error("name at most {most} harmed accounts")]
    AffectedCount {
        /// How many.
        most: u32,
    },
}

impl StakeError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RoleClosed => "stake_role_closed",
            Self::UnknownSubject => "stake_unknown_subject",
            Self::Enrolled => "stake_enrolled",
            Self::SubjectsFull { .. } => "stake_subjects_full",
            Self::NotOwner => "stake_not_owner",
            Self::OwnSubject => "stake_own_subject",
            Self::DelegationOff => "stake_delegation_off",
            Self::Ejected => "stake_ejected",
            Self::BelowMinimum { .. } => "stake_below_minimum",
            Self::InsufficientStake { .. } => "stake_insufficient",
            Self::NoPosition => "stake_no_position",
            Self::PositionLimit { .. } => "stake_position_limit",
            Self::UnbondingLimit { .. } => "stake_unbonding_limit",
            Self::UnknownUnbonding => "stake_unknown_unbonding",
            Self::UnbondingOfCoStake => "stake_unbonding_of_co_stake",
            Self::NothingToClaim => "stake_nothing_to_claim",
            Self::MovesOff => "stake_moves_off",
            Self::MoveBetween => "stake_move_between",
            Self::MoveTooSoon { .. } => "stake_move_too_soon",
            Self::ShareBound { .. } => "stake_share_bound",
            Self::CommissionStep { .. } => "stake_commission_step",
            Self::CommissionTooSoon { .. } => "stake_commission_too_soon",
            Self::CoStakeOff => "stake_co_stake_off",
            Self::CoStakeExists => "stake_co_stake_exists",
            Self::NoCoStake => "stake_no_co_stake",
            Self::OfferLimit { .. } => "stake_offer_limit",
            Self::CoStakeBound { .. } => "stake_co_stake_bound",
            Self::NotJailed => "stake_not_jailed",
            Self::JailedUntil { .. } => "stake_jailed_until",
            Self::StillStaked => "stake_still_staked",
            Self::NotJudge => "stake_not_judge",
            Self::AffectedCount { .. } => "stake_affected_count",
        }
    }
}
