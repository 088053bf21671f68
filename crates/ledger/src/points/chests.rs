//! Treasure chests: earned, never sold. Whoever opens one commits in a block, and the beacon
//! of the block after the next decides, which nobody knew then.

use remuda_types::{AccountId, Credits, Hash, Height};

use super::award::Reason;
use super::error::PointsError;
use super::records::{ChestStatus, Drawn, Opening, PointsAccount};
use super::rules::{ChestRules, Content, Rules};
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::Share;
use crate::money::{Holder, Vault};
use crate::state::{Row, State};

/// The most chests that one block draws.
pub const DRAWS_PER_BLOCK_MAX: u32 = 256;
/// How many blocks after the commitment the beacon is that decides.
pub const DRAW_AFTER: u64 = 2;
const DOMAIN: &str = "remuda/chest/1";

type Done = Result<(), TransactionError>;

/// What a beacon draws for one chest: the prize's place in the economy's list. Anyone can
/// repeat it. `None` when the list is empty.
#[must_use]
pub fn draw(
    rules: &ChestRules,
    beacon: &Hash,
    account: &AccountId,
    committed: Height,
    chest: u32,
) -> Option<u8> {
    let height = committed.to_le_bytes();
    let bytes = [&beacon.0[..], &account.0.0, &height, &chest.to_le_bytes()].concat();
    let digest = Hash::derive(DOMAIN, &bytes);
    let mut number = [0; 8];
    number.copy_from_slice(&digest.0[..8]);
    // Even over the billionths, but for a part in 2^34.
    let whole = u128::from(Share::ALL.billionths());
    let mut point = (u128::from(u64::from_le_bytes(number)) * whole) >> 64;
    for (index, prize) in rules.prizes.iter().enumerate() {
        let odds = u128::from(prize.odds.billionths());
        if point < odds {
            return u8::try_from(index).ok();
        }
        point -= odds;
    }
    None
}

/// How many chests an account earned so far: by work, and by what teams and invitations
/// brought.
fn earned(rules: &ChestRules, account: &PointsAccount) -> u32 {
    let by_work = account.work.0.checked_div(rules.milestone.0).unwrap_or(0);
    u32::try_from(by_work).unwrap_or(u32::MAX).saturating_add(account.brought)
}

/// The chests of an account.
pub(super) fn status(state: &State, rules: &ChestRules, id: &AccountId) -> ChestStatus {
    let account = state.points_account(id).unwrap_or_default();
    let earned = earned(rules, &account);
    let openings = state.indexes.points.openings_of.get(id).into_iter().flatten();
    let openings = openings.filter_map(|height| state.tables.chest_openings.get(&(*height, *id)));
    ChestStatus {
        earned,
        opened: account.opened,
        openable: earned.min(rules.cap).saturating_sub(account.opened),
        waiting: openings.map(|opening| opening.count - opening.drawn).sum(),
        last: state.tables.chests_drawn.get(id).cloned(),
    }
}

/// The signer commits to opening chests.
pub(super) fn open(state: &mut State, context: &Context<'_>, count: u32) -> Verdict {
    let rules = &context.economy.points.chests;
    if rules.cap == 0 {
        return Err(PointsError::Off.into());
    }
    if count == 0 {
        return Err(TransactionError::ZeroAmount);
    }
    let id = context.account();
    let mut account = state.points_account(&id).unwrap_or_default();
    let (cap, opened) = (rules.cap, account.opened);
    let after = opened.checked_add(count).filter(|after| *after <= cap);
    let after = after.ok_or(PointsError::ChestCap { cap, opened })?;
    let earned = earned(rules, &account);
    if after > earned {
        return Err(PointsError::NoChest { openable: earned.saturating_sub(opened) }.into());
    }
    account.opened = after;
    state.put_points_account(id, account);
    commit(state, context.height, id, count, rules.credits_max())?;
    Ok(Effects::default())
}

/// Enters the commitment and sets aside what its chests may hold.
fn commit(state: &mut State, height: Height, id: AccountId, count: u32, reserve: Credits) -> Done {
    let mut book = state.points_book();
    let needed = reserve.0.checked_mul(count.into()).ok_or(TransactionError::Overflow)?;
    book.reserved = book.reserved.add(Credits(needed))?;
    if book.reserved > book.funded {
        return Err(PointsError::ChestsUnfunded.into());
    }
    state.put_points_book(book);
    let known = state.tables.chest_openings.get(&(height, id));
    let before = known.map_or(0, |opening| opening.count);
    let count = before.checked_add(count).ok_or(TransactionError::Overflow)?;
    let opening = Opening { count, drawn: 0, reserve };
    state.write(Row::ChestOpening((height, id), Some(opening)));
    Ok(())
}

/// The signer gives credits that chests may hold.
pub(super) fn fund(state: &mut State, context: &Context<'_>, credits: Credits) -> Verdict {
    if credits.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    if context.economy.points.chests.cap == 0 {
        return Err(PointsError::Off.into());
    }
    let mut book = state.points_book();
    book.funded = book.funded.add(credits)?;
    state.put_points_book(book);
    let from = Holder::Account(context.account());
    state.move_credits(from, Holder::Vault(Vault::Points), credits)?;
    Ok(Effects::default())
}

/// Every block: draws chests whose beacon is known, the oldest first; the rest waits.
pub(crate) fn draw_due(state: &mut State, cycle: &Cycle) -> Done {
    let mut left = DRAWS_PER_BLOCK_MAX;
    while left > 0 {
        let first = state.tables.chest_openings.iter().next();
        let Some((&(committed, id), opening)) = first else { return Ok(()) };
        let decides = committed.saturating_add(DRAW_AFTER);
        if decides >= cycle.height {
            return Ok(());
        }
        // One that waited so long that its beacon is forgotten gets the newest.
        let newest = cycle.height - 1;
        let (height, beacon) = match state.beacon(decides) {
            Some(beacon) => (decides, beacon),
            None => (newest, cycle.beacon),
        };
        let opening = *opening;
        let count = left.min(opening.count.saturating_sub(opening.drawn));
        left -= count.max(1);
        let turn = Turn { id, committed, height, beacon };
        turn.draw(state, &cycle.economy.points, opening, count)?;
    }
    Ok(())
}

/// Draws for one commitment.
struct Turn {
    id: AccountId,
    committed: Height,
    height: Height,
    beacon: Hash,
}

impl Turn {
    fn draw(&self, state: &mut State, rules: &Rules, opening: Opening, count: u32) -> Done {
        let (first, last) = (opening.drawn, opening.drawn.saturating_add(count));
        let mut prizes = match state.tables.chests_drawn.get(&self.id) {
            Some(drawn) if first > 0 && drawn.committed == self.committed => drawn.prizes.clone(),
            _ => Vec::new(),
        };
        for chest in first..last {
            let index = draw(&rules.chests, &self.beacon, &self.id, self.committed, chest);
            let prize = index.and_then(|index| rules.chests.prizes.get(usize::from(index)));
            let content = prize.map_or(Content::Nothing, |prize| prize.content);
            self.give(state, rules, content, opening.reserve)?;
            prizes.extend(index);
        }
        let drawn = Drawn { committed: self.committed, beacon: self.height, prizes };
        state.write(Row::ChestsDrawn(self.id, Some(drawn)));
        let rest = Opening { drawn: last, ..opening };
        let rest = (last < rest.count).then_some(rest);
        state.write(Row::ChestOpening((self.committed, self.id), rest));
        Ok(())
    }

    /// Gives what is in one chest, and frees what was set aside for it.
    fn give(&self, state: &mut State, rules: &Rules, content: Content, reserve: Credits) -> Done {
        let mut book = state.points_book();
        book.reserved = book.reserved.sub(reserve)?;
        match content {
            Content::Nothing => state.put_points_book(book),
            Content::Points(points) => {
                state.put_points_book(book);
                state.add_points(self.id, points, Reason::Chest)?;
            }
            Content::Certificate(instead) => {
                state.put_points_book(book);
                let account = state.enter_points(self.id)?;
                if state.certify(self.id, account, rules.certificates.cap).is_err() {
                    state.add_points(self.id, instead, Reason::Chest)?;
                }
            }
            Content::Credits(credits) => {
                // The rules may promise more by now than when it was set aside.
                let credits = credits.min(reserve);
                book.funded = book.funded.sub(credits)?;
                state.put_points_book(book);
                let to = Holder::Account(self.id);
                state.move_credits(Holder::Vault(Vault::Points), to, credits)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::{Points, Prize};

    /// Each prize comes about as often as its odds say.
    #[test]
    fn odds_hold() {
        let prize = |percent, content| Prize { odds: Share::percent(percent), content };
        let prizes = vec![
            prize(70, Content::Nothing),
            prize(25, Content::Points(Points::ONE)),
            prize(5, Content::Certificate(Points::ZERO)),
        ];
        let rules = ChestRules { cap: 825, prizes, ..ChestRules::default() };
        let account = AccountId(Hash([7; 32]));
        let mut counts = [0_u32; 3];
        for chest in 0..20_000 {
            let index = draw(&rules, &Hash([9; 32]), &account, 5, chest).unwrap();
            counts[usize::from(index)] += 1;
        }
        assert!(counts[0].abs_diff(14_000) < 300, "{counts:?}");
        assert!(counts[1].abs_diff(5_000) < 300, "{counts:?}");
        assert!(counts[2].abs_diff(1_000) < 150, "{counts:?}");
        assert_eq!(draw(&ChestRules::default(), &Hash([9; 32]), &account, 5, 0), None);
    }
}
