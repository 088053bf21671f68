//! A voucher that an earlier, broken stream could not deliver.

use remuda_net::Stream;
use remuda_net::protocol::job::{ProviderFrame, Refusal, RefusalCode};
use remuda_types::{Signed, Voucher};

use super::admission::{account, renew};
use super::{refusal, refuse, send};
use crate::shared::Shared;
use crate::till::{Account, VoucherError};

/// Takes in the voucher, and answers with the best one when it is on disk.
pub(super) async fn serve(shared: &Shared, mut stream: Stream, voucher: Signed<Voucher>) {
    match settle(shared, voucher).await {
        Ok(best) => {
            send(&mut stream.writer, &ProviderFrame::Settled(best)).await.ok();
            stream.writer.finish();
        }
        Err(reason) => refuse(&mut stream.writer, reason).await,
    }
}

async fn settle(shared: &Shared, voucher: Signed<Voucher>) -> Result<Signed<Voucher>, Refusal> {
    let account = account(shared, &voucher.body.channel).await?;
    take(shared, &account, voucher.clone()).await?;
    // Also for a repeated one: the answer says that the best voucher is on disk.
    shared.till.flush().await;
    shared.note_vouchered();
    Ok(account.voucher().unwrap_or(voucher))
}

/// Takes in a voucher. One beyond the deposit that is known here makes the ledger be asked
/// again: the channel may have been topped up.
pub(super) async fn take(
    shared: &Shared,
    account: &Account,
    voucher: Signed<Voucher>,
) -> Result<bool, Refusal> {
    let taken = match shared.till.take(account, voucher.clone()) {
        Err(VoucherError::BeyondDeposit) => {
            renew(shared, account).await;
            shared.till.take(account, voucher)
        }
        taken => taken,
    };
    taken.map_err(|error| refusal(RefusalCode::BadVoucher, error.to_string()))
}
