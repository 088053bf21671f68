//! What can be asked of the room.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::AccountId;
use serde::{Deserialize, Serialize};

use super::chests;
use super::records::{ChestStatus, PointsAccount, PointsBook, Team, TeamNumber};
use super::rules::Prize;
use crate::ANSWER_RECORDS_MAX;
use crate::state::State;

/// A question to the room.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PointsQuery {
    /// The sums, how many certificates there are among them.
    Book,
    /// What an account has.
    Account(AccountId),
    /// A team.
    Team(TeamNumber),
    /// Who is in a team.
    Members(TeamNumber),
    /// All teams.
    Teams,
    /// The chests of an account.
    Chests(AccountId),
    /// What may be in a chest, and how likely each is.
    Odds,
}

/// The answer to a [`PointsQuery`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PointsAnswer {
    /// To `Book`; none before points began.
    Book(Option<Box<PointsBook>>),
    /// To `Account`.
    Account(Option<Box<PointsAccount>>),
    /// To `Team`.
    Team(Option<Team>),
    /// To `Members`.
    Members(Vec<AccountId>),
    /// To `Teams`.
    Teams(Vec<Team>),
    /// To `Chests`.
    Chests(ChestStatus),
    /// To `Odds`.
    Odds(Vec<Prize>),
}

/// Answers from `state`.
pub(crate) fn answer(state: &State, query: &PointsQuery) -> PointsAnswer {
    let tables = &state.tables;
    let economy = state.economy();
    match query {
        PointsQuery::Book => PointsAnswer::Book(tables.points_book.get(&()).cloned().map(Box::new)),
        PointsQuery::Account(id) => PointsAnswer::Account(state.points_account(id).map(Box::new)),
        PointsQuery::Team(number) => PointsAnswer::Team(tables.teams.get(number).cloned()),
        PointsQuery::Members(number) => {
            let members = state.indexes.points.members_of.get(number).into_iter().flatten();
            PointsAnswer::Members(members.take(ANSWER_RECORDS_MAX).copied().collect())
        }
        PointsQuery::Teams => {
            PointsAnswer::Teams(tables.teams.values().take(ANSWER_RECORDS_MAX).cloned().collect())
        }
        PointsQuery::Chests(id) => {
            PointsAnswer::Chests(chests::status(state, &economy.points.chests, id))
        }
        PointsQuery::Odds => PointsAnswer::Odds(economy.points.chests.prizes.clone()),
    }
}
