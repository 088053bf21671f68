//! Messages of every protocol, framed as on the wire.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_engine::worker::frame::{FromWorker, ToWorker};
use remuda_net::frame::{decode, encode, measure};
use remuda_net::protocol::{index, job};

/// The most bytes that a frame may claim here: hostile lengths are far above it.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

fn message<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) -> Option<T> {
    let (message, length) = match decode::<T>(bytes, FRAME_BYTES_MAX) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert!(!error.code().is_empty());
            return None;
        }
    };
    assert!(length <= bytes.len(), "a frame beyond its bytes");
    assert_eq!(measure(bytes, FRAME_BYTES_MAX), Ok(Some(length)));
    let again = encode(&message, FRAME_BYTES_MAX).expect("what was decoded encodes");
    assert_eq!(again, &bytes[..length], "another encoding of the same message");
    Some(message)
}

/// `remuda/job/1`: what a client sends.
pub fn job_client(bytes: &[u8]) {
    match message::<job::ClientFrame>(bytes) {
        Some(job::ClientFrame::Open(open)) => {
            let _ = open.input.validate();
            let _ = open.resume.units();
            let _ = open.channel_use.map(|leave| leave.verify());
        }
        Some(job::ClientFrame::Voucher(voucher) | job::ClientFrame::Settle(voucher)) => {
            let _ = voucher.verify();
        }
        Some(job::ClientFrame::Cancel) | None => {}
    }
}

/// `remuda/job/1`: what a provider sends.
pub fn job_provider(bytes: &[u8]) {
    let frame = message::<job::ProviderFrame>(bytes);
    if let Some(job::ProviderFrame::Finished(receipt)) = &frame {
        let _ = receipt.verify();
        let _ = receipt.body.check_amount();
    }
    if let Some(job::ProviderFrame::Embeddings(vectors)) = &frame {
        assert!(vectors.iter().flatten().all(|number| !number.is_nan()), "a NaN travelled");
    }
}

/// `remuda/index/1`: what an indexer is asked.
pub fn index_request(bytes: &[u8]) {
    if let Some(index::Request::Announce(announcement)) = message::<index::Request>(bytes) {
        let _ = announcement.verify_by(&announcement.body.address.node);
    }
}

/// `remuda/index/1`: what an indexer answers.
pub fn index_response(bytes: &[u8]) {
    message::<index::Response>(bytes);
}

/// `remuda/ledger/1`: what a validator is asked.
pub fn ledger_request(bytes: &[u8]) {
    message::<remuda_chain::protocol::Request>(bytes);
}

/// `remuda/ledger/1`: what a validator answers.
pub fn ledger_response(bytes: &[u8]) {
    use remuda_chain::LedgerError;
    use remuda_chain::protocol::{Refusal, Response};
    if let Some(Response::Refused(refusal)) = message::<Response>(bytes) {
        let error = LedgerError::from(refusal.clone());
        assert_eq!(Refusal::from(error), refusal, "a refusal changed on its way");
    }
}

/// `remuda/model/1`: what a peer is asked.
pub fn model_request(bytes: &[u8]) {
    message::<remuda_models::protocol::Request>(bytes);
}

/// `remuda/model/1`: what a peer answers.
pub fn model_response(bytes: &[u8]) {
    message::<remuda_models::protocol::Response>(bytes);
}

fn worker<T: BorshSerialize + BorshDeserialize>(body: &[u8]) {
    use remuda_engine::worker::frame::{decode, encode};
    if let Ok(message) = decode::<T>(body) {
        let frame = encode(&message).expect("what was decoded encodes");
        assert_eq!(&frame[4..], body, "another encoding of the same message");
    }
}

/// What a node tells its worker.
pub fn worker_order(bytes: &[u8]) {
    worker::<ToWorker>(bytes);
}

/// What a worker, whose native code may have gone astray, tells its node.
pub fn worker_report(bytes: &[u8]) {
    worker::<FromWorker>(bytes);
}
