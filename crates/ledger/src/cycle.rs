//! What happens in every block beside its transactions, at block time: the only list of it.

use std::sync::Arc;

use remuda_types::{Hash, Height, TimestampMs};

use crate::accounts;
use crate::economy::Economy;
use crate::error::TransactionError;
use crate::genesis::Parameters;
use crate::state::{Row, State};

/// How many of the newest beacon values the state keeps.
pub const BEACONS_KEPT: u64 = 1_024;

/// The surroundings of one block.
#[derive(Debug)]
pub(crate) struct Cycle {
    /// The time of the block being built.
    pub(crate) now: TimestampMs,
    /// The time of the block before.
    pub(crate) before: TimestampMs,
    /// Its height.
    pub(crate) height: Height,
    /// The beacon of the block before: unknown when the block before that was made.
    pub(crate) beacon: Hash,
    /// What the transactions of the block weigh that paid their fee; 0 before they ran.
    pub(crate) weight: u64,
    /// The rules.
    pub(crate) economy: Arc<Economy>,
    /// The bounds.
    pub(crate) parameters: Parameters,
}

/// One rule of every block. On an error it has no effect at all.
type Rule = fn(&mut State, &Cycle) -> Result<(), TransactionError>;

/// Before the transactions.
const BEGIN: &[Rule] = &[
    keep_beacon,
    crate::escrow::release_held,
    crate::escrow::sweep_parts,
    crate::devices::begin_sale,
    crate::devices::run_timers,
    crate::stake::sweep,
    crate::epochs::run,
    crate::points::begin,
    crate::governance::measure,
    crate::disputes::advance,
];

/// After the transactions.
const END: &[Rule] = &[
    forget_closed,
    accounts::expire,
    accounts::adjust,
    crate::credits::observe,
    crate::credits::watch,
    crate::escrow::forget_ended,
    crate::devices::forget_expired,
    crate::points::draw_due,
    crate::points::convert,
    crate::governance::run_proposals,
    crate::governance::buy_back,
    crate::governance::sweep,
    crate::disputes::forget,
];

/// When something in this state wants a block even if no transaction comes: the earliest time.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    let due = [
        crate::devices::next_due(state),
        crate::points::next_due(state),
        crate::escrow::next_release(state),
        crate::escrow::next_part_due(state),
        crate::stake::next_due(state),
        crate::epochs::next_due(state),
        crate::governance::next_due(state),
        crate::disputes::next_due(state),
    ];
    due.into_iter().flatten().min()
}

/// Runs the rules that come before the transactions.
pub(crate) fn begin(state: &mut State, cycle: &Cycle) {
    run(state, cycle, BEGIN);
}

/// Runs the rules that come after the transactions.
pub(crate) fn end(state: &mut State, cycle: &Cycle) {
    run(state, cycle, END);
}

fn run(state: &mut State, cycle: &Cycle, rules: &[Rule]) {
    for rule in rules {
        let mark = state.mark();
        if rule(state, cycle).is_err() {
            state.roll_back(mark);
        }
    }
}

fn keep_beacon(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let Some(height) = cycle.height.checked_sub(1) else { return Ok(()) };
    state.write(Row::Beacon(height, Some(cycle.beacon)));
    if let Some(old) = height.checked_sub(BEACONS_KEPT) {
        state.write(Row::Beacon(old, None));
    }
    Ok(())
}

fn forget_closed(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    state.forget_closed(cycle.now, cycle.parameters.closed_memory_ms);
    Ok(())
}
