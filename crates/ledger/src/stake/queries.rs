//! What can be asked about stake.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, PublicKey, TimestampMs, Tokens};
use serde::{Deserialize, Serialize};

use super::{Load, Role, SlashEntry, StakePool, StakePosition, Subject, Unbonding, shares};
use crate::answers::ANSWER_RECORDS_MAX;
use crate::math::Fixed;
use crate::query::record;
use crate::state::State;

record! {
    /// A subject with what follows from its stake.
    SubjectView {
        /// Its pool.
        pool: StakePool,
        /// All stake that counts for it, in base units.
        stake: Tokens,
        /// At which part of full efficiency it works.
        efficiency: Fixed,
        /// How much it weighs in draws and votes.
        weight: u128,
    }
}

record! {
    /// A position with what it is worth.
    PositionView {
        /// On whom.
        subject: Subject,
        /// Whose.
        account: AccountId,
        /// What its shares are worth, rounded down; nothing if all was slashed.
        worth: Tokens,
        /// What of that was put in, or is missing from it.
        principal: Tokens,
        /// What of it was earned.
        earned: Tokens,
    }
}

record! {
    /// All stake of a role.
    StakeTotals {
        /// The role.
        role: Role,
        /// Bonded tokens, with co-stakes; jailed subjects count.
        stake: Tokens,
    }
}

/// A question about stake.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StakeQuery {
    /// A subject.
    Subject(Subject),
    /// The active subjects of a role with stake, the most first.
    Subjects(Role),
    /// The subjects of a role that are drawn or vote, with their weights, the most first.
    Weights(Role),
    /// Where an account has stake.
    PositionsOf(AccountId),
    /// Who has stake on a subject.
    PositionsOn(Subject),
    /// What of an account's stake is on its way out.
    UnbondingsOf(AccountId),
    /// Subjects that look for a co-staker.
    Offers,
    /// The newest slashes, of one subject or of all.
    Slashes(Option<Subject>),
    /// All stake, by role.
    Totals,
    /// The stake that devices require of a role; nothing when the formula has no value.
    Required {
        /// The role.
        role: Role,
        /// The devices.
        load: Load,
    },
    /// Whether a subject may work with these devices.
    Suffices {
        /// Who.
        subject: Subject,
        /// Which devices.
        loads: Vec<Load>,
    },
}

/// The answer to a [`StakeQuery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StakeAnswer {
    /// To `Subject`.
    Subject(Option<Box<SubjectView>>),
    /// To `Subjects` and `Offers`.
    Subjects(Vec<SubjectView>),
    /// To `Weights`.
    Weights(Vec<(PublicKey, u128)>),
    /// To `PositionsOf` and `PositionsOn`.
    Positions(Vec<PositionView>),
    /// To `UnbondingsOf`: each with what it is worth by now.
    Unbondings(Vec<(Unbonding, Tokens)>),
    /// To `Slashes`, the newest last.
    Slashes(Vec<SlashEntry>),
    /// To `Totals`.
    Totals(Vec<StakeTotals>),
    /// To `Required`.
    Required(Option<Tokens>),
    /// To `Suffices`.
    Suffices(bool),
}

/// Answers a question about stake at a time.
pub(crate) fn answer(state: &State, now: TimestampMs, query: &StakeQuery) -> StakeAnswer {
    let (tables, indexes) = (&state.tables, &state.indexes.stake);
    match query {
        StakeQuery::Subject(subject) => {
            let pool = tables.stake_pools.get(subject);
            StakeAnswer::Subject(pool.map(|pool| Box::new(view(state, now, pool))))
        }
        StakeQuery::Subjects(role) => {
            let ranked = indexes.ranked(*role).map(|(_, operator)| operator);
            let named = ranked.map(|operator| Subject { role: *role, operator });
            StakeAnswer::Subjects(views(state, now, named))
        }
        StakeQuery::Weights(role) => {
            StakeAnswer::Weights(state.stakers_of(*role, ANSWER_RECORDS_MAX))
        }
        StakeQuery::Offers => {
            StakeAnswer::Subjects(views(state, now, indexes.open_offers.iter().copied()))
        }
        StakeQuery::Totals => StakeAnswer::Totals(totals(state)),
        StakeQuery::Slashes(subject) => {
            let chosen = |entry: &&SlashEntry| subject.is_none_or(|only| entry.subject == only);
            StakeAnswer::Slashes(tables.slashes.values().filter(chosen).cloned().collect())
        }
        StakeQuery::Required { role, load } => {
            StakeAnswer::Required(state.required_stake(*role, load).ok())
        }
        StakeQuery::Suffices { subject, loads } => {
            StakeAnswer::Suffices(state.stake_ok(subject, loads, now).unwrap_or(false))
        }
        of_account => answer_holding(state, of_account),
    }
}

/// Questions about stakers.
fn answer_holding(state: &State, query: &StakeQuery) -> StakeAnswer {
    let (tables, indexes) = (&state.tables, &state.indexes.stake);
    match query {
        StakeQuery::PositionsOf(account) => {
            let subjects = indexes.positions_of.get(account).into_iter().flatten();
            let records =
                subjects.filter_map(|subject| tables.stake_positions.get(&(*subject, *account)));
            StakeAnswer::Positions(positions(state, records))
        }
        StakeQuery::PositionsOn(subject) => {
            let first = (*subject, AccountId::default());
            let on = tables.stake_positions.range(first..);
            let on = on.take_while(|((of, _), _)| of == subject).map(|(_, position)| position);
            StakeAnswer::Positions(positions(state, on))
        }
        StakeQuery::UnbondingsOf(account) => {
            let ids = indexes.unbondings_of.get(account).into_iter().flatten();
            let records = ids.filter_map(|id| tables.unbondings.get(id));
            let worth =
                |unbonding: &Unbonding| (unbonding.clone(), unbonding_worth(state, unbonding));
            StakeAnswer::Unbondings(records.map(worth).collect())
        }
        _ => StakeAnswer::Positions(Vec::new()),
    }
}

fn view(state: &State, now: TimestampMs, pool: &StakePool) -> SubjectView {
    let stake = state.counted_stake(pool, now).unwrap_or_default();
    SubjectView {
        pool: pool.clone(),
        stake,
        efficiency: state.efficiency(&pool.subject, now).unwrap_or_default(),
        weight: state.stake_weight(&pool.subject),
    }
}

fn views(
    state: &State,
    now: TimestampMs,
    subjects: impl Iterator<Item = Subject>,
) -> Vec<SubjectView> {
    let pools = subjects.filter_map(|subject| state.tables.stake_pools.get(&subject));
    pools.take(ANSWER_RECORDS_MAX).map(|pool| view(state, now, pool)).collect()
}

fn positions<'a>(
    state: &State,
    records: impl Iterator<Item = &'a StakePosition>,
) -> Vec<PositionView> {
    let view = |position: &StakePosition| {
        let worth = position_worth(state, position);
        PositionView {
            subject: position.subject,
            account: position.account,
            worth,
            principal: position.principal,
            earned: worth.excess_over(position.principal),
        }
    };
    records.take(ANSWER_RECORDS_MAX).map(view).collect()
}

impl State {
    /// What an account's stake is worth on all subjects together, rounded down each; what is on
    /// its way out does not count.
    pub(crate) fn staked_by(&self, account: &AccountId) -> Tokens {
        let subjects = self.indexes.stake.positions_of.get(account).into_iter().flatten();
        let positions = subjects.filter_map(|subject| {
            let position = self.tables.stake_positions.get(&(*subject, *account));
            position.map(|position| position_worth(self, position).0)
        });
        // All of it is part of the supply, which fits.
        Tokens(positions.fold(0, u128::saturating_add))
    }
}

fn position_worth(state: &State, position: &StakePosition) -> Tokens {
    let pool = state.tables.stake_pools.get(&position.subject);
    let pool = pool.filter(|pool| pool.era == position.era);
    let worth = |pool: &StakePool| shares::worth(position.shares, pool.value(), pool.shares);
    Tokens(pool.map_or(0, worth))
}

fn unbonding_worth(state: &State, unbonding: &Unbonding) -> Tokens {
    let pool = state.tables.stake_pools.get(&unbonding.subject);
    let pool = pool.filter(|pool| pool.unbonding_era == unbonding.era);
    let worth =
        |pool: &StakePool| shares::worth(unbonding.shares, pool.unbonding.0, pool.unbonding_shares);
    Tokens(pool.map_or(0, worth))
}

fn totals(state: &State) -> Vec<StakeTotals> {
    Role::ALL.map(|role| StakeTotals { role, stake: state.total_stake(role) }).into()
}
