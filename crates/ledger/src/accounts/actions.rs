//! What can be done with accounts beside moving their tokens.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use super::multisig::{MultisigPolicy, SealedAction};
use super::records::MultisigProposalId;
use super::vesting::VestingTerms;
use super::{multisig, vesting};
use crate::context::{Context, Verdict};
use crate::state::State;

/// An action of this room. The signer is a member, a grantor or a beneficiary by its own key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountsAction {
    /// Anyone registers an account of several keys. Its name follows from the policy alone, so
    /// it can be paid before.
    CreateMultisig {
        /// Who approves.
        policy: MultisigPolicy,
    },
    /// A member proposes an action in the account's name, and approves it by that.
    Propose {
        /// The account.
        account: AccountId,
        /// What would be done; not an action of this kind again.
        action: SealedAction,
        /// When the proposal ends unless it has been executed.
        expires_at: TimestampMs,
    },
    /// Another member approves. The approval that reaches the threshold executes the action.
    Approve {
        /// Which.
        proposal: MultisigProposalId,
    },
    /// The proposer takes its proposal back.
    Cancel {
        /// Which.
        proposal: MultisigProposalId,
    },
    /// An account makes a grant of its own tokens.
    MakeGrant {
        /// Who it is for.
        to: AccountId,
        /// The whole grant.
        amount: Tokens,
        /// How it comes free, from now on.
        terms: VestingTerms,
        /// Whether the signer may end it: what is not free by then comes back.
        revocable: bool,
    },
    /// The beneficiary takes what is free; for a grant of the treasury anyone may.
    ClaimGrant {
        /// Which.
        grant: u64,
    },
    /// Whoever made a revocable grant ends it.
    RevokeGrant {
        /// Which.
        grant: u64,
    },
}

/// Runs one action of this room.
pub(crate) fn execute(
    state: &mut State,
    context: &Context<'_>,
    action: &AccountsAction,
) -> Verdict {
    match action {
        AccountsAction::CreateMultisig { policy } => multisig::create(state, context, policy),
        AccountsAction::Propose { account, action, expires_at } => {
            multisig::propose(state, context, *account, action, *expires_at)
        }
        AccountsAction::Approve { proposal } => multisig::approve(state, context, *proposal),
        AccountsAction::Cancel { proposal } => multisig::cancel(state, context, *proposal),
        AccountsAction::MakeGrant { to, amount, terms, revocable } => {
            vesting::make(state, context, *to, *amount, *terms, *revocable)
        }
        AccountsAction::ClaimGrant { grant } => vesting::claim(state, context, *grant),
        AccountsAction::RevokeGrant { grant } => vesting::revoke(state, context, *grant),
    }
}
