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

#[cfg(test)]
mod tests {
    use remuda_types::Hash;

    use super::*;

    fn account(number: u32) -> AccountId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        AccountId(Hash(bytes))
    }

    /// The first 10,000 get one each; the 10,001st does not (DK-07).
    #[test]
    fn ten_thousand_and_no_more() {
        let mut state = State::default();
        for number in 1..=10_000 {
            let entered = state.enter_points(account(number)).unwrap();
            state.certify(account(number), entered, 10_000).unwrap();
            let given = state.points_account(&account(number)).unwrap();
            assert_eq!(given.certificate, Some(number));
        }
        let late = state.enter_points(account(10_001)).unwrap();
        let error = state.certify(account(10_001), late, 10_000).unwrap_err();
        assert_eq!(error.code(), "points_certificates_gone");
        let first = state.points_account(&account(1)).unwrap();
        let error = state.certify(account(1), first, 10_001).unwrap_err();
        assert_eq!(error.code(), "points_certificate_held");
        assert_eq!(state.points_book().certificates, 10_000);
    }
}
