//! Session keys: a cap on what a key may ever spend of an account's credits, and an end.
//!
//! `spent + locked ≤ cap` always: what its channels paid, and what its open ones still hold.

use remuda_types::{AccountId, Credits, PublicKey, TimestampMs};

use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::error::TransactionError;
use crate::state::{Row, State};
use crate::{Account, Channel, Session};

impl Session {
    /// Whether it can open no more channels.
    #[must_use]
    pub const fn has_ended(&self, now: TimestampMs) -> bool {
        self.revoked || now >= self.expires_at
    }

    /// Of its cap, what is neither spent nor locked.
    #[must_use]
    pub const fn left(&self) -> Credits {
        self.cap.excess_over(self.spent).excess_over(self.locked)
    }

    fn check_live(&self, now: TimestampMs) -> Result<(), TransactionError> {
        if self.revoked {
            return Err(TransactionError::SessionRevoked);
        }
        if now >= self.expires_at {
            return Err(TransactionError::SessionExpired { expired_at: self.expires_at });
        }
        Ok(())
    }
}

impl State {
    pub(crate) fn session(&self, key: &PublicKey) -> Option<Session> {
        self.tables.sessions.get(key).cloned()
    }

    fn put_session(&mut self, session: Session) {
        self.write(Row::Session(session.session, Some(session)));
    }

    /// The session with which `payer` spends `account`'s credits; none when they are its own.
    fn session_behind(
        &self,
        payer: &PublicKey,
        account: &AccountId,
    ) -> Result<Option<Session>, TransactionError> {
        if *account == AccountId::from(*payer) {
            return Ok(None);
        }
        self.session(payer).map(Some).ok_or(TransactionError::UnknownSession)
    }

    /// Counts `amount` against the cap of the session, if one pays.
    pub(crate) fn reserve(
        &mut self,
        payer: &PublicKey,
        account: &AccountId,
        amount: Credits,
        now: TimestampMs,
    ) -> Result<(), TransactionError> {
        let Some(mut session) = self.session_behind(payer, account)? else { return Ok(()) };
        session.check_live(now)?;
        let left = session.left();
        if amount > left {
            return Err(TransactionError::SessionCap { left, needed: amount });
        }
        session.locked = session.locked.add(amount)?;
        self.put_session(session);
        Ok(())
    }

    /// Counts `amount` as spent by a session, for good. Its cap must have room for it.
    pub(crate) fn spend(
        &mut self,
        key: &PublicKey,
        amount: Credits,
    ) -> Result<(), TransactionError> {
        let mut session = self.session(key).ok_or(TransactionError::UnknownSession)?;
        let left = session.left();
        if amount > left {
            return Err(TransactionError::SessionCap { left, needed: amount });
        }
        session.spent = session.spent.add(amount)?;
        self.put_session(session);
        Ok(())
    }

    /// Of what was reserved for `channel`, `paid` is spent and `returned` is free again.
    pub(crate) fn settle(
        &mut self,
        channel: &Channel,
        paid: Credits,
        returned: Credits,
    ) -> Result<(), TransactionError> {
        let session = self.session_behind(&channel.payer, &channel.account)?;
        let Some(mut session) = session else { return Ok(()) };
        session.locked = session.locked.sub(paid.add(returned)?)?;
        session.spent = session.spent.add(paid)?;
        self.put_session(session);
        Ok(())
    }

    /// Whether `key` has neither signed, nor holds funds, nor is a session key.
    fn is_new(&self, key: &PublicKey) -> bool {
        self.nonce(key) == 0
            && self.session(key).is_none()
            && self.account(&(*key).into()) == Account::EMPTY
    }

    /// Makes room for one more session of `account`: at the limit, one that has ended and has
    /// no open channel is forgotten. It cannot come back if it ever signed: its nonce stays.
    fn make_room(
        &mut self,
        account: &AccountId,
        context: &Context<'_>,
    ) -> Result<(), TransactionError> {
        let most = context.parameters.sessions_per_account_max;
        let Some(keys) = self.indexes.sessions_of.get(account) else { return Ok(()) };
        if !is_full(keys.len(), most) {
            return Ok(());
        }
        let ended = keys.iter().copied().find(|key| self.is_forgettable(key, context.now));
        let ended = ended.ok_or(TransactionError::SessionLimit { most })?;
        self.write(Row::Session(ended, None));
        Ok(())
    }

    fn is_forgettable(&self, key: &PublicKey, now: TimestampMs) -> bool {
        let ended = self.tables.sessions.get(key).is_some_and(|session| session.has_ended(now));
        ended && !self.indexes.channels_of_payer.contains_key(key)
    }
}

/// The signer's account lets a session key spend.
pub(crate) fn create(
    state: &mut State,
    context: &Context<'_>,
    session: PublicKey,
    cap: Credits,
    expires_at: TimestampMs,
) -> Verdict {
    if cap.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    if expires_at <= context.now {
        return Err(TransactionError::SessionEnd { expires_at, now: context.now });
    }
    if !state.is_new(&session) {
        return Err(TransactionError::SessionKeyTaken);
    }
    let account = context.account();
    state.make_room(&account, context)?;
    let (spent, locked) = (Credits::ZERO, Credits::ZERO);
    state.put_session(Session { session, account, cap, spent, locked, expires_at, revoked: false });
    Ok(Effects::default())
}

/// The signer's account ends a session key. Doing it twice changes nothing.
pub(crate) fn revoke(state: &mut State, context: &Context<'_>, key: PublicKey) -> Verdict {
    let mut session = state.session(&key).ok_or(TransactionError::UnknownSession)?;
    if session.account != context.account() {
        return Err(TransactionError::NotSessionOwner);
    }
    session.revoked = true;
    state.put_session(session);
    Ok(Effects::default())
}
