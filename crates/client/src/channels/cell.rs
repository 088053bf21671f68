//! One channel, shared by all jobs that run on it, and a job's place on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use remuda_types::{
    ChannelId, ChannelUse, Credits, NodeId, PublicKey, ReceiptId, SecretKey, Signed, TimestampMs,
    Voucher,
};
use thiserror::Error;

use super::account::{Adoption, ChannelAccount, JobKey};

/// The provider showed a voucher that the payer did not sign for this channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the provider shows a voucher that is not the payer's")]
pub(crate) struct NotOurVoucher;

#[derive(Debug)]
pub(crate) struct Cell {
    id: ChannelId,
    expires_at: TimestampMs,
    node: NodeId,
    window: Credits,
    retired: AtomicBool,
    account: Mutex<ChannelAccount>,
    leave: Mutex<Leave>,
}

/// The payer's leave for this node to use the channel, and the connection that has seen it.
#[derive(Debug, Default)]
struct Leave {
    signed: Option<Signed<ChannelUse>>,
    shown_on: Option<usize>,
}

impl Cell {
    pub(super) fn new(account: ChannelAccount, node: NodeId, window: Credits) -> Self {
        Self {
            id: account.id(),
            expires_at: account.expires_at(),
            node,
            window,
            retired: AtomicBool::new(false),
            account: Mutex::new(account),
            leave: Mutex::default(),
        }
    }

    pub(super) const fn id(&self) -> ChannelId {
        self.id
    }

    pub(super) const fn expires_at(&self) -> TimestampMs {
        self.expires_at
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.account.lock().is_idle()
    }

    pub(super) fn room(&self) -> Credits {
        self.account.lock().room()
    }

    pub(super) fn top_up(&self, amount: Credits) {
        self.account.lock().top_up(amount);
    }

    /// A place for a job that may cost `worst`, if there is room for it.
    pub(super) fn lease(cell: &Arc<Self>, worst: Credits) -> Option<Lease> {
        let mut account = cell.account.lock();
        if account.room() < worst || account.room().is_zero() {
            return None;
        }
        let key = account.begin(worst);
        Some(Lease { cell: Arc::clone(cell), key })
    }

    /// A place for a job with as much set aside as there is room for.
    pub(super) fn lease_at_most(cell: &Arc<Self>, worst: Credits) -> Lease {
        let mut account = cell.account.lock();
        let reserve = worst.min(account.room());
        let key = account.begin(reserve);
        Lease { cell: Arc::clone(cell), key }
    }
}

/// A job's place on a channel. What the job owes stays owed when the place is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    cell: Arc<Cell>,
    key: JobKey,
}

impl Lease {
    pub(super) const fn cell(&self) -> &Arc<Cell> {
        &self.cell
    }

    pub(crate) fn channel(&self) -> ChannelId {
        self.cell.id
    }

    /// The payer's leave, unless this connection has seen it.
    pub(crate) fn leave(&self, connection: usize, payer: &SecretKey) -> Option<Signed<ChannelUse>> {
        let mut leave = self.cell.leave.lock();
        if leave.shown_on == Some(connection) {
            return None;
        }
        let body = || ChannelUse { channel: self.cell.id, client: self.cell.node };
        Some(leave.signed.get_or_insert_with(|| Signed::sign(body(), payer)).clone())
    }

    /// The provider accepted a job on this connection, so it has seen the leave.
    pub(crate) fn leave_seen(&self, connection: usize) {
        self.cell.leave.lock().shown_on = Some(connection);
    }

    /// The provider says that it has not seen the leave.
    pub(crate) fn leave_lost(&self) {
        self.cell.leave.lock().shown_on = None;
    }

    /// Takes in what the provider says of the channel.
    ///
    /// # Errors
    /// [`NotOurVoucher`].
    pub(crate) fn adopt(
        &self,
        voucher: Option<&Signed<Voucher>>,
        earned: Credits,
        payer: &PublicKey,
    ) -> Result<Adoption, NotOurVoucher> {
        let mut account = self.cell.account.lock();
        // Only a voucher that says more than is known here is worth checking.
        let news = voucher.filter(|it| account.is_news(&it.body));
        if let Some(it) = news
            && (it.body.channel != self.cell.id || it.verify_by(payer).is_err())
        {
            return Err(NotOurVoucher);
        }
        Ok(account.adopt(news.map(|it| &it.body), earned, self.cell.window))
    }

    /// The job now owes `amount`; says how much of the channel is owed and not promised.
    pub(crate) fn meter(&self, amount: Credits) -> Credits {
        self.cell.account.lock().meter(self.key, amount)
    }

    /// What the job may still cost before the channel is empty.
    pub(crate) fn left(&self) -> Credits {
        self.cell.account.lock().left_for(self.key)
    }

    pub(super) fn reserve_more(&self, amount: Credits) {
        self.cell.account.lock().reserve_more(self.key, amount);
    }

    /// A voucher for all that is owed.
    pub(crate) fn promise(&self, payer: &SecretKey, receipt: Option<ReceiptId>) -> Signed<Voucher> {
        let voucher = self.cell.account.lock().promise(receipt);
        Signed::sign(voucher, payer)
    }

    /// The channel takes no more jobs; another will be opened.
    pub(crate) fn retire(&self) {
        self.cell.retire();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.cell.account.lock().end(self.key, Credits::ZERO);
    }
}
