//! What an epoch mints: its amount is split, bounded, and what nobody may take goes where the
//! rule says.

use remuda_types::{Credits, Tokens};

use super::records::{Closing, EpochSplit, Part, StreamState};
use super::rules::{Recipient, Rules, Stream, Unclaimed};
use super::stakes;
use crate::error::TransactionError;
use crate::math::{Rounding, Share, mul_div, split_by_weights};
use crate::money::{Flow, Holder, Vault};
use crate::state::{Row, State};

/// How many of the newest splits of a stream are kept.
pub const SPLITS_KEPT: u64 = 256;
/// Base units of one token, which prices are of.
const TOKEN: u128 = 1_000_000_000;

/// Splits and mints what `closing` has to give.
pub(super) fn mint(
    state: &mut State,
    rules: &Rules,
    stream: &Stream,
    held: &mut StreamState,
    closing: &mut Closing,
) -> Result<(), TransactionError> {
    let amount = closing.scheduled.add(closing.recycled)?;
    let shares = Recipient::ALL.map(|recipient| stream.split.of(recipient).billionths().into());
    let fresh = split_by_weights(amount.0, &shares)?;
    let mut sums = Sums { room: state.mintable(), ..Sums::default() };
    let mut parts = Vec::new();
    for (recipient, fresh) in Recipient::ALL.into_iter().zip(fresh) {
        let carried = held.carried.remove(&recipient).unwrap_or_default();
        sums.carried = sums.carried.add(carried)?;
        let whole = Tokens(fresh).add(carried)?;
        if !whole.is_zero() {
            parts.push(sums.share_out(rules, stream, held, closing, recipient, whole)?);
        }
    }
    state.mint_tokens(Holder::Vault(Vault::Treasury), sums.treasury, Flow::Emission)?;
    state.mint_tokens(Holder::Vault(Vault::EpochRewards), sums.pools, Flow::Emission)?;
    closing.unpaid = sums.pools;
    let minted = sums.treasury.add(sums.pools)?;
    held.minted = held.minted.add(minted)?;
    let capacity = closing.pools.get(&Recipient::Capacity).copied().unwrap_or_default();
    held.last_capacity = (capacity, closing.weight(Recipient::Capacity));
    if stream.split.capacity > Share::ZERO {
        stakes::measure(state, stream, held, closing);
    }
    keep(state, stream, closing, sums.carried, minted, parts);
    Ok(())
}

impl Closing {
    fn weight(&self, recipient: Recipient) -> u128 {
        self.weights.get(&recipient).copied().unwrap_or_default()
    }
}

/// What is left to mint, and what is to be.
#[derive(Default)]
struct Sums {
    /// What the economy's cap leaves.
    room: Tokens,
    carried: Tokens,
    treasury: Tokens,
    pools: Tokens,
}

impl Sums {
    /// As much of `wanted` as there is room for.
    fn take(&mut self, wanted: Tokens) -> Result<Tokens, TransactionError> {
        let taken = wanted.min(self.room);
        self.room = self.room.sub(taken)?;
        Ok(taken)
    }

    /// One recipient's part: what contributors share, and where the rest goes.
    fn share_out(
        &mut self,
        rules: &Rules,
        stream: &Stream,
        held: &mut StreamState,
        closing: &mut Closing,
        recipient: Recipient,
        whole: Tokens,
    ) -> Result<Part, TransactionError> {
        let weight = closing.weight(recipient);
        let payable = match (recipient, weight) {
            (Recipient::Treasury, _) => whole,
            (_, 0) => Tokens::ZERO,
            (Recipient::Work, _) => whole.min(work_bound(rules, closing, held.price, weight)),
            _ => whole,
        };
        let paid = self.take(payable)?;
        if recipient == Recipient::Treasury {
            self.treasury = self.treasury.add(paid)?;
        } else {
            self.pools = self.pools.add(paid)?;
            closing.pools.insert(recipient, paid);
        }
        let unclaimed = whole.sub(paid)?;
        match stream.unclaimed {
            Unclaimed::Carried if !unclaimed.is_zero() => {
                held.carried.insert(recipient, unclaimed);
            }
            Unclaimed::Treasury => {
                let taken = self.take(unclaimed)?;
                self.treasury = self.treasury.add(taken)?;
            }
            Unclaimed::Carried | Unclaimed::NotMinted => {}
        }
        Ok(Part { recipient, paid, unclaimed, weight })
    }
}

/// The most that work is paid: κ times what was burned for it while the epoch ran, and where
/// there was a price, κ times what the paid credits are worth. Without the second bound
/// somebody could buy little and take what others burned for work that comes later.
fn work_bound(rules: &Rules, closing: &Closing, price: Option<Credits>, credits: u128) -> Tokens {
    let Some(kappa) = rules.work.kappa else { return Tokens(u128::MAX) };
    let worth = match price {
        Some(price) => mul_div(credits, TOKEN, price.0.into(), Rounding::Down),
        None => Ok(u128::MAX),
    };
    // A worth out of range is no bound.
    Tokens(kappa.of(closing.burned.0.min(worth.unwrap_or(u128::MAX))))
}

/// Keeps the split for those who ask, and forgets an old one.
fn keep(
    state: &mut State,
    stream: &Stream,
    closing: &Closing,
    carried: Tokens,
    minted: Tokens,
    parts: Vec<Part>,
) {
    let split = EpochSplit {
        stream: stream.name.clone(),
        epoch: closing.epoch,
        ended_at: closing.ended_at,
        scheduled: closing.scheduled,
        recycled: closing.recycled,
        carried,
        burned: closing.burned,
        minted,
        parts,
    };
    if let Some(old) = closing.epoch.checked_sub(SPLITS_KEPT) {
        state.write(Row::EpochSplit((stream.name.clone(), old), None));
    }
    state.write(Row::EpochSplit((stream.name.clone(), closing.epoch), Some(split)));
}
