//! What the room answers without a scan.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use remuda_types::{AccountId, PublicKey, TimestampMs, Tokens};

use super::{Role, StakePool, Subject, Unbonding};
use crate::state::{Row, link};

/// The secondary indexes of stake.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct StakeIndexes {
    /// Where an account has stake.
    pub(super) positions_of: BTreeMap<AccountId, BTreeSet<Subject>>,
    /// Its stake on the way out.
    pub(super) unbondings_of: BTreeMap<AccountId, BTreeSet<u64>>,
    /// All of that, the earliest first.
    pub(super) unbondings_by_time: BTreeSet<(TimestampMs, u64)>,
    /// Subjects with an offer or a co-stake, by owner.
    pub(super) offers_of: BTreeMap<AccountId, BTreeSet<Subject>>,
    /// Subjects with an offer that nobody took.
    pub(super) open_offers: BTreeSet<Subject>,
    /// Subjects on which nothing depends.
    pub(super) empty: BTreeSet<Subject>,
    /// Active subjects with stake, the most first.
    by_stake: BTreeSet<(Role, Reverse<u128>, PublicKey)>,
    /// All stake of a role; none has no entry.
    totals: BTreeMap<Role, u128>,
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, item: T, present: bool) {
    if present {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}

impl StakeIndexes {
    /// Enters (`present`) or takes out a record.
    pub(crate) fn note(&mut self, row: &Row, present: bool) {
        match row {
            Row::StakePool(_, Some(pool)) => self.note_pool(pool, present),
            Row::StakePosition((subject, account), Some(_)) => {
                link(&mut self.positions_of, *account, *subject, present);
            }
            Row::Unbonding(id, Some(unbonding)) => self.note_unbonding(*id, unbonding, present),
            _ => {}
        }
    }

    fn note_pool(&mut self, pool: &StakePool, present: bool) {
        let (subject, stake) = (pool.subject, pool.stake());
        if let Some(co_stake) = &pool.co_stake {
            link(&mut self.offers_of, pool.owner, subject, present);
            if co_stake.holder.is_none() {
                toggle(&mut self.open_offers, subject, present);
            }
        }
        if pool.is_forgettable() {
            toggle(&mut self.empty, subject, present);
        }
        if stake.is_zero() {
            return;
        }
        if pool.standing.is_active() {
            let rank = (subject.role, Reverse(stake.0), subject.operator);
            toggle(&mut self.by_stake, rank, present);
        }
        // Exact as long as what was added is taken out again: it wraps back.
        let total = self.totals.entry(subject.role).or_default();
        *total = if present { total.wrapping_add(stake.0) } else { total.wrapping_sub(stake.0) };
        if *total == 0 {
            self.totals.remove(&subject.role);
        }
    }

    fn note_unbonding(&mut self, id: u64, unbonding: &Unbonding, present: bool) {
        link(&mut self.unbondings_of, unbonding.account, id, present);
        toggle(&mut self.unbondings_by_time, (unbonding.matures_at, id), present);
    }

    /// The active subjects of a role with stake, the most first.
    pub(super) fn ranked(&self, role: Role) -> impl Iterator<Item = (Tokens, PublicKey)> + '_ {
        let least = (role, Reverse(u128::MAX), PublicKey([0; 32]));
        let last = (role, Reverse(0), PublicKey([u8::MAX; 32]));
        let range = self.by_stake.range(least..=last);
        range.map(|(_, stake, operator)| (Tokens(stake.0), *operator))
    }

    /// All bonded stake of a role.
    pub(super) fn total(&self, role: Role) -> Tokens {
        Tokens(self.totals.get(&role).copied().unwrap_or_default())
    }
}
