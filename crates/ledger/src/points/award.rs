//! How points come to be, and to whom: the only place that adds to them.

use remuda_types::{AccountId, TimestampMs};

use super::amount::Points;
use super::records::{Phase, PointsAccount, PointsBook, Team, TeamNumber};
use super::rules::Rules;
use super::units::Work;
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Fixed, Share};
use crate::state::{Row, State};

type Done = Result<(), TransactionError>;

/// Why an account gets points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Work,
    TeamBonus,
    Referral,
    Chest,
}

impl State {
    /// The sums of points; before their first block, none.
    pub(crate) fn points_book(&self) -> PointsBook {
        self.tables.points_book.get(&()).cloned().unwrap_or_else(|| PointsBook::new(0))
    }

    pub(super) fn put_points_book(&mut self, book: PointsBook) {
        self.write(Row::PointsBook((), Some(book)));
    }

    /// What an account has of points; none when it never came to any.
    pub(crate) fn points_account(&self, id: &AccountId) -> Option<PointsAccount> {
        self.tables.points_accounts.get(id).cloned()
    }

    pub(super) fn put_points_account(&mut self, id: AccountId, account: PointsAccount) {
        self.write(Row::PointsAccount(id, Some(account)));
    }

    /// An account's points, which begin now if it has none.
    pub(super) fn enter_points(
        &mut self,
        id: AccountId,
    ) -> Result<PointsAccount, TransactionError> {
        if let Some(account) = self.points_account(&id) {
            return Ok(account);
        }
        let mut book = self.points_book();
        book.accounts = book.accounts.checked_add(1).ok_or(TransactionError::Overflow)?;
        let account = PointsAccount { number: book.accounts, ..PointsAccount::default() };
        self.put_points_book(book);
        self.put_points_account(id, account.clone());
        Ok(account)
    }

    pub(super) fn team(&self, number: TeamNumber) -> Option<Team> {
        self.tables.teams.get(&number).cloned()
    }

    /// Records that `account` did `work`: called by whoever pays for it or verifies it. While
    /// the economy has no points, or they have ended, nothing happens. Points never stand in
    /// the way of what they are for: what cannot be added up is not awarded.
    pub(crate) fn award_points(&mut self, account: AccountId, work: Work) {
        let mark = self.mark();
        if self.try_award(account, work).is_err() {
            self.roll_back(mark);
        }
    }

    fn try_award(&mut self, id: AccountId, work: Work) -> Done {
        let economy = self.economy();
        let rules = &economy.points;
        if !rules.on {
            return Ok(());
        }
        let book = self.points_book();
        if !matches!(book.phase, Phase::Open) {
            return Ok(());
        }
        let base = work.points(&rules.rates)?;
        let base = Points(book.multiplier.of(base.0)?);
        if base.is_zero() {
            return Ok(());
        }
        let account = self.enter_points(id)?;
        self.add_points(id, base, Reason::Work)?;
        let bonus = self.team_bonus(rules, &account);
        self.add_points(id, Points(bonus.of(base.0)), Reason::TeamBonus)?;
        if let Some(inviter) = account.inviter {
            let share = Points(rules.referrals.share.of(base.0));
            self.add_points(inviter, share, Reason::Referral)?;
        }
        self.qualify(rules, id)
    }

    /// What the qualified others of its team add to an account's work.
    fn team_bonus(&self, rules: &Rules, account: &PointsAccount) -> Share {
        let team = account.team.and_then(|number| self.team(number));
        let Some(team) = team else { return Share::ZERO };
        let others = team.qualified.saturating_sub(u32::from(account.qualified));
        let sum = rules.teams.bonus.billionths().saturating_mul(others.into());
        Share::new(sum.min(rules.teams.bonus_max.billionths())).unwrap_or(Share::ALL)
    }

    /// Adds points to an account and to the sums.
    pub(super) fn add_points(&mut self, id: AccountId, points: Points, reason: Reason) -> Done {
        if points.is_zero() {
            return Ok(());
        }
        let mut account = self.enter_points(id)?;
        let pot = match reason {
            Reason::Work => &mut account.work,
            Reason::TeamBonus => &mut account.team_bonus,
            Reason::Referral => &mut account.referral,
            Reason::Chest => &mut account.won,
        };
        *pot = pot.add(points)?;
        let mut book = self.points_book();
        book.total = book.total.add(points)?;
        if account.certificate.is_some() {
            book.certified = book.certified.add(points)?;
        }
        self.put_points_book(book);
        self.put_points_account(id, account);
        Ok(())
    }

    /// An account whose work is enough counts from now on, once: for its team, its team's
    /// founder and its inviter.
    fn qualify(&mut self, rules: &Rules, id: AccountId) -> Done {
        let mut account = self.enter_points(id)?;
        if account.qualified || account.work < rules.qualified_at {
            return Ok(());
        }
        account.qualified = true;
        let (team, inviter) = (account.team, account.inviter);
        self.put_points_account(id, account);
        let mut book = self.points_book();
        book.qualified = book.qualified.checked_add(1).ok_or(TransactionError::Overflow)?;
        let times = if book.qualified <= rules.chests.early { 2 } else { 1 };
        self.put_points_book(book);
        if let Some(mut team) = team.and_then(|number| self.team(number)) {
            team.qualified = team.qualified.checked_add(1).ok_or(TransactionError::Overflow)?;
            let (number, founder) = (team.number, team.founder);
            self.write(Row::Team(number, Some(team)));
            let present = self.points_account(&founder).is_some_and(|f| f.team == Some(number));
            if founder != id && present {
                self.bring_chests(rules, founder, rules.chests.per_member, times)?;
            }
        }
        if let Some(inviter) = inviter {
            self.bring_chests(rules, inviter, rules.chests.per_invited, times)?;
        }
        Ok(())
    }

    /// Chests beyond the cap could never be opened: they are not counted.
    fn bring_chests(&mut self, rules: &Rules, id: AccountId, count: u32, times: u32) -> Done {
        let mut account = self.enter_points(id)?;
        let brought = u64::from(account.brought) + u64::from(count) * u64::from(times);
        let brought = brought.min(rules.chests.cap.into());
        account.brought = u32::try_from(brought).map_err(|_| TransactionError::Overflow)?;
        self.put_points_account(id, account);
        Ok(())
    }
}

impl PointsBook {
    fn new(started_at: TimestampMs) -> Self {
        Self {
            started_at,
            phase: Phase::Open,
            multiplier: Fixed::ONE,
            accounts: 0,
            qualified: 0,
            teams: 0,
            certificates: 0,
            total: Points::ZERO,
            certified: Points::ZERO,
            funded: remuda_types::Credits::ZERO,
            reserved: remuda_types::Credits::ZERO,
        }
    }
}

/// By what work is multiplied `elapsed` milliseconds after points began.
fn multiplier(rules: &Rules, elapsed: u64) -> Fixed {
    let mut end = 0_u64;
    for season in &rules.seasons {
        end = end.saturating_add(season.length.ms());
        if elapsed < end {
            return season.multiplier;
        }
    }
    Fixed::ONE
}

/// Every block, first: points begin, seasons turn, and at their time points end.
pub(crate) fn begin(state: &mut State, cycle: &Cycle) -> Done {
    let rules = &cycle.economy.points;
    if !rules.on {
        return Ok(());
    }
    let known = state.tables.points_book.get(&()).cloned();
    let mut book = known.clone().unwrap_or_else(|| PointsBook::new(cycle.now));
    let elapsed = cycle.now.saturating_sub(book.started_at);
    book.multiplier = multiplier(rules, elapsed);
    let converts = !rules.conversion.pool.is_zero() && elapsed >= rules.conversion.after.ms();
    if converts && book.phase == Phase::Open {
        book.phase = Phase::Ended;
    }
    if known.as_ref() != Some(&book) {
        state.put_points_book(book);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Period;
    use crate::points::Season;

    #[test]
    fn seasons_follow_each_other() {
        let season = |length, multiplier: &str| Season {
            length: Period(length),
            multiplier: multiplier.parse().unwrap(),
        };
        let rules = Rules { seasons: vec![season(10, "3"), season(5, "0.5")], ..Rules::default() };
        let at = |elapsed| multiplier(&rules, elapsed).to_string();
        assert_eq!([at(0), at(9), at(10), at(14), at(15)], ["3", "3", "0.5", "0.5", "1"]);
    }
}
