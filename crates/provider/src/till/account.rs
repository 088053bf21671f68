//! One channel's account: pure bookkeeping under a lock, no disk, no network.
//!
//! `owed = ended + running`: what ended jobs earned and what running ones have delivered.
//! A voucher beyond all that is known to be owed acknowledges what a crash made us forget,
//! and raises `ended` to it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use remuda_ledger::Channel;
use remuda_types::{
    AmountError, ChannelId, Credits, NodeId, PublicKey, Signed, TimestampMs, Voucher,
};
use thiserror::Error;
use tokio::sync::Notify;

use super::Till;
use super::store::Record;
use crate::shared::now_ms;

/// Receipt numbers are reserved on disk in steps of this many.
const SEQUENCE_STEP: u64 = 1_024;
/// After a crash, numbering goes on this far above what was reserved: more than can be
/// signed before a reservation reaches the disk.
const SEQUENCE_GAP: u64 = 16 * SEQUENCE_STEP;
/// The most client nodes whose leave to use a channel is remembered.
const USERS_MAX: usize = 16;

/// Why a voucher is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum VoucherError {
    /// Of another channel.
    #[error("the voucher is of another channel")]
    OtherChannel,
    /// Not signed by the channel's payer.
    #[error("the voucher is not signed by the channel's payer")]
    Forged,
    /// More than the channel holds, as far as the ledger's record here says.
    #[error("the voucher promises more than the channel holds")]
    BeyondDeposit,
}

/// The money of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    /// Earned by ended jobs.
    pub(crate) ended: Credits,
    /// Delivered by running jobs.
    pub(crate) running: Credits,
    /// The best voucher's sum.
    pub(crate) vouchered: Credits,
    /// Taken on the ledger.
    pub(crate) redeemed: Credits,
    /// What the channel holds in all.
    pub(crate) deposit: Credits,
}

impl Balance {
    /// All that was delivered. No sum here can overflow: [`Books::run`] checked it.
    pub(crate) fn owed(&self) -> Credits {
        self.ended.add(self.running).unwrap_or(Credits(u64::MAX))
    }

    /// Delivered and not covered by a voucher.
    pub(crate) fn unpaid(&self) -> Credits {
        self.owed().excess_over(self.vouchered)
    }

    /// Covered by a voucher and not redeemed.
    pub(crate) fn unredeemed(&self) -> Credits {
        self.vouchered.excess_over(self.redeemed)
    }

    /// What the channel can still pay.
    pub(crate) fn left(&self) -> Credits {
        let used = self.owed().max(self.vouchered).max(self.redeemed);
        self.deposit.excess_over(used)
    }

    /// Whether more can be delivered before the next voucher.
    pub(crate) fn has_room(&self, window: Credits) -> bool {
        self.unpaid() <= window && self.owed() < self.deposit
    }
}

/// One channel toward this provider.
pub(crate) struct Account {
    pub(crate) id: ChannelId,
    pub(crate) payer: PublicKey,
    books: Mutex<Books>,
    /// Money came, or the channel holds more.
    pub(crate) changed: Notify,
}

struct Books {
    channel: Channel,
    checked_at: TimestampMs,
    ended: Credits,
    running: Credits,
    voucher: Option<Signed<Voucher>>,
    sequence: u64,
    reserved: u64,
    used_at: TimestampMs,
    jobs: u32,
    closing: bool,
    users: VecDeque<NodeId>,
}

impl Account {
    /// A channel that is new here.
    pub(super) fn open(channel: Channel) -> Self {
        let redeemed = channel.redeemed;
        Self::new(Record {
            channel,
            checked_at: now_ms(),
            // What was redeemed was earned, in a life whose till is lost.
            ended: redeemed,
            sequence: 0,
            voucher: None,
            used_at: now_ms(),
        })
    }

    /// A channel of an earlier life.
    pub(super) fn adopt(mut record: Record) -> Self {
        record.sequence = record.sequence.saturating_add(SEQUENCE_GAP);
        Self::new(record)
    }

    fn new(record: Record) -> Self {
        let mut books = Books {
            ended: record.ended,
            running: Credits::ZERO,
            voucher: record.voucher,
            sequence: record.sequence,
            reserved: record.sequence.saturating_add(SEQUENCE_STEP),
            checked_at: record.checked_at,
            used_at: record.used_at,
            jobs: 0,
            closing: false,
            users: VecDeque::new(),
            channel: record.channel,
        };
        books.acknowledge();
        let (id, payer) = (books.channel.id, books.channel.payer);
        Self { id, payer, books: Mutex::new(books), changed: Notify::new() }
    }

    /// What the disk keeps.
    pub(super) fn record(&self) -> Record {
        let books = self.books.lock();
        Record {
            channel: books.channel.clone(),
            checked_at: books.checked_at,
            ended: books.ended,
            sequence: books.reserved,
            voucher: books.voucher.clone(),
            used_at: books.used_at,
        }
    }

    /// Takes in the ledger's newest record. `true` when money or times in it changed.
    pub(super) fn refresh(&self, channel: Channel) -> bool {
        let mut books = self.books.lock();
        books.checked_at = now_ms();
        let changed = books.channel != channel;
        books.channel = channel;
        drop(books);
        if changed {
            self.changed.notify_waiters();
        }
        changed
    }

    /// What the ledger said last.
    pub(crate) fn channel(&self) -> Channel {
        self.books.lock().channel.clone()
    }

    /// How long ago the ledger said it.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.books.lock().checked_at))
    }

    /// The money.
    pub(crate) fn balance(&self) -> Balance {
        self.books.lock().balance()
    }

    /// What was taken on the ledger.
    pub(crate) fn redeemed(&self) -> Credits {
        self.books.lock().channel.redeemed
    }

    /// The ledger took the best voucher up to `redeemed`.
    pub(crate) fn note_redeemed(&self, redeemed: Credits) {
        let mut books = self.books.lock();
        books.channel.redeemed = books.channel.redeemed.max(redeemed);
    }

    /// The best voucher.
    pub(crate) fn voucher(&self) -> Option<Signed<Voucher>> {
        self.books.lock().voucher.clone()
    }

    /// Takes in a voucher; `true` when it is better than the one before. Lower and repeated
    /// ones of the payer are harmless.
    pub(super) fn take(&self, voucher: Signed<Voucher>) -> Result<bool, VoucherError> {
        if voucher.body.channel != self.id {
            return Err(VoucherError::OtherChannel);
        }
        if self.books.lock().voucher.as_ref() == Some(&voucher) {
            return Ok(false);
        }
        // Outside the lock: this is the expensive part.
        voucher.verify_by(&self.payer).map_err(|_| VoucherError::Forged)?;
        let mut books = self.books.lock();
        if voucher.body.cumulative > books.channel.deposit {
            return Err(VoucherError::BeyondDeposit);
        }
        if !books.improves(&voucher.body) {
            return Ok(false);
        }
        books.voucher = Some(voucher);
        books.acknowledge();
        drop(books);
        self.changed.notify_waiters();
        Ok(true)
    }

    /// The number of the next receipt, and whether the reservation must be written.
    pub(crate) fn next_sequence(&self) -> (u64, bool) {
        let mut books = self.books.lock();
        books.sequence += 1;
        let due = books.sequence + SEQUENCE_STEP / 2 > books.reserved;
        if due {
            books.reserved = books.sequence + SEQUENCE_STEP;
        }
        (books.sequence, due)
    }

    /// Whether the payer gave `node` leave to use this channel.
    pub(crate) fn is_user(&self, node: &NodeId) -> bool {
        self.books.lock().users.contains(node)
    }

    /// Remembers the payer's leave; the oldest is forgotten when there are too many.
    pub(crate) fn add_user(&self, node: NodeId) {
        let mut books = self.books.lock();
        if books.users.contains(&node) {
            return;
        }
        if books.users.len() >= USERS_MAX {
            books.users.pop_front();
        }
        books.users.push_back(node);
    }

    /// Jobs that run on this channel.
    pub(crate) fn jobs(&self) -> u32 {
        self.books.lock().jobs
    }

    /// How long no job has run.
    pub(crate) fn idle(&self) -> Duration {
        let books = self.books.lock();
        if books.jobs > 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(now_ms().saturating_sub(books.used_at))
    }

    /// Lets no new job begin, if none runs: the channel is about to be closed.
    pub(crate) fn begin_closing(&self) -> bool {
        let mut books = self.books.lock();
        books.closing = books.jobs == 0;
        books.closing
    }

    /// The channel was not closed after all.
    pub(crate) fn stop_closing(&self) {
        self.books.lock().closing = false;
    }

    /// Whether the channel is being closed by this provider.
    pub(crate) fn is_closing(&self) -> bool {
        self.books.lock().closing
    }
}

impl Books {
    fn balance(&self) -> Balance {
        Balance {
            ended: self.ended,
            running: self.running,
            vouchered: self.vouchered(),
            redeemed: self.channel.redeemed,
            deposit: self.channel.deposit,
        }
    }

    fn vouchered(&self) -> Credits {
        self.voucher.as_ref().map_or(Credits::ZERO, |voucher| voucher.body.cumulative)
    }

    fn improves(&self, voucher: &Voucher) -> bool {
        match &self.voucher {
            None => true,
            Some(best) => {
                let best = &best.body;
                voucher.cumulative > best.cumulative
                    || (voucher.cumulative == best.cumulative
                        && voucher.sequence > best.sequence
                        && voucher.receipt.is_some())
            }
        }
    }

    /// What the payer acknowledged beyond the running jobs was earned before.
    fn acknowledge(&mut self) {
        self.ended = self.ended.max(self.vouchered().excess_over(self.running));
    }

    /// A running job's amount changes.
    fn run(&mut self, before: Credits, after: Credits) -> Result<(), AmountError> {
        let running = self.running.sub(before)?.add(after)?;
        running.add(self.ended)?;
        self.running = running;
        Ok(())
    }
}

/// What one running job has delivered. Dropping it ends the job: the amount stays owed.
pub(crate) struct Tab {
    till: Till,
    pub(crate) account: Arc<Account>,
    amount: Credits,
    ended: bool,
}

impl Tab {
    pub(super) fn open(till: Till, account: Arc<Account>) -> Self {
        let mut books = account.books.lock();
        books.jobs += 1;
        books.used_at = now_ms();
        drop(books);
        Self { till, account, amount: Credits::ZERO, ended: false }
    }

    /// The job has now delivered for `amount`.
    pub(crate) fn set(&mut self, amount: Credits) -> Result<(), AmountError> {
        self.account.books.lock().run(self.amount, amount)?;
        self.amount = amount;
        Ok(())
    }

    /// What a receipt for this job states as the channel's sum: all ended jobs and this one.
    pub(crate) fn cumulative(&self) -> Credits {
        let ended = self.account.books.lock().ended;
        if self.ended { ended } else { ended.add(self.amount).unwrap_or(ended) }
    }

    /// The number of the next receipt.
    pub(crate) fn next_sequence(&self) -> u64 {
        let (sequence, write) = self.account.next_sequence();
        if write {
            self.till.mark(self.account.id);
        }
        sequence
    }

    /// Whether more can be delivered before the next voucher.
    pub(crate) fn has_room(&self, window: Credits) -> bool {
        self.account.balance().has_room(window)
    }

    /// The job has ended: its amount counts as earned from now on.
    pub(crate) fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut books = self.account.books.lock();
        // Checked by `set`: neither can leave its range.
        books.running = books.running.excess_over(self.amount);
        books.ended = books.ended.add(self.amount).unwrap_or(books.ended);
        books.used_at = now_ms();
        drop(books);
        self.till.mark(self.account.id);
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.end();
        // Until here the job's last voucher may still come: the channel counts as used.
        let mut books = self.account.books.lock();
        books.jobs = books.jobs.saturating_sub(1);
    }
}
