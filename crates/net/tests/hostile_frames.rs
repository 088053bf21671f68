//! Every message type of every protocol, against thousands of damaged frames: decoding never
//! panics, and whatever it accepts has that one encoding.

// A helper that fails should end its test.
#![allow(clippy::unwrap_used)]

use borsh::{BorshDeserialize, BorshSerialize};
use proptest::prelude::*;
use remuda_net::frame::{decode, encode};
use remuda_net::protocol::job::{ClientFrame, Open, ProviderFrame, Refusal, RefusalCode};
use remuda_net::protocol::{index, job};
use remuda_types::job::{Embed, JobInput, Resume, ResumeChoice};
use remuda_types::{
    Announcement, ChannelId, ChannelUse, Credits, DeviceClass, Hash, JobId, Load, ManifestHash,
    NodeAddress, Price, ProviderState, SecretKey, Seed, SeedSource, Signed, StopReason, Voucher,
};

const LIMIT: usize = 1 << 20;

fn key() -> SecretKey {
    SecretKey::from_seed([1; 32])
}

fn voucher() -> Signed<Voucher> {
    let channel = ChannelId(Hash([2; 32]));
    let voucher = Voucher { channel, sequence: 3, cumulative: Credits(4), receipt: None };
    Signed::sign(voucher, &key())
}

fn open() -> ClientFrame {
    let channel = ChannelId(Hash([2; 32]));
    let leave = ChannelUse { channel, client: key().public() };
    ClientFrame::Open(Box::new(Open {
        job: JobId(Hash([5; 32])),
        attempt: 1,
        manifest: ManifestHash(Hash([6; 32])),
        price: Price { input: 7, output: 8 },
        channel,
        channel_use: Some(Signed::sign(leave, &key())),
        seed: Seed(Hash([9; 32])),
        seed_source: SeedSource::Caller(-1),
        salt: [10; 32],
        input: JobInput::Embed(Embed { inputs: vec!["one".to_owned(), "two".to_owned()] }),
        resume: Resume {
            choices: vec![ResumeChoice { tokens: vec![1, 2, 3], ..Default::default() }],
        },
    }))
}

fn announcement() -> Signed<Announcement> {
    let direct = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
    let relay = Some("http://relay/".to_owned());
    let announcement = Announcement {
        address: NodeAddress { node: key().public(), direct, relay },
        sequence: 1,
        announced_at: 2,
        models: vec![],
        load: Load { active: 1, queued: 2, slots: 3 },
        state: ProviderState::Ready,
        device: DeviceClass("cpu".to_owned()),
        software: "test".to_owned(),
    };
    Signed::sign(announcement, &key())
}

fn frames<T: BorshSerialize>(messages: &[T]) -> Vec<Vec<u8>> {
    messages.iter().map(|message| encode(message, LIMIT).unwrap()).collect()
}

/// Valid frames of every kind, to be damaged.
fn corpus() -> Vec<Vec<u8>> {
    let refusal = Refusal { code: RefusalCode::Overloaded, message: "later".to_owned() };
    let liveness = index::Liveness::Unknown;
    let listing = index::Listing { announcement: announcement(), liveness };
    let refused = index::Response::Refused { code: "no".to_owned(), message: "never".to_owned() };
    [
        frames(&[open(), ClientFrame::Voucher(voucher()), ClientFrame::Cancel]),
        frames(&[
            ProviderFrame::Accepted { voucher: Some(voucher()), earned: Credits(1) },
            ProviderFrame::Refused(refusal.clone()),
            ProviderFrame::Prepared { units_in: 1, units_cached: 2 },
            ProviderFrame::Embeddings(vec![vec![0.5, -0.0], vec![f32::INFINITY]]),
            ProviderFrame::ChoiceDone { choice: 1, stop: StopReason::Stop },
            ProviderFrame::Heartbeat,
            ProviderFrame::Failed(refusal),
            ProviderFrame::Settled(voucher()),
        ]),
        frames(&[index::Request::Announce(Box::new(announcement())), index::Request::List]),
        frames(&[
            index::Response::Announced { renew_after_ms: 1000 },
            index::Response::Listings(vec![listing.clone(), listing]),
            refused,
        ]),
    ]
    .concat()
}

/// What is accepted must encode to the very bytes that came.
fn holds<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) -> bool {
    match decode::<T>(bytes, LIMIT) {
        Ok((message, length)) => encode(&message, LIMIT).unwrap() == bytes[..length],
        Err(error) => !error.code().is_empty(),
    }
}

fn all_hold(bytes: &[u8]) -> bool {
    holds::<ClientFrame>(bytes)
        && holds::<ProviderFrame>(bytes)
        && holds::<index::Request>(bytes)
        && holds::<index::Response>(bytes)
}

#[test]
fn every_single_byte_flip_of_every_frame_holds() {
    for frame in corpus() {
        assert!(all_hold(&frame));
        for at in 0..frame.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = frame.clone();
                damaged[at] ^= flip;
                assert!(all_hold(&damaged), "byte {at} of {frame:?}");
            }
        }
    }
}

#[test]
fn every_cut_of_every_frame_is_an_error() {
    for frame in corpus() {
        for cut in 0..frame.len() {
            assert!(decode::<ClientFrame>(&frame[..cut], job::FRAME_BYTES_MAX).is_err());
            assert!(decode::<index::Response>(&frame[..cut], index::FRAME_BYTES_MAX).is_err());
        }
    }
}

#[test]
fn a_nan_is_not_a_message() {
    let mut frame = encode(&ProviderFrame::Embeddings(vec![vec![1.0]]), LIMIT).unwrap();
    let at = frame.len() - 4;
    frame[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = decode::<ProviderFrame>(&frame, LIMIT).unwrap_err();
    assert_eq!(error.code(), "frame_malformed");
    let nan = encode(&ProviderFrame::Embeddings(vec![vec![f32::NAN]]), LIMIT).unwrap_err();
    assert_eq!(nan.code(), "frame_malformed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn mutated_frames_hold(
        which: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        tail in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        let corpus = corpus();
        let mut bytes = corpus[which.index(corpus.len())].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // Half of the time a part is replaced, and the length set right again.
        if let Some(cut) = cut {
            bytes.truncate(5 + cut.index(bytes.len() - 4));
            bytes.extend(tail);
            let length = u32::try_from(bytes.len() - 4).unwrap();
            bytes[..4].copy_from_slice(&length.to_le_bytes());
        }
        prop_assert!(all_hold(&bytes));
    }
}
