//! Grants: tokens in [`Vault::Vesting`] that come free over time. What is free of a grant never
//! falls, and at the end it is the whole grant.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use super::records::{Beneficiary, Grant, GrantSource, Vesting};
use super::rules::PARTS_MAX;
use super::{AccountsError, Done};
use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::error::TransactionError;
use crate::genesis::PERIOD_MS_MAX;
use crate::math::{Period, Rounding, Share, mul_div};
use crate::money::{Flow, Holder, Vault};
use crate::state::{Row, State};

/// How many finished grants one further grant to the same beneficiary pays out on the way.
const SWEEP_MAX: usize = 8;
/// Among how many of a beneficiary's newest grants a new one looks for its like.
const LIKE_MAX: usize = 8;

/// How a grant comes free: a part at once, nothing more until the cliff, then the rest evenly
/// over the duration, by the millisecond or in equal parts. Nothing stated: all at once.
///
/// "24 monthly parts from month 13" is a cliff of 12 months, a duration of 24 and 24 parts: the
/// first part comes when month 13 ends, the last when month 36 does.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(default, deny_unknown_fields)]
pub struct VestingTerms {
    /// What is free from the beginning.
    pub at_once: Share,
    /// How long nothing more comes free.
    pub cliff: Period,
    /// How long after the cliff the rest comes free.
    pub duration: Period,
    /// In how many equal parts; 0: by the millisecond.
    pub parts: u32,
}

impl VestingTerms {
    /// Evenly over `duration`.
    #[must_use]
    pub fn linear(duration: Period) -> Self {
        Self { duration, ..Self::default() }
    }

    /// Whether everything is free from the beginning.
    #[must_use]
    pub const fn is_immediate(&self) -> bool {
        self.cliff.ms() == 0 && self.duration.ms() == 0
    }

    /// How long after its beginning a grant is free as a whole.
    #[must_use]
    pub const fn length(&self) -> Period {
        Period(self.cliff.ms().saturating_add(self.duration.ms()))
    }

    /// How much of `amount` is free `elapsed` after the beginning, rounded down; everything
    /// when the terms are over.
    #[must_use]
    pub fn vested(&self, amount: Tokens, elapsed: Period) -> Tokens {
        if elapsed >= self.length() {
            return amount;
        }
        let at_once = self.at_once.of(amount.0);
        let passed = elapsed.ms().saturating_sub(self.cliff.ms());
        let (counted, whole) = match u64::from(self.parts) {
            0 => (u128::from(passed), u128::from(self.duration.ms())),
            parts => {
                let ended = u128::from(passed) * u128::from(parts) / self.duration_or_one();
                (ended, u128::from(parts))
            }
        };
        // With no time in the duration nothing more is free before the end.
        let rest = mul_div(amount.0 - at_once, counted, whole, Rounding::Down).unwrap_or(0);
        Tokens(at_once + rest)
    }

    fn duration_or_one(&self) -> u128 {
        u128::from(self.duration.ms().max(1))
    }

    /// What would be accepted instead of terms that cannot stand.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let long = self.cliff.ms().max(self.duration.ms()) > PERIOD_MS_MAX;
        let uneven = self.parts > PARTS_MAX || u64::from(self.parts) > self.duration.ms();
        let idle = self.cliff.ms() == 0 && self.duration.ms() == 0 && self.at_once > Share::ZERO;
        match (long, uneven, idle) {
            (true, ..) => Err("a cliff and a duration of at most ten years each"),
            (_, true, _) => Err("at most 3650 parts, and a duration that they share"),
            (.., true) => Err("a cliff or a duration beside what is free at once"),
            _ => Ok(()),
        }
    }
}

impl Grant {
    /// How much is free at `now`, taken or not.
    #[must_use]
    pub fn vested(&self, now: TimestampMs) -> Tokens {
        let elapsed = Period(now.saturating_sub(self.starts_at));
        if now < self.starts_at {
            return Tokens::ZERO;
        }
        self.terms.vested(self.amount, elapsed)
    }

    /// What could be taken at `now`.
    #[must_use]
    pub fn claimable(&self, now: TimestampMs) -> Tokens {
        self.vested(now).excess_over(self.claimed)
    }

    /// What has not been taken.
    #[must_use]
    pub const fn owed(&self) -> Tokens {
        self.amount.excess_over(self.claimed)
    }
}

impl From<Beneficiary> for Holder {
    fn from(beneficiary: Beneficiary) -> Self {
        match beneficiary {
            Beneficiary::Account(account) => Self::Account(account),
            Beneficiary::Treasury => Self::Vault(Vault::Treasury),
        }
    }
}

/// A grant to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewGrant {
    pub(crate) beneficiary: Beneficiary,
    pub(crate) amount: Tokens,
    pub(crate) terms: VestingTerms,
    pub(crate) starts_at: TimestampMs,
    pub(crate) source: GrantSource,
    pub(crate) revocable: bool,
}

impl State {
    /// All grants together.
    pub(crate) fn vesting(&self) -> Vesting {
        self.tables.vesting.get(&()).copied().unwrap_or_default()
    }

    pub(crate) fn grant(&self, id: u64) -> Result<Grant, AccountsError> {
        self.tables.grants.get(&id).cloned().ok_or(AccountsError::UnknownGrant { grant: id })
    }

    /// Lets `amount` come free to an account by `terms`, out of another holding: what a rule
    /// of the network pays with a delay. It begins at the next line of the grid
    /// (`accounts.vesting.grid`), together with the like of the same period.
    pub(crate) fn vest(
        &mut self,
        beneficiary: AccountId,
        amount: Tokens,
        terms: VestingTerms,
        now: TimestampMs,
        from: Holder,
    ) -> Done {
        let beneficiary = Beneficiary::Account(beneficiary);
        if terms.is_immediate() {
            return self.move_tokens(from, beneficiary.into(), amount);
        }
        self.move_tokens(from, Holder::Vault(Vault::Vesting), amount)?;
        let starts_at = self.next_line(now);
        let (source, revocable) = (GrantSource::Rules, false);
        self.enter(NewGrant { beneficiary, amount, terms, starts_at, source, revocable }, now)
    }

    /// The next multiple of the grid.
    pub(crate) fn next_line(&self, now: TimestampMs) -> TimestampMs {
        match self.economy().accounts.vesting.grid.ms() {
            0 => now,
            grid => now.checked_next_multiple_of(grid).unwrap_or(now),
        }
    }

    /// Mints a grant.
    pub(crate) fn mint_grant(&mut self, new: NewGrant, flow: Flow, now: TimestampMs) -> Done {
        if new.terms.is_immediate() {
            return self.mint_tokens(new.beneficiary.into(), new.amount, flow);
        }
        self.mint_tokens(Holder::Vault(Vault::Vesting), new.amount, flow)?;
        self.enter(new, now)
    }

    /// Records a grant whose tokens are in the vault already: in one with its like where there
    /// is one (never for grants that accounts make).
    fn enter(&mut self, new: NewGrant, now: TimestampMs) -> Done {
        if new.amount.is_zero() {
            return Ok(());
        }
        self.sweep(new.beneficiary, now)?;
        let mut totals = self.vesting();
        totals.owed = totals.owed.add(new.amount)?;
        if let Some(mut like) = self.like(&new) {
            like.amount = like.amount.add(new.amount)?;
            self.write(Row::Grant(like.id, Some(like)));
            self.write(Row::Vesting((), Some(totals)));
            return Ok(());
        }
        let id = totals.grants;
        totals.grants = id.checked_add(1).ok_or(TransactionError::Overflow)?;
        let NewGrant { beneficiary, amount, terms, starts_at, source, revocable } = new;
        let claimed = Tokens::ZERO;
        let grant = Grant { id, beneficiary, amount, claimed, starts_at, terms, source, revocable };
        self.write(Row::Grant(id, Some(grant)));
        self.write(Row::Vesting((), Some(totals)));
        Ok(())
    }

    fn like(&self, new: &NewGrant) -> Option<Grant> {
        if matches!(new.source, GrantSource::Account(_)) {
            return None;
        }
        let ids = self.indexes.accounts.grants_of.get(&new.beneficiary)?;
        let newest = ids.iter().rev().take(LIKE_MAX).filter_map(|id| self.tables.grants.get(id));
        newest.into_iter().find(|grant| grant.is_like(new)).cloned()
    }

    /// Pays out finished grants, so that one who never asks does not pile them up.
    fn sweep(&mut self, beneficiary: Beneficiary, now: TimestampMs) -> Done {
        let Some(ids) = self.indexes.accounts.grants_of.get(&beneficiary) else { return Ok(()) };
        let finished = |id: &&u64| {
            let grant = self.tables.grants.get(*id);
            grant.is_some_and(|grant| grant.vested(now) == grant.amount)
        };
        let ids: Vec<u64> = ids.iter().take(SWEEP_MAX).filter(finished).copied().collect();
        for id in ids {
            let grant = self.grant(id)?;
            self.pay_out(grant, now)?;
        }
        Ok(())
    }

    /// Pays what is free; a grant of which nothing is left ends.
    fn pay_out(&mut self, mut grant: Grant, now: TimestampMs) -> Result<Tokens, TransactionError> {
        let due = grant.claimable(now);
        self.move_tokens(Holder::Vault(Vault::Vesting), grant.beneficiary.into(), due)?;
        self.lower_owed(due)?;
        grant.claimed = grant.claimed.add(due)?;
        let (id, left) = (grant.id, grant.owed());
        self.write(Row::Grant(id, (!left.is_zero()).then_some(grant)));
        Ok(due)
    }

    fn lower_owed(&mut self, amount: Tokens) -> Done {
        let mut totals = self.vesting();
        totals.owed = totals.owed.sub(amount)?;
        self.write(Row::Vesting((), Some(totals)));
        Ok(())
    }
}

impl Grant {
    /// Whether a new grant of the network's own rules can be added to it.
    fn is_like(&self, new: &NewGrant) -> bool {
        let same = (self.terms, self.starts_at) == (new.terms, new.starts_at);
        // Of a grant that has begun something may have been taken.
        same && self.source == new.source && self.claimed.is_zero()
    }
}

/// The signer's account makes a grant of its own tokens.
pub(crate) fn make(
    state: &mut State,
    context: &Context<'_>,
    to: AccountId,
    amount: Tokens,
    terms: VestingTerms,
    revocable: bool,
) -> Verdict {
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    let wrong = |rule: &str| AccountsError::VestingTerms { rule: rule.into() };
    terms.check().map_err(wrong)?;
    if terms.is_immediate() {
        return Err(wrong("a cliff or a duration; to pay at once, transfer").into());
    }
    let grantor = context.account();
    let most = context.economy.accounts.vesting.grants_per_grantor_max;
    let made = state.indexes.accounts.grants_by.get(&grantor).map_or(0, |made| made.len());
    if is_full(made, most) {
        return Err(AccountsError::GrantLimit { most }.into());
    }
    state.move_tokens(Holder::Account(grantor), Holder::Vault(Vault::Vesting), amount)?;
    let (beneficiary, starts_at) = (Beneficiary::Account(to), context.now);
    let source = GrantSource::Account(grantor);
    let new = NewGrant { beneficiary, amount, terms, starts_at, source, revocable };
    state.enter(new, context.now)?;
    Ok(Effects::default())
}

/// The beneficiary takes what is free; for the treasury anyone may.
pub(crate) fn claim(state: &mut State, context: &Context<'_>, id: u64) -> Verdict {
    let grant = state.grant(id)?;
    let own = Beneficiary::Account(context.account());
    if grant.beneficiary != own && grant.beneficiary != Beneficiary::Treasury {
        return Err(AccountsError::NotBeneficiary { grant: id }.into());
    }
    if state.pay_out(grant, context.now)?.is_zero() {
        return Err(AccountsError::NothingVested { grant: id }.into());
    }
    Ok(Effects::default())
}

/// Whoever made a revocable grant ends it: what is free goes to the beneficiary, the rest back.
pub(crate) fn revoke(state: &mut State, context: &Context<'_>, id: u64) -> Verdict {
    let grant = state.grant(id)?;
    let grantor = context.account();
    if !grant.revocable || grant.source != GrantSource::Account(grantor) {
        return Err(AccountsError::NotRevocable { grant: id }.into());
    }
    state.pay_out(grant, context.now)?;
    if let Ok(rest) = state.grant(id) {
        let left = rest.owed();
        state.move_tokens(Holder::Vault(Vault::Vesting), Holder::Account(grantor), left)?;
        state.lower_owed(left)?;
        state.write(Row::Grant(id, None));
    }
    Ok(Effects::default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MONTH: Period = Period(730 * 3_600_000);

    #[test]
    fn a_cliff_then_evenly() {
        // Aethir's team: 18 months of nothing, then 36 months evenly.
        let terms =
            VestingTerms { cliff: MONTH.times(18), ..VestingTerms::linear(MONTH.times(36)) };
        let at = |months| terms.vested(Tokens(3_600), MONTH.times(months)).0;
        assert_eq!([0, 18, 19, 36, 53, 54, 60].map(at), [0, 0, 100, 1_800, 3_500, 3_600, 3_600]);
    }

    #[test]
    fn monthly_parts_from_month_13() {
        let (cliff, duration) = (MONTH.times(12), MONTH.times(24));
        let terms = VestingTerms { cliff, duration, parts: 24, ..VestingTerms::default() };
        let at = |period: Period| terms.vested(Tokens(240), period).0;
        assert_eq!(at(MONTH.times(12)), 0);
        assert_eq!(at(Period(MONTH.times(13).ms() - 1)), 0);
        assert_eq!(at(MONTH.times(13)), 10);
        assert_eq!(at(MONTH.times(35)), 230);
        assert_eq!(at(MONTH.times(36)), 240);
    }

    #[test]
    fn a_part_at_once() {
        let at_once = Share::percent(50);
        let terms = VestingTerms { at_once, ..VestingTerms::linear(Period(10)) };
        assert_eq!(terms.vested(Tokens(101), Period(0)), Tokens(50));
        assert_eq!(terms.vested(Tokens(101), Period(5)), Tokens(75));
        assert_eq!(terms.vested(Tokens(101), Period(10)), Tokens(101));
        let cliff = VestingTerms { cliff: Period(7), ..VestingTerms::default() };
        assert_eq!(cliff.vested(Tokens(9), Period(6)), Tokens(0));
        assert_eq!(cliff.vested(Tokens(9), Period(7)), Tokens(9));
    }

    #[test]
    fn terms_have_bounds() {
        let good = VestingTerms::linear(Period::DAY);
        assert_eq!(good.check(), Ok(()));
        assert_eq!(VestingTerms::default().check(), Ok(()));
        for wrong in [
            VestingTerms { duration: Period(u64::MAX), ..good },
            VestingTerms { cliff: Period(u64::MAX), ..good },
            VestingTerms { parts: PARTS_MAX + 1, ..good },
            VestingTerms { parts: 1, ..VestingTerms::default() },
            VestingTerms { at_once: Share::ALL, ..VestingTerms::default() },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_free_never_falls_and_ends_with_the_whole(
            amount: u128, percent in 0..=100_u64, cliff in 0..1_000_u64, duration in 0..1_000_u64,
            parts in 0..50_u32, mut times in prop::collection::vec(0..2_500_u64, 1..20),
        ) {
            let parts = parts.min(u32::try_from(duration).unwrap());
            let at_once = Share::percent(percent);
            let (cliff, duration) = (Period(cliff), Period(duration));
            let terms = VestingTerms { at_once, cliff, duration, parts };
            times.sort_unstable();
            let mut before = Tokens::ZERO;
            for time in times {
                let vested = terms.vested(Tokens(amount), Period(time));
                prop_assert!(before <= vested && vested <= Tokens(amount));
                before = vested;
            }
            prop_assert_eq!(terms.vested(Tokens(amount), terms.length()), Tokens(amount));
        }
    }
}
