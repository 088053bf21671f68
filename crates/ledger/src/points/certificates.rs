//! Certificates: the first so many qualified accounts get one each.

use remuda_types::AccountId;

use super::error::PointsError;
use super::records::PointsAccount;
use crate::block::Effects;
use crate::context::{Context, Verdict};
use crate::error::TransactionError;
use crate::state::State;

impl State {
    /// Gives `account` the next certificate.
    pub(super) fn certify(
        &mut self,
        id: AccountId,
        mut account: PointsAccount,
        cap: u32,
    ) -> Result<(), TransactionError> {
        if let Some(number) = account.certificate {
            return Err(PointsError::CertificateHeld { number }.into());
        }
        let mut book = self.points_book();
        if book.certificates >= cap {
            return Err(PointsError::CertificatesGone { cap }.into());
        }
        book.certificates += 1;
        book.certified = book.certified.add(account.total()?)?;
        account.certificate = Some(book.certificates);
        self.put_points_book(book);
        self.put_points_account(id, account);
        Ok(())
    }
}

/// The signer takes a certificate.
pub(super) fn claim(state: &mut State, context: &Context<'_>) -> Verdict {
    let rules = &context.economy.points;
    if rules.certificates.cap == 0 {
        return Err(PointsError::Off.into());
    }
    let id = context.account();
    let account = state.points_account(&id).unwrap_or_default();
    if !account.qualified {
        let (needed, found) = (rules.qualified_at, account.work);
        return Err(PointsError::NotQualified { needed, found }.into());
    }
    state.certify(id, account, rules.certificates.cap)?;
    Ok(Effects::default())
}
