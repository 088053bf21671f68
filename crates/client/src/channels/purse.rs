//! What a payer may still spend, by the ledger; kept for a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remuda_chain::{LedgerClient, LedgerClientExt as _};
use remuda_ledger::{Account, Session};
use remuda_types::{AccountId, Credits, PublicKey, TimestampMs};

use crate::RunError;
use crate::channels::ledger_error;
use crate::time::{in_ms, now_ms};

/// A record younger than this is taken as it is.
const FRESH: Duration = Duration::from_secs(1);
/// A record younger than this is used while it is asked for anew.
const USABLE: Duration = Duration::from_secs(5);
/// While the ledger is away, a record serves for so long.
const AWAY_MAX: Duration = Duration::from_secs(600);
/// The most payers remembered.
const PURSES_MAX: usize = 16_384;

/// What a payer may still spend, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purse {
    pub(crate) left: Credits,
    pub(crate) expires_at: TimestampMs,
}

impl Purse {
    /// # Errors
    /// [`RunError::SessionExpired`] when it ended or ends within `margin`.
    fn check(&self, margin: Duration) -> Result<(), RunError> {
        let soon = now_ms().saturating_add(in_ms(margin));
        if self.expires_at <= soon { Err(RunError::SessionExpired) } else { Ok(()) }
    }
}

/// The purse that the ledger's records show.
///
/// # Errors
/// [`RunError::SessionUnknown`] or [`RunError::SessionExpired`].
fn purse(session: Option<&Session>, account: &Account) -> Result<Purse, RunError> {
    let Some(session) = session else {
        if *account == nothing() {
            return Err(RunError::SessionUnknown);
        }
        return Ok(Purse { left: account.credits, expires_at: TimestampMs::MAX });
    };
    if session.revoked {
        return Err(RunError::SessionExpired);
    }
    let capped = session.cap.excess_over(session.spent).excess_over(session.locked);
    Ok(Purse { left: capped.min(account.credits), expires_at: session.expires_at })
}

fn nothing() -> Account {
    Account { tokens: remuda_types::Tokens::ZERO, credits: Credits::ZERO, earned: Credits::ZERO }
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    purse: Purse,
    at: Instant,
    asking: bool,
}

#[derive(Debug)]
pub(crate) struct Purses {
    ledger: Arc<dyn LedgerClient>,
    margin: Duration,
    kept: Mutex<HashMap<PublicKey, Kept>>,
}

impl Purses {
    pub(crate) fn new(ledger: Arc<dyn LedgerClient>, margin: Duration) -> Self {
        Self { ledger, margin, kept: Mutex::default() }
    }

    /// Checks that `payer` may spend at all, from memory where that is young enough.
    ///
    /// # Errors
    /// [`RunError::SessionUnknown`], [`RunError::SessionExpired`],
    /// [`RunError::LedgerUnreachable`].
    pub(crate) async fn check(self: &Arc<Self>, payer: PublicKey) -> Result<(), RunError> {
        match self.remembered(payer) {
            Some((purse, refresh)) => {
                if refresh {
                    let purses = Arc::clone(self);
                    tokio::spawn(async move { purses.ask(payer).await });
                }
                purse.check(self.margin)
            }
            None => self.ask(payer).await.map(drop),
        }
    }

    /// Asks the ledger.
    ///
    /// # Errors
    /// As [`Purses::check`].
    pub(crate) async fn ask(&self, payer: PublicKey) -> Result<Purse, RunError> {
        let asked = self.query(payer).await;
        let mut kept = self.kept.lock();
        match asked {
            Ok(purse) => {
                make_room(&mut kept);
                kept.insert(payer, Kept { purse, at: Instant::now(), asking: false });
                purse.check(self.margin).map(|()| purse)
            }
            Err(error @ RunError::LedgerUnreachable { .. }) => {
                // Missing information is not failure: what was known serves for a while.
                let Some(known) = kept.get_mut(&payer) else { return Err(error) };
                known.asking = false;
                let purse = known.purse;
                let recent = known.at.elapsed() < AWAY_MAX;
                if recent { purse.check(self.margin).map(|()| purse) } else { Err(error) }
            }
            Err(error) => {
                kept.remove(&payer);
                Err(error)
            }
        }
    }

    /// What is remembered and usable, and whether this caller should ask anew.
    fn remembered(&self, payer: PublicKey) -> Option<(Purse, bool)> {
        let mut kept = self.kept.lock();
        let known = kept.get_mut(&payer)?;
        let age = known.at.elapsed();
        if age >= USABLE {
            return None;
        }
        let refresh = age >= FRESH && !known.asking;
        known.asking |= refresh;
        Some((known.purse, refresh))
    }

    async fn query(&self, payer: PublicKey) -> Result<Purse, RunError> {
        let session = self.ledger.session(payer).await.map_err(ledger_error)?;
        let account = session.as_ref().map_or(AccountId::from(payer), |session| session.account);
        let account = self.ledger.account(account).await.map_err(ledger_error)?;
        purse(session.as_ref(), &account)
    }
}

fn make_room(kept: &mut HashMap<PublicKey, Kept>) {
    if kept.len() >= PURSES_MAX {
        kept.retain(|_, known| known.at.elapsed() < USABLE);
    }
    if kept.len() >= PURSES_MAX {
        kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::{Hash, Tokens};

    fn session(cap: u64, spent: u64, locked: u64) -> Session {
        Session {
            session: PublicKey([1; 32]),
            account: AccountId(Hash([2; 32])),
            cap: Credits(cap),
            spent: Credits(spent),
            locked: Credits(locked),
            expires_at: 1_000,
            revoked: false,
        }
    }

    fn account(credits: u64) -> Account {
        Account { credits: Credits(credits), ..nothing() }
    }

    #[test]
    fn a_session_spends_within_its_cap_and_its_account() {
        let left = |session, credits| purse(Some(&session), &account(credits)).map(|it| it.left);
        assert_eq!(left(session(100, 20, 30), 1_000), Ok(Credits(50)));
        assert_eq!(left(session(100, 20, 30), 7), Ok(Credits(7)));
        assert_eq!(left(session(100, 80, 30), 1_000), Ok(Credits(0)));
    }

    #[test]
    fn unknown_and_ended_keys_are_told_apart() {
        assert_eq!(purse(None, &nothing()), Err(RunError::SessionUnknown));
        assert!(purse(None, &account(5)).is_ok());
        let poor = Account { tokens: Tokens(1), ..nothing() };
        assert_eq!(purse(None, &poor).map(|it| it.left), Ok(Credits::ZERO));
        let revoked = Session { revoked: true, ..session(1, 0, 0) };
        assert_eq!(purse(Some(&revoked), &account(5)), Err(RunError::SessionExpired));
        let over = Purse { left: Credits(1), expires_at: now_ms() };
        assert_eq!(over.check(Duration::ZERO), Err(RunError::SessionExpired));
    }
}
