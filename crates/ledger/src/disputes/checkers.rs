//! Checkers: who can be drawn, and what they deposit.

use remuda_types::{NodeId, Tokens};

use super::{Checker, DisputeError};
use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::money::{Holder, Vault};
use crate::state::{Row, State};

/// The most checkers of a network: every draw reads them all.
pub(super) const CHECKERS_MAX: u32 = 4_096;
/// The most checkers whose deposit one block gives back.
const LEAVES_PER_BLOCK_MAX: usize = 64;

/// A node (by its key) can be drawn from now on; its deposit comes from the node key's own
/// account. Enrolling again adds to it, and takes a leave back.
pub(super) fn enrol(state: &mut State, context: &Context<'_>, amount: Tokens) -> Verdict {
    let node = context.signer;
    if state.is_ejected(&node) {
        return Err(DisputeError::Ejected { node }.into());
    }
    let found = state.tables.checkers.get(&node).cloned();
    if found.is_none() && is_full(state.tables.checkers.len(), CHECKERS_MAX) {
        return Err(DisputeError::CheckersFull { most: CHECKERS_MAX }.into());
    }
    let fresh = Checker {
        bond: Tokens::ZERO,
        enrolled_at: context.height,
        verdicts: 0,
        missed: 0,
        leaves_at: None,
    };
    let mut checker = found.unwrap_or(fresh);
    checker.bond = checker.bond.add(amount)?;
    checker.leaves_at = None;
    let least = context.economy.disputes.checker_bond;
    if checker.bond < least {
        return Err(DisputeError::BondTooLow { least }.into());
    }
    let from = Holder::Account(context.account());
    state.move_tokens(from, Holder::Vault(Vault::Disputes), amount)?;
    state.write(Row::Checker(node, Some(checker)));
    Ok(Effects::default())
}

/// A checker is drawn no more; its deposit comes back after the cooldown, once it owes nothing.
pub(super) fn retire(state: &mut State, context: &Context<'_>) -> Verdict {
    let checker = state.tables.checkers.get(&context.signer).cloned();
    let checker = checker.filter(|checker| checker.leaves_at.is_none());
    let mut checker = checker.ok_or(DisputeError::NotChecker)?;
    let cooldown = context.economy.disputes.checker_cooldown;
    checker.leaves_at = Some(context.now.saturating_add(cooldown.ms()));
    state.write(Row::Checker(context.signer, Some(checker)));
    Ok(Effects::default())
}

/// Gives deposits back. One who still owes a verdict waits for another cooldown.
pub(super) fn let_go(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let leaving = state.indexes.disputes.leaving.iter().take(LEAVES_PER_BLOCK_MAX);
    let due: Vec<NodeId> =
        leaving.take_while(|(at, _)| *at <= cycle.now).map(|(_, node)| *node).collect();
    for node in due {
        let Some(mut checker) = state.tables.checkers.get(&node).cloned() else { continue };
        if state.indexes.disputes.duties.contains_key(&node) {
            let cooldown = cycle.economy.disputes.checker_cooldown.ms().max(1);
            checker.leaves_at = Some(cycle.now.saturating_add(cooldown));
            state.write(Row::Checker(node, Some(checker)));
            continue;
        }
        state.write(Row::Checker(node, None));
        let to = Holder::Account(node.into());
        state.move_tokens(Holder::Vault(Vault::Disputes), to, checker.bond)?;
    }
    Ok(())
}
