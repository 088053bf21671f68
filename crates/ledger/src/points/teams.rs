//! Teams, and who invited whom.

use remuda_types::AccountId;

use super::error::PointsError;
use super::records::{PointsAccount, Team, TeamNumber};
use crate::block::Effects;
use crate::context::{Context, Verdict, check_text};
use crate::error::TransactionError;
use crate::state::{Row, State};

/// The longest name of a team, in bytes.
pub const TEAM_NAME_BYTES_MAX: u32 = 64;

/// The signer's points, when it may enter a team.
fn entrant(state: &mut State, context: &Context<'_>) -> Result<PointsAccount, TransactionError> {
    if context.economy.points.teams.members_max == 0 {
        return Err(PointsError::Off.into());
    }
    let account = state.enter_points(context.account())?;
    if let Some(team) = account.team {
        return Err(PointsError::InTeam { team }.into());
    }
    if context.now < account.team_from {
        return Err(PointsError::TeamCooldown { from: account.team_from }.into());
    }
    Ok(account)
}

/// The signer forms a team.
pub(super) fn create(state: &mut State, context: &Context<'_>, name: &str) -> Verdict {
    check_text("name", name, TEAM_NAME_BYTES_MAX)?;
    let account = entrant(state, context)?;
    let mut book = state.points_book();
    book.teams = book.teams.checked_add(1).ok_or(TransactionError::Overflow)?;
    let number = book.teams;
    state.put_points_book(book);
    let founder = context.account();
    let team = Team { number, name: name.into(), founder, members: 0, qualified: 0 };
    enter(state, founder, account, team)?;
    Ok(Effects::default())
}

/// The signer enters a team.
pub(super) fn join(state: &mut State, context: &Context<'_>, number: TeamNumber) -> Verdict {
    let account = entrant(state, context)?;
    let team = state.team(number).ok_or(PointsError::UnknownTeam { team: number })?;
    let most = context.economy.points.teams.members_max;
    if team.members >= most {
        return Err(PointsError::TeamFull { most }.into());
    }
    enter(state, context.account(), account, team)?;
    Ok(Effects::default())
}

fn enter(
    state: &mut State,
    id: AccountId,
    mut account: PointsAccount,
    mut team: Team,
) -> Result<(), TransactionError> {
    account.team = Some(team.number);
    team.members = team.members.checked_add(1).ok_or(TransactionError::Overflow)?;
    team.qualified += u32::from(account.qualified);
    state.put_points_account(id, account);
    state.write(Row::Team(team.number, Some(team)));
    Ok(())
}

/// The signer leaves its team. The last one closes it.
pub(super) fn leave(state: &mut State, context: &Context<'_>) -> Verdict {
    let id = context.account();
    let account = state.points_account(&id);
    let membership = account.and_then(|account| account.team.map(|number| (account, number)));
    let (mut account, number) = membership.ok_or(PointsError::NoTeam)?;
    let mut team = state.team(number).ok_or(PointsError::UnknownTeam { team: number })?;
    team.members = team.members.checked_sub(1).ok_or(TransactionError::Overflow)?;
    team.qualified = team.qualified.saturating_sub(u32::from(account.qualified));
    account.team = None;
    account.team_from = context.now.saturating_add(context.economy.points.teams.cooldown.ms());
    state.put_points_account(id, account);
    let left = (team.members > 0).then_some(team);
    state.write(Row::Team(number, left));
    Ok(Effects::default())
}

/// The signer says who invited it. An inviter came to points before whom it invited, so that
/// invitations never go round in a circle.
pub(super) fn name_inviter(
    state: &mut State,
    context: &Context<'_>,
    inviter: AccountId,
) -> Verdict {
    let rules = context.economy.points.referrals;
    if rules.invited_max == 0 {
        return Err(PointsError::Off.into());
    }
    let id = context.account();
    if id == inviter {
        return Err(PointsError::SelfReferral.into());
    }
    let mut account = state.enter_points(id)?;
    if account.inviter.is_some() {
        return Err(PointsError::InviterNamed.into());
    }
    let older = state.points_account(&inviter).filter(|other| other.number < account.number);
    let mut other = older.ok_or(PointsError::InviterTooNew)?;
    if other.invited >= rules.invited_max {
        return Err(PointsError::InvitedFull { most: rules.invited_max }.into());
    }
    other.invited += 1;
    account.inviter = Some(inviter);
    state.put_points_account(inviter, other);
    state.put_points_account(id, account);
    Ok(Effects::default())
}
