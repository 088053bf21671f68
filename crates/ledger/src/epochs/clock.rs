//! The clock of epochs, and what is noted while one runs.

use remuda_types::{AccountId, Credits, NodeId, TimestampMs, Tokens};

use super::records::{Closing, Phase, StreamState};
use super::rules::{Recipient, Rules, Stream};
use super::schedule::Progress;
use super::{closing, stakes};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Fixed, Share};
use crate::money::Flow;
use crate::state::{Row, State};

/// What one block may still do.
pub(super) struct Budget {
    /// Epochs that it may begin to close.
    epochs: u32,
    /// Records that it may weigh or pay.
    pub(super) items: usize,
}

impl State {
    /// What an account is owed for epochs.
    pub(crate) fn rewards_of(&self, account: &AccountId) -> Tokens {
        self.tables.rewards.get(account).copied().unwrap_or_default()
    }

    /// Notes that a provider was paid for work: its weight in the work of the running epoch,
    /// of every stream that pays for work.
    pub(crate) fn note_work(
        &mut self,
        provider: NodeId,
        paid: Credits,
    ) -> Result<(), TransactionError> {
        self.note_duty(Recipient::Work, provider, paid.0.into())
    }

    /// Notes what a node did in the running epoch, of every stream that pays for it. Rooms
    /// that know who checked, validated or served call this.
    pub(crate) fn note_duty(
        &mut self,
        recipient: Recipient,
        node: NodeId,
        weight: u128,
    ) -> Result<(), TransactionError> {
        if weight == 0 {
            return Ok(());
        }
        let economy = self.economy();
        let paying = |stream: &&Stream| stream.split.of(recipient) > Share::ZERO;
        for stream in economy.epochs.streams.iter().filter(paying) {
            if let Some(held) = self.tables.streams.get(&stream.name) {
                let epoch = held.epoch;
                self.contribute(&stream.name, epoch, recipient, node, weight)?;
            }
        }
        Ok(())
    }

    /// Adds to a contribution.
    pub(super) fn contribute(
        &mut self,
        stream: &str,
        epoch: u64,
        recipient: Recipient,
        node: NodeId,
        weight: u128,
    ) -> Result<(), TransactionError> {
        let key = (stream.to_owned(), epoch, recipient, node);
        let before = self.tables.contributions.get(&key).copied().unwrap_or_default();
        let sum = before.checked_add(weight).ok_or(TransactionError::Overflow)?;
        self.write(Row::Contribution(key, Some(sum)));
        Ok(())
    }

    /// All tokens ever burned for work, as far as the rules count them.
    fn burned_for_work(&self, rules: &Rules) -> Result<Tokens, TransactionError> {
        let purchases = rules.work.purchases.of(self.flow(Flow::CreditPurchase).0);
        let fees = self.flow(Flow::JobFee).add(self.flow(Flow::BaseFee))?;
        Ok(fees.add(Tokens(purchases))?)
    }
}

/// Ends the epochs whose time is over, and goes on with those that are being closed, as far
/// as one block may.
pub(crate) fn run(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let rules = &cycle.economy.epochs;
    let mut budget = Budget {
        epochs: rules.epochs_per_block,
        items: usize::try_from(rules.items_per_block).unwrap_or(usize::MAX),
    };
    for stream in &rules.streams {
        let mut held = match state.tables.streams.get(&stream.name) {
            Some(held) => held.clone(),
            None => first(state, stream, rules, cycle.before)?,
        };
        if rules.work.kappa.is_some() {
            held.price = state.price(cycle.now).or(held.price);
        }
        // Each round ends an epoch or uses up at least one item.
        while budget.items > 0 {
            if held.closing.is_some() {
                closing::go_on(state, cycle, stream, &mut held, &mut budget)?;
            } else if held.ends_at <= cycle.now && budget.epochs > 0 {
                budget.epochs -= 1;
                end(state, stream, rules, &mut held)?;
            } else {
                break;
            }
        }
        state.write(Row::Stream(stream.name.clone(), Some(held)));
    }
    Ok(())
}

/// When an epoch ends, or at once while one is being closed, one waits for its turn, or a
/// stream has not begun.
pub(crate) fn next_due(state: &State) -> Option<TimestampMs> {
    let economy = state.economy();
    let streams = economy.epochs.streams.iter();
    let held: Vec<_> = streams.map(|stream| state.tables.streams.get(&stream.name)).collect();
    // When the running epoch of a stream began that has ended one before: a time that has come.
    let come = held.iter().flatten().filter(|held| held.epoch > 0).map(|held| held.started_at);
    let come = come.max().unwrap_or_default();
    let waits = |held: &StreamState| held.closing.is_some() || held.ends_at <= come;
    if held.iter().flatten().any(|held| waits(held)) {
        // A height stands for a time long past. Each block's is another, so that the next block
        // is as urgent as the last.
        return state.tables.beacons.keys().next_back().copied();
    }
    held.into_iter().map(|held| held.map_or(0, |held| held.ends_at)).min()
}

/// A stream whose first epoch begins after its delay.
fn first(
    state: &State,
    stream: &Stream,
    rules: &Rules,
    now: TimestampMs,
) -> Result<StreamState, TransactionError> {
    let started_at = now.saturating_add(stream.delay.ms());
    Ok(StreamState {
        epoch: 0,
        started_at,
        ends_at: started_at.saturating_add(stream.length.ms()),
        progress: Progress::default(),
        minted: Tokens::ZERO,
        burned_for_work: state.burned_for_work(rules)?,
        burned: state.supply().burned,
        price: None,
        carried: [].into(),
        power: Fixed::ZERO,
        last_capacity: (Tokens::ZERO, 0),
        closing: None,
    })
}

/// Ends the running epoch: what it has to give is fixed, the next one runs.
fn end(
    state: &mut State,
    stream: &Stream,
    rules: &Rules,
    held: &mut StreamState,
) -> Result<(), TransactionError> {
    let for_work = state.burned_for_work(rules)?;
    let worked = for_work.excess_over(held.burned_for_work);
    let burned = state.supply().burned;
    let recycled = burned.excess_over(held.burned).min(stream.recycle);
    let next = stream.schedule.advance(&held.progress, worked, held.power)?;
    let clip = |sum: Tokens| if stream.cap.is_zero() { sum } else { sum.min(stream.cap) };
    let scheduled = clip(next.scheduled).excess_over(clip(held.progress.scheduled));
    let weighed = stream.split.capacity > Share::ZERO;
    let closing = Closing {
        epoch: held.epoch,
        ended_at: held.ends_at,
        scheduled,
        recycled,
        burned: worked,
        phase: if weighed { Phase::Count } else { Phase::Sum },
        device: None,
        contribution: None,
        statistics: super::formulas::Statistics::default(),
        weights: [].into(),
        pools: [].into(),
        paid_weight: 0,
        unpaid: Tokens::ZERO,
    };
    stakes::weigh(state, rules, stream, &closing)?;
    held.closing = Some(Box::new(closing));
    held.progress = next;
    (held.burned_for_work, held.burned) = (for_work, burned);
    held.epoch = held.epoch.checked_add(1).ok_or(TransactionError::Overflow)?;
    held.started_at = held.ends_at;
    held.ends_at = held.ends_at.saturating_add(stream.length.ms());
    Ok(())
}
