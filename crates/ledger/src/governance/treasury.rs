//! The treasury: every outflow is a public record.

use remuda_types::{AccountId, Credits, TimestampMs, Tokens};

use super::{GovernanceError, Outflow, OutflowReason};
use crate::error::TransactionError;
use crate::money::{Denomination, Flow, Holder, Vault};
use crate::state::{Row, State};

/// How many outflows the state remembers, the newest; blocks keep all.
pub const OUTFLOWS_KEPT: u64 = 4_096;

const TREASURY: Holder = Holder::Vault(Vault::Treasury);

/// Why and when money leaves.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    pub(super) at: TimestampMs,
    pub(super) reason: OutflowReason,
}

impl State {
    /// Pays an account; credits become its earned ones.
    pub(super) fn pay_from_treasury(
        &mut self,
        to: AccountId,
        amount: u128,
        denomination: Denomination,
        cause: Cause,
    ) -> Result<(), TransactionError> {
        self.move_amount(TREASURY, Holder::Earner(to), amount, denomination)?;
        let (tokens, credits) = match denomination {
            Denomination::Token => (Tokens(amount), Credits::ZERO),
            Denomination::Credit => {
                let credits = u64::try_from(amount).map_err(|_| TransactionError::Overflow)?;
                (Tokens::ZERO, Credits(credits))
            }
        };
        self.record_outflow(Some(to), tokens, credits, cause)
    }

    /// Burns tokens of the treasury.
    pub(super) fn burn_from_treasury(
        &mut self,
        amount: Tokens,
        cause: Cause,
    ) -> Result<(), TransactionError> {
        self.burn_tokens(TREASURY, amount, Flow::Offering)?;
        self.record_outflow(None, amount, Credits::ZERO, cause)
    }

    /// Moves money of the treasury into the pool's vault.
    pub(super) fn pool_from_treasury(
        &mut self,
        tokens: Tokens,
        credits: Credits,
        cause: Cause,
    ) -> Result<(), TransactionError> {
        let pool = Holder::Vault(Vault::Pool);
        self.move_tokens(TREASURY, pool, tokens)?;
        self.move_credits(TREASURY, pool, credits)?;
        self.record_outflow(None, tokens, credits, cause)
    }

    fn record_outflow(
        &mut self,
        to: Option<AccountId>,
        tokens: Tokens,
        credits: Credits,
        Cause { at, reason }: Cause,
    ) -> Result<(), TransactionError> {
        let mut governance = self.governance().cloned().ok_or(GovernanceError::Disabled)?;
        let number = governance.next_outflow;
        governance.next_outflow = number.checked_add(1).ok_or(TransactionError::Overflow)?;
        self.put_governance(governance);
        let outflow = Outflow { number, at, reason, to, tokens, credits };
        self.write(Row::Outflow(number, Some(outflow)));
        if let Some(old) = number.checked_sub(OUTFLOWS_KEPT) {
            self.write(Row::Outflow(old, None));
        }
        Ok(())
    }
}
