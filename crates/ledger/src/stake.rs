//! Stake: what stands behind a node in a role, who put it there, what it earns, and what it is
//! lost by.
//!
//! A node enrolls itself in a role and names its owner; the owner bonds, others delegate, and
//! all of them hold shares of one pool. Rewards wait in the pool until they are claimed; a
//! slash takes them first, then bonded and unbonding stake and a co-stake alike, each in
//! proportion. What a profile does not switch on does not exist: the default has no stake.
//!
//! Other rooms ask `stake_ok`, `stake_weight`, `validators` and `efficiency`, pay through
//! `reward_stake`, and punish through `slash`.

mod actions;
mod audit;
mod co_stake;
mod error;
pub mod formulas;
mod index;
mod pools;
mod positions;
mod queries;
mod records;
mod rewards;
mod rules;
mod shares;
mod slashing;
mod standing;
#[cfg(test)]
mod tests;
mod unbonding;

pub use actions::StakeAction;
pub use error::StakeError;
pub use queries::{PositionView, StakeAnswer, StakeQuery, StakeTotals, SubjectView};
pub use records::{
    CoStake, Load, NextBribe, Offence, Offending, Risk, Role, SlashEntry, Slashed, StakeMeasures,
    StakeNumbers, StakePool, StakePosition, Standing, Subject, Terms, Unbonding,
};
pub use rules::{
    BribeRules, CoStakeRules, CommissionRules, Curve, Formula, OffenceRules, Part, PartError,
    RampRules, RequiredRules, RoleRules, Rules, SEVERITIES_MAX, Sharing, SplitRules, WeightRules,
};

pub(crate) use audit::audit;
pub(crate) use index::StakeIndexes;
pub(crate) use queries::answer;
pub(crate) use slashing::Charge;
pub(crate) use unbonding::{next_due, sweep};

use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::error::TransactionError;
use crate::state::State;

/// Subjects on which one account may have stake.
pub const POSITIONS_PER_ACCOUNT_MAX: u32 = 1_024;
/// Unbondings that one account may have at a time.
pub const UNBONDINGS_PER_ACCOUNT_MAX: u32 = 64;
/// Unbondings that one block pays; the rest follow in the next ones.
pub const UNBONDINGS_PER_BLOCK_MAX: usize = 256;
/// Slashes that the ledger remembers, the newest.
pub const SLASHES_KEPT: u64 = 1_024;
/// Harmed accounts that one report may name.
pub const AFFECTED_MAX: usize = 64;

/// What a rule of this room decides.
type Done = Result<(), TransactionError>;

/// Runs one action about stake.
pub(crate) fn execute(state: &mut State, context: &Context<'_>, action: &StakeAction) -> Verdict {
    match action {
        StakeAction::Enroll { role, owner, commission } => {
            pools::enroll(state, context, *role, *owner, *commission)
        }
        StakeAction::SetCommission { subject, commission } => {
            pools::set_commission(state, context, *subject, *commission)
        }
        StakeAction::SetBribe { subject, share } => {
            pools::set_bribe(state, context, *subject, *share)
        }
        StakeAction::Unjail { subject } => pools::unjail(state, context, *subject),
        StakeAction::Retire { subject } => pools::retire(state, context, *subject),
        StakeAction::Fund { subject, amount } => rewards::fund(state, context, *subject, *amount),
        StakeAction::Claim { subject } => rewards::claim(state, context, *subject),
        StakeAction::Judge { subject, offence, at_risk, reporter, affected } => {
            slashing::check_judge(context, affected)?;
            let affected: Vec<_> = affected.iter().map(|account| (*account, 1)).collect();
            let charge = Charge {
                subject: *subject,
                offence: *offence,
                at_risk: at_risk.clone(),
                reporter: *reporter,
                affected: &affected,
                now: context.now,
            };
            state.slash(&charge).map(|_| ())
        }
        holding => execute_holding(state, context, holding),
    }?;
    Ok(Effects::default())
}

/// The actions of stakers and co-stakers.
fn execute_holding(state: &mut State, context: &Context<'_>, action: &StakeAction) -> Done {
    match action {
        StakeAction::Bond { subject, amount } => positions::bond(state, context, *subject, *amount),
        StakeAction::Delegate { subject, amount } => {
            positions::delegate(state, context, *subject, *amount)
        }
        StakeAction::Unbond { subject, amount } => {
            unbonding::unbond(state, context, *subject, *amount)
        }
        StakeAction::CancelUnbonding { unbonding } => unbonding::cancel(state, context, *unbonding),
        StakeAction::Move { from, to, amount } => {
            positions::relocate(state, context, *from, *to, *amount)
        }
        StakeAction::OfferCoStake { subject, amount, share } => {
            co_stake::offer(state, context, *subject, *amount, *share)
        }
        StakeAction::WithdrawOffer { subject } => co_stake::withdraw(state, context, *subject),
        StakeAction::AcceptCoStake { subject, amount, share } => {
            co_stake::accept(state, context, *subject, *amount, *share)
        }
        StakeAction::EndCoStake { subject } => co_stake::end(state, context, *subject),
        // All others are in `execute`.
        _ => Ok(()),
    }
}
