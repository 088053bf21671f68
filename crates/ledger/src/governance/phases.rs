//! The phases of a network, by measures that the ledger itself keeps (FR-12).

use remuda_types::TimestampMs;

use super::{Gate, Governance, PhaseRules};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::money::Vault;
use crate::state::{Row, State};

/// The last phase: only votes decide.
pub(super) const MATURE: u8 = 3;

impl State {
    /// The state of governance; none before the first block, or where it is not enabled.
    pub(crate) fn governance(&self) -> Option<&Governance> {
        self.tables.governance.get(&())
    }

    pub(super) fn put_governance(&mut self, governance: Governance) {
        self.write(Row::Governance((), Some(governance)));
    }
}

/// Every block: governance begins with the network, and its phase goes forward, never back.
pub(crate) fn measure(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let rules = &cycle.economy.governance;
    let begun = state.governance().cloned();
    if begun.is_none() && !rules.enabled {
        return Ok(());
    }
    let is_new = begun.is_none();
    let mut governance = begun.unwrap_or_else(|| beginning(cycle));
    let reached = reached(state, &rules.phases, cycle.now.saturating_sub(governance.began_at));
    if reached > governance.phase {
        (governance.phase, governance.phase_since) = (reached, cycle.now);
    } else if !is_new {
        return Ok(());
    }
    state.put_governance(governance);
    Ok(())
}

fn beginning(cycle: &Cycle) -> Governance {
    let began_at = cycle.before;
    let first = began_at.saturating_add(cycle.economy.governance.buy_back.period.ms());
    Governance {
        began_at,
        phase: 1,
        phase_since: began_at,
        next_proposal: 0,
        open: 0,
        next_spend: 0,
        spends_open: 0,
        next_outflow: 0,
        council_since: began_at,
        council_spent: remuda_types::Tokens::ZERO,
        council_acts: 0,
        buy_back_at: first,
        upgrade: None,
    }
}

/// The phase that the measures speak for.
fn reached(state: &State, rules: &PhaseRules, age: TimestampMs) -> u8 {
    let passes = |gate: &Gate| {
        let providers = u32::try_from(state.tables.providers.len()).unwrap_or(u32::MAX);
        providers >= gate.providers
            && state.vault(Vault::Stake).tokens >= gate.stake
            && age >= gate.age.ms()
    };
    1 + u8::from(passes(&rules.growth)) + u8::from(passes(&rules.maturity))
}
