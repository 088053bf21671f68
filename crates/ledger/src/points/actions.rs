//! What accounts do about points.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits};
use serde::{Deserialize, Serialize};

use super::error::PointsError;
use super::records::{Phase, TeamNumber};
use super::{certificates, chests, conversion, teams};
use crate::context::{Context, Verdict};
use crate::state::State;

/// An action of the room; the signer's account acts.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PointsAction {
    /// The signer forms a team and enters it.
    CreateTeam {
        /// A name for people, at most 64 bytes.
        name: String,
    },
    /// The signer enters a team.
    JoinTeam {
        /// Which.
        team: TeamNumber,
    },
    /// The signer leaves its team.
    LeaveTeam,
    /// The signer says who invited it, once.
    NameInviter {
        /// Who.
        inviter: AccountId,
    },
    /// The signer commits to opening chests; a later beacon decides what is in them.
    OpenChests {
        /// How many.
        count: u32,
    },
    /// The signer gives credits that chests may hold.
    FundChests {
        /// How many.
        credits: Credits,
    },
    /// The signer takes a certificate.
    ClaimCertificate,
    /// The signer takes what is free of the tokens that its points became.
    ClaimTokens,
}

/// Runs one action.
pub(crate) fn execute(state: &mut State, context: &Context<'_>, action: &PointsAction) -> Verdict {
    if let PointsAction::ClaimTokens = action {
        return conversion::claim(state, context);
    }
    if !context.economy.points.on {
        return Err(PointsError::Off.into());
    }
    if !matches!(state.points_book().phase, Phase::Open) {
        return Err(PointsError::Ended.into());
    }
    match action {
        PointsAction::CreateTeam { name } => teams::create(state, context, name),
        PointsAction::JoinTeam { team } => teams::join(state, context, *team),
        PointsAction::LeaveTeam => teams::leave(state, context),
        PointsAction::NameInviter { inviter } => teams::name_inviter(state, context, *inviter),
        PointsAction::OpenChests { count } => chests::open(state, context, *count),
        PointsAction::FundChests { credits } => chests::fund(state, context, *credits),
        PointsAction::ClaimCertificate => certificates::claim(state, context),
        PointsAction::ClaimTokens => conversion::claim(state, context),
    }
}
