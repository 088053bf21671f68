//! What can be done in governance.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, Tokens};
use serde::{Deserialize, Serialize};

use super::{Choice, ProposalKind, council, execution, pool, proposals, votes};
use crate::context::{Context, Verdict};
use crate::state::State;

/// The longest title of a proposal, in bytes.
pub const TITLE_BYTES_MAX: u32 = 128;
/// The longest text of a proposal, in bytes.
pub const TEXT_BYTES_MAX: u32 = 8_192;
/// The longest memo of a spend, in bytes.
pub const MEMO_BYTES_MAX: u32 = 256;
/// The most parameters that one proposal changes.
pub const CHANGES_MAX: u32 = 32;
/// The longest value of a parameter, in bytes of JSON.
pub const VALUE_BYTES_MAX: u32 = 8_192;

/// One action of this room. Accounts act, with their own keys.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GovernanceAction {
    /// An account proposes something and locks the deposit.
    Propose {
        /// In one line.
        title: String,
        /// In full, or where to read it.
        text: String,
        /// What it would do.
        kind: ProposalKind,
    },
    /// An account locks tokens for voting.
    LockVotes {
        /// How many.
        amount: Tokens,
    },
    /// An account takes tokens back that no vote binds.
    UnlockVotes {
        /// How many.
        amount: Tokens,
    },
    /// An account votes, or votes anew: with all that it may vote with now.
    Vote {
        /// On which proposal.
        proposal: u64,
        /// What it says.
        choice: Choice,
    },
    /// Anyone executes a proposal that passed, after its timelock.
    Execute {
        /// Which.
        proposal: u64,
    },
    /// The council vetoes an open proposal: in the first phase only.
    CouncilVeto {
        /// Which.
        proposal: u64,
    },
    /// The council passes a proposal that does not spend without waiting for the vote: in the
    /// first phase only. Its timelock runs all the same.
    CouncilPass {
        /// Which.
        proposal: u64,
    },
    /// The council spends tokens of the treasury, after its timelock: not in the last phase.
    CouncilSpend {
        /// To whom.
        to: AccountId,
        /// How many.
        amount: Tokens,
        /// What for.
        memo: String,
    },
    /// The council takes a waiting spend back. It still counts against the period.
    CouncilCancel {
        /// Which.
        spend: u64,
    },
    /// An account sells tokens to the pool for credits, which count as earned.
    Sell {
        /// How many.
        tokens: Tokens,
        /// The least that it wants for them.
        least: Credits,
    },
}

/// Runs one action of this room.
pub(crate) fn execute(
    state: &mut State,
    context: &Context<'_>,
    action: &GovernanceAction,
) -> Verdict {
    match action {
        GovernanceAction::Propose { title, text, kind } => {
            proposals::propose(state, context, title, text, kind)
        }
        GovernanceAction::LockVotes { amount } => votes::lock(state, context, *amount),
        GovernanceAction::UnlockVotes { amount } => votes::unlock(state, context, *amount),
        GovernanceAction::Vote { proposal, choice } => {
            votes::vote(state, context, *proposal, *choice)
        }
        GovernanceAction::Execute { proposal } => execution::execute(state, context, *proposal),
        GovernanceAction::CouncilVeto { proposal } => council::veto(state, context, *proposal),
        GovernanceAction::CouncilPass { proposal } => council::pass(state, context, *proposal),
        GovernanceAction::CouncilSpend { to, amount, memo } => {
            council::spend(state, context, *to, *amount, memo)
        }
        GovernanceAction::CouncilCancel { spend } => council::cancel(state, context, *spend),
        GovernanceAction::Sell { tokens, least } => pool::sell(state, context, *tokens, *least),
    }
}
