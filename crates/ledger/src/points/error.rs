//! Why an action about points is refused.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::TimestampMs;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::amount::Points;

/// Why an action of this room takes no effect.
#[derive(
    Clone, Debug, PartialEq, Eq, Error, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PointsError {
    /// The economy has no points, or not this part of them.
    #[error("this network's economy has no such points")]
    Off,
    /// Points have ended.
    #[error("points have ended and become tokens; claim them")]
    Ended,
    /// There is no such team.
    #[error("there is no team {team}")]
    UnknownTeam {
        /// Which.
        team: u64,
    },
    /// An account is in one team at most.
    #[error("the account is in team {team}; leave it first")]
    InTeam {
        /// Which.
        team: u64,
    },
    /// The account is in no team.
    #[error("the account is in no team")]
    NoTeam,
    /// The account left a team lately.
    #[error("the account left a team and may enter one from {from} on")]
    TeamCooldown {
        /// From when.
        from: TimestampMs,
    },
    /// The team has as many members as it may.
    #[error("the team has {most} members, the most allowed; join another, or form one")]
    TeamFull {
        /// How many it may have.
        most: u32,
    },
    /// Nobody invites itself.
    #[error("an account cannot invite itself")]
    SelfReferral,
    /// The account named its inviter before.
    #[error("the account has named its inviter; that is once and for all")]
    InviterNamed,
    /// The inviter came to points later, or never: it cannot have invited.
    #[error("the inviter must have come to points before the account that names it")]
    InviterTooNew,
    /// The inviter has invited as many as it may.
    #[error("the inviter has invited {most}, the most allowed")]
    InvitedFull {
        /// How many it may invite.
        most: u32,
    },
    /// The account earned fewer chests.
    #[error("the account may open {openable} chests now; earn more by work, team and invitations")]
    NoChest {
        /// How many it may open.
        openable: u32,
    },
    /// More chests than one account may ever open.
    #[error("an account may open {cap} chests ever, and has opened {opened}")]
    ChestCap {
        /// How many it may open.
        cap: u32,
        /// How many it opened.
        opened: u32,
    },
    /// The credits for prizes are too few.
    #[error("the credits for prizes are used up; come back when somebody has funded more")]
    ChestsUnfunded,
    /// The account has too few points of work.
    #[error("{needed} points of work are needed, and the account has {found}")]
    NotQualified {
        /// How many are needed.
        needed: Points,
        /// How many it has.
        found: Points,
    },
    /// An account has one certificate at most.
    #[error("the account has certificate {number}; each account gets one")]
    CertificateHeld {
        /// Which.
        number: u32,
    },
    /// All certificates are given.
    #[error("all {cap} certificates are given")]
    CertificatesGone {
        /// How many there were.
        cap: u32,
    },
    /// No tokens are free.
    #[error("no tokens are free to take now; come back later")]
    NothingDue,
}

impl PointsError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Off => "points_off",
            Self::Ended => "points_ended",
            Self::UnknownTeam { .. } => "points_unknown_team",
            Self::InTeam { .. } => "points_in_team",
            Self::NoTeam => "points_no_team",
            Self::TeamCooldown { .. } => "points_team_cooldown",
            Self::TeamFull { .. } => "points_team_full",
            Self::SelfReferral => "points_self_referral",
            Self::InviterNamed => "points_inviter_named",
            Self::InviterTooNew => "points_inviter_too_new",
            Self::InvitedFull { .. } => "points_invited_full",
            Self::NoChest { .. } => "points_no_chest",
            Self::ChestCap { .. } => "points_chest_cap",
            Self::ChestsUnfunded => "points_chests_unfunded",
            Self::NotQualified { .. } => "points_not_qualified",
            Self::CertificateHeld { .. } => "points_certificate_held",
            Self::CertificatesGone { .. } => "points_certificates_gone",
            Self::NothingDue => "points_nothing_due",
        }
    }

    /// Whether the same action may well succeed later, without anything else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::TeamCooldown { .. } | Self::ChestsUnfunded | Self::NothingDue)
    }
}
