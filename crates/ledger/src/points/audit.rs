//! The invariants of the room.

use std::collections::{BTreeMap, BTreeSet};

use remuda_types::{AmountError, Credits, Tokens};

use super::amount::Points;
use super::records::{Phase, PointsBook, TeamNumber};
use crate::audit::require;
use crate::error::AuditError;
use crate::money::Vault;
use crate::state::State;

/// What the records of accounts add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    total: Points,
    certified: Points,
    owed: Tokens,
    accounts: u64,
    qualified: u64,
    certificates: BTreeSet<u32>,
    teams: BTreeMap<TeamNumber, (u32, u32)>,
}

/// Sums of points, teams, certificates and commitments are those of the records, and the
/// vault holds exactly what is owed.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    let book = state.points_book();
    let sums = sum(state).map_err(|error| AuditError { invariant: format!("points: {error}") })?;
    accounts(&book, &sums)?;
    teams(state, &sums)?;
    vault(state, &book, &sums)?;
    referrals(state)
}

fn sum(state: &State) -> Result<Sums, AmountError> {
    let mut sums = Sums::default();
    for account in state.tables.points_accounts.values() {
        let points = account.total()?;
        sums.total = sums.total.add(points)?;
        if let Some(number) = account.certificate {
            sums.certified = sums.certified.add(points)?;
            sums.certificates.insert(number);
        }
        if let Some(team) = account.team {
            let (members, qualified) = sums.teams.entry(team).or_default();
            *members += 1;
            *qualified += u32::from(account.qualified);
        }
        sums.owed = sums.owed.add(account.converted.sub(account.released)?)?;
        sums.accounts += 1;
        sums.qualified += u64::from(account.qualified);
    }
    Ok(sums)
}

fn accounts(book: &PointsBook, sums: &Sums) -> Result<(), AuditError> {
    let points = (book.total, book.certified) == (sums.total, sums.certified);
    require(points, || format!("points: the book says {book:?}, accounts say {sums:?}"))?;
    let counts = (book.accounts, book.qualified) == (sums.accounts, sums.qualified);
    require(counts, || format!("points: the book counts {book:?}, accounts {sums:?}"))?;
    let numbers: BTreeSet<u32> = (1..=book.certificates).collect();
    require(numbers == sums.certificates, || format!("certificates: {:?}", sums.certificates))
}

fn teams(state: &State, sums: &Sums) -> Result<(), AuditError> {
    let stated = state.tables.teams.values();
    let stated: BTreeMap<_, _> =
        stated.map(|team| (team.number, (team.members, team.qualified))).collect();
    require(stated == sums.teams, || format!("teams say {stated:?}, accounts {:?}", sums.teams))
}

fn vault(state: &State, book: &PointsBook, sums: &Sums) -> Result<(), AuditError> {
    let vault = state.vault(Vault::Points);
    let left = match book.phase {
        Phase::Converting { left, .. } => left,
        _ => Tokens::ZERO,
    };
    require(sums.owed.add(left) == Ok(vault.tokens), || {
        format!("points: {vault:?} is held, {} owed and {left} left", sums.owed)
    })?;
    require(vault.credits == book.funded, || format!("chests: {vault:?}, book {book:?}"))?;
    let openings = state.tables.chest_openings.values();
    let reserved = openings
        .map(|opening| opening.reserve.0 * u64::from(opening.count.saturating_sub(opening.drawn)))
        .sum();
    require(Credits(reserved) == book.reserved && book.reserved <= book.funded, || {
        format!("chests: {reserved} set aside, book {book:?}")
    })
}

/// Invitations go from older to newer accounts, and are counted.
fn referrals(state: &State) -> Result<(), AuditError> {
    let accounts = &state.tables.points_accounts;
    let mut invited = BTreeMap::new();
    for (id, account) in accounts {
        let Some(inviter) = account.inviter else { continue };
        *invited.entry(inviter).or_insert(0_u32) += 1;
        let older = accounts.get(&inviter).is_some_and(|other| other.number < account.number);
        require(older, || format!("account {id} was invited by a newer one"))?;
    }
    for (id, account) in accounts {
        let counted = invited.get(id).copied().unwrap_or_default();
        require(counted == account.invited, || format!("{id} invited {counted}"))?;
    }
    Ok(())
}
