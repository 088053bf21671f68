//! Records and messages.

use borsh::BorshSerialize;
use remuda_chain::protocol as ledger;
use remuda_chain::{Found, Included, StorageError, transaction_digest};
use remuda_engine::worker::Pulse;
use remuda_engine::worker::frame::{self, FromWorker, ToWorker};
use remuda_engine::{EngineError, EngineEvent, EngineJob, ModelSpec, ServedModel};
use remuda_fuzz::records::{actor, small_genesis, true_proofs};
use remuda_gateway::ReceiptRecord;
use remuda_ledger::{
    Action, Answer, Effects, Ledger, Outcome, Query, SignedTransaction, Transaction,
    TransactionError,
};
use remuda_models::protocol as models;
use remuda_net::protocol::{index, job};
use remuda_types::job::{
    Chat, Constraint, Delta, Embed, Generate, JobInput, JobKind, LogprobEntry, Message, Millionths,
    Prompt, Resume, ResumeChoice, Role, Sampling, TokenLogprob, Tool, ToolCall, ToolCallDelta,
    ToolChoice,
};
use remuda_types::{
    Announcement, Canonical, ChannelId, ChannelUse, Credits, DeviceClass, FinalReceipt, Hash,
    JobId, Load, ManifestHash, ModelOffer, NetworkId, NodeAddress, OrderId, Price, ProviderState,
    Receipt, SecretKey, Seed, SeedSource, Signed, StopReason, Tokens, Usage, Voucher,
};

use crate::Seeds;

const fn hash(byte: u8) -> Hash {
    Hash([byte; 32])
}

fn provider() -> SecretKey {
    SecretKey::from_seed([3; 32])
}

fn channel() -> ChannelId {
    ChannelId::derive(&actor().public(), &provider().public(), &[7; 32])
}

fn receipt() -> Receipt {
    let job = JobId::derive(&OrderId(hash(5)));
    Receipt {
        network: NetworkId(hash(6)),
        job,
        attempt: 1,
        kind: JobKind::Generate,
        manifest: ManifestHash(hash(7)),
        input: generate().commit(&[8; 32]),
        seed: Seed::from_beacon(&hash(9), &job, &[10; 32]),
        seed_source: SeedSource::Beacon { height: 11, nonce: hash(10) },
        output: hash(12),
        usage: Usage { units_in: 50, units_cached: 8, units_out: 13, units_resumed: 2 },
        stop: StopReason::Length,
        fingerprint: Some(hash(13)),
        started_at: 1_700_000_000_000,
        finished_at: 1_700_000_001_234,
        device: DeviceClass("cpu-x86_64".into()),
        numerics: Some("llama.cpp b1 avx2 q4_1".into()),
        price: Price { input: 10_000, output: 40_000 },
        amount: Credits(2),
        channel: channel(),
        sequence: 4,
        cumulative: Credits(1_500),
        provider: provider().public(),
        payer: actor().public(),
    }
}

/// A receipt that holds.
pub(crate) fn final_receipt() -> FinalReceipt {
    let receipt = receipt();
    let voucher = Voucher {
        channel: receipt.channel,
        sequence: 9,
        cumulative: receipt.cumulative,
        receipt: Some(receipt.id()),
    };
    FinalReceipt {
        receipt: Signed::sign(receipt, &provider()),
        voucher: Signed::sign(voucher, &actor()),
    }
}

fn voucher() -> Signed<Voucher> {
    let cumulative = Credits(150);
    let voucher = Voucher { channel: channel(), sequence: 1, cumulative, receipt: None };
    Signed::sign(voucher, &actor())
}

fn message(role: Role, content: &str) -> Message {
    Message { role, content: content.into(), name: None, tool_calls: vec![], tool_call_id: None }
}

fn generate() -> JobInput {
    let call = ToolCall { id: "c1".into(), name: "add".into(), arguments: "{\"a\":1}".into() };
    let tool = Tool {
        name: "add".into(),
        description: Some("Adds.".into()),
        parameters: "{\"type\":\"object\"}".into(),
    };
    let asked = Message { tool_calls: vec![call], ..message(Role::Assistant, "") };
    let answered = Message { tool_call_id: Some("c1".into()), ..message(Role::Tool, "2") };
    JobInput::Generate(Generate {
        prompt: Prompt::Chat(Chat {
            messages: vec![message(Role::User, "1 + 1 = ?"), asked, answered],
            tools: vec![tool],
            tool_choice: ToolChoice::Named("add".into()),
        }),
        choices: 2,
        max_output: 64,
        sampling: Sampling {
            logit_bias: [(5, Millionths(-1_000_000)), (9, Millionths(500_000))].into(),
            temperature: Millionths(700_000),
            ..Sampling::default()
        },
        stop: vec!["\n\n".into()],
        constraint: Constraint::JsonSchema("{}".into()),
        logprobs: Some(3),
    })
}

fn inputs() -> Vec<JobInput> {
    let JobInput::Generate(base) = generate() else { return vec![] };
    let with =
        |prompt, constraint| JobInput::Generate(Generate { prompt, constraint, ..base.clone() });
    vec![
        generate(),
        with(Prompt::Tokens(vec![1, 2, 3]), Constraint::Regex("a+".into())),
        with(Prompt::Text("once".into()), Constraint::Lark("start: \"a\"".into())),
        JobInput::Embed(Embed { inputs: vec!["one".into(), "two".into()] }),
    ]
}

/// A provider's address.
pub(crate) fn address() -> NodeAddress {
    NodeAddress {
        node: provider().public(),
        direct: vec![([192, 0, 2, 1], 4433).into(), ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 44).into()],
        relay: Some("https://relay.example/".into()),
    }
}

fn announcement() -> Announcement {
    Announcement {
        address: address(),
        sequence: 12,
        announced_at: 1_700_000_000_000,
        models: vec![ModelOffer {
            name: "small".into(),
            manifest: ManifestHash(hash(7)),
            kinds: vec![JobKind::Generate, JobKind::Embed],
            context: 2_048,
            price: Price { input: 10_000, output: 40_000 },
            numerics: None,
        }],
        load: Load { active: 1, queued: 2, slots: 4 },
        state: ProviderState::Ready,
        device: DeviceClass("cpu-x86_64".into()),
        software: "remuda 0.1.0".into(),
    }
}

/// One of each kind, by the key that may do it.
fn transactions() -> Vec<SignedTransaction> {
    let (account, ends) = (actor().public().into(), 1_700_000_100_000);
    let manifest = ManifestHash(hash(9));
    let (provider_node, client) = (provider().public(), actor().public());
    let (nonce, deposit) = ([7; 32], Credits(500));
    let open =
        Action::OpenChannel { nonce, provider: provider_node, client, deposit, expires_at: ends };
    let session = SecretKey::from_seed([5; 32]).public();
    let own = [
        open,
        Action::Transfer { to: provider().public().into(), amount: Tokens(9) },
        Action::GrantCredits { to: account, amount: Credits(8) },
        Action::CreateSession { session, cap: Credits(7), expires_at: ends },
        Action::RevokeSession { session },
        Action::TopUpChannel { channel: channel(), amount: Credits(6) },
        Action::RequestClose { channel: channel() },
        Action::ExpireChannel { channel: channel() },
        Action::RegisterModel {
            name: "m".into(),
            manifest,
            kinds: vec![JobKind::Generate],
            licence: "MIT".into(),
        },
    ];
    let providers = [
        Action::Redeem { vouchers: vec![voucher()] },
        Action::CloseChannel { channel: channel(), voucher: Some(voucher()) },
        Action::RegisterProvider { reward: account, name: "p".into() },
        Action::DeregisterProvider,
    ];
    let network = small_genesis().network();
    let sign =
        |action, key: &SecretKey| Signed::sign(Transaction { network, nonce: 0, action }, key);
    let own = own.into_iter().map(|action| sign(action, &actor()));
    own.chain(providers.into_iter().map(|action| sign(action, &provider()))).collect()
}

fn canonical<T: Canonical>(target: &'static str, values: &[T]) -> Seeds {
    Seeds::new(target, values.iter().map(T::to_canonical).collect())
}

fn records() -> Vec<Seeds> {
    let mut ledger = Ledger::new(&small_genesis()).expect("the genesis holds");
    let transactions = transactions();
    let block = ledger.apply(1_700_000_000_500, &transactions[..3]).expect("time goes on").block;
    let encoded = transactions.iter().map(|one| borsh::to_vec(one).expect("it has an encoding"));
    let record = ReceiptRecord {
        order: OrderId(hash(5)),
        job: receipt().job,
        amount: receipt().amount,
        receipts: vec![final_receipt()],
    };
    let leave = ChannelUse { channel: channel(), client: provider().public() };
    let bodies: Vec<Transaction> = transactions.iter().map(|one| one.body.clone()).collect();
    vec![
        canonical("final_receipt", &[final_receipt()]),
        canonical("receipt", &[receipt()]),
        canonical("voucher", &[voucher().body, final_receipt().voucher.body]),
        canonical("channel_use", &[leave]),
        canonical("announcement", &[announcement()]),
        canonical("job_input", &inputs()),
        canonical("transaction", &bodies),
        Seeds::new("signed_transaction", encoded.collect()),
        canonical("genesis", &[small_genesis()]),
        canonical("block", std::slice::from_ref(&block)),
        canonical("header", &[block.header]),
        canonical("state_proof", &true_proofs()),
        canonical("gateway_record", &[record]),
    ]
}

fn delta() -> Delta {
    let entry = LogprobEntry { token: 3, bytes: b"a".to_vec(), logprob: Millionths(-7) };
    Delta {
        choice: 1,
        tokens: vec![3],
        units: 1,
        text: "a".into(),
        tool_calls: vec![ToolCallDelta {
            index: 0,
            id: Some("c".into()),
            name: Some("f".into()),
            arguments: "{}".into(),
        }],
        logprobs: vec![TokenLogprob { chosen: entry.clone(), top: vec![entry] }],
    }
}

fn resume() -> Resume {
    let choice = ResumeChoice { tokens: vec![1, 2], text: "ab".into(), units: 2, finished: None };
    let finished = Some(StopReason::Stop);
    Resume { choices: vec![choice, ResumeChoice { finished, ..Default::default() }] }
}

fn job_frames() -> [Seeds; 2] {
    let leave = ChannelUse { channel: channel(), client: actor().public() };
    let open = |input| {
        job::ClientFrame::Open(Box::new(job::Open {
            job: receipt().job,
            attempt: 1,
            manifest: ManifestHash(hash(6)),
            price: Price { input: 7, output: 8 },
            channel: channel(),
            channel_use: Some(Signed::sign(leave.clone(), &actor())),
            seed: Seed(hash(9)),
            seed_source: SeedSource::Caller(-1),
            salt: [10; 32],
            input,
            resume: resume(),
        }))
    };
    let mut asked: Vec<job::ClientFrame> = inputs().into_iter().map(open).collect();
    asked.push(job::ClientFrame::Voucher(voucher()));
    asked.push(job::ClientFrame::Settle(voucher()));
    asked.push(job::ClientFrame::Cancel);
    let code = job::RefusalCode::Overloaded;
    let refusal = job::Refusal { code, message: "later".into() };
    let signed = || Box::new(final_receipt().receipt);
    let answered = [
        job::ProviderFrame::Output { delta: delta(), receipt: Some(signed()) },
        job::ProviderFrame::Accepted { voucher: Some(voucher()), earned: Credits(1) },
        job::ProviderFrame::Refused(refusal.clone()),
        job::ProviderFrame::Prepared { units_in: 1, units_cached: 2 },
        job::ProviderFrame::Embeddings(vec![vec![0.5, -0.0], vec![f32::INFINITY]]),
        job::ProviderFrame::ChoiceDone { choice: 1, stop: StopReason::Stop },
        job::ProviderFrame::Heartbeat,
        job::ProviderFrame::Finished(signed()),
        job::ProviderFrame::Failed(refusal),
        job::ProviderFrame::Settled(voucher()),
    ];
    [Seeds::frames("job_client", &asked), Seeds::frames("job_provider", &answered)]
}

fn index_frames() -> [Seeds; 2] {
    let announcement = Signed::sign(announcement(), &provider());
    let announce = index::Request::Announce(Box::new(announcement.clone()));
    let liveness = index::Liveness::Unknown;
    let listing = index::Listing { announcement, liveness };
    let answers = [
        index::Response::Listings(vec![listing.clone(), listing]),
        index::Response::Announced { renew_after_ms: 1000 },
        index::Response::Refused { code: "no".into(), message: "never".into() },
    ];
    [
        Seeds::frames("index_request", &[announce, index::Request::List]),
        Seeds::frames("index_response", &answers),
    ]
}

fn ledger_frames() -> [Seeds; 2] {
    let mut ledger = Ledger::new(&small_genesis()).expect("the genesis holds");
    let transactions = transactions();
    let submitted = transactions[0].clone();
    let block = ledger.apply(1_700_000_000_500, &transactions[..1]).expect("time goes on").block;
    let account = actor().public().into();
    let queries = [
        Query::ChannelsOfPayer(actor().public()),
        Query::Account(account),
        Query::SessionsOf(account),
        Query::Models,
        Query::Supply,
        Query::Head,
    ];
    let digest = transaction_digest(&submitted);
    let mut asked = vec![ledger::Request::Submit(Box::new(submitted))];
    asked.extend(queries.iter().cloned().map(ledger::Request::Query));
    asked.push(ledger::Request::Blocks { from: 1, limit: 2 });
    asked.push(ledger::Request::Network);
    asked.push(ledger::Request::Lookup(digest));
    asked.push(ledger::Request::NextHead { after: 1, wait_ms: 100 });
    let effects = Effects { earned: Credits(1), returned: Credits(2) };
    let refused = TransactionError::WrongNonce { expected: 1, found: 2 };
    let answers = queries.iter().map(|query| ledger.query(query));
    let mut answered = vec![ledger::Response::Blocks(vec![block])];
    answered.extend(answers.map(|answer: Answer| ledger::Response::Answer(answer)));
    answered.push(ledger::Response::Included(Included { height: 1, digest, effects }));
    answered.push(ledger::Response::Network(small_genesis().network()));
    let found = Found { height: 1, outcome: Outcome::Refused(refused.clone()) };
    answered.push(ledger::Response::Found(Some(found)));
    answered.push(ledger::Response::Head(ledger.head().clone()));
    let refusals = [
        ledger::Refusal::Transaction(refused),
        ledger::Refusal::Storage(StorageError::Pruned { oldest: 9 }),
        ledger::Refusal::Overloaded { retry_after_ms: 5 },
        ledger::Refusal::Timeout { after_ms: 6 },
    ];
    answered.extend(refusals.map(ledger::Response::Refused));
    [Seeds::frames("ledger_request", &asked), Seeds::frames("ledger_response", &answered)]
}

fn model_frames() -> [Seeds; 2] {
    let asked = [models::Request::From { blake3: hash(1), offset: 7 }];
    let answered = [
        models::Response::Data(b"GGUF".to_vec()),
        models::Response::Start { bytes: 9 },
        models::Response::Refused(models::Refusal::Busy),
    ];
    [Seeds::frames("model_request", &asked), Seeds::frames("model_response", &answered)]
}

fn bodies<T: BorshSerialize>(target: &'static str, messages: &[T]) -> Seeds {
    let body = |message| frame::encode(message).expect("the message fits")[4..].to_vec();
    Seeds::new(target, messages.iter().map(body).collect())
}

fn worker_frames() -> [Seeds; 2] {
    let (manifest, seed) = (ManifestHash(hash(6)), Seed(hash(9)));
    let work = EngineJob { manifest, seed, input: generate(), resume: resume() };
    let asked = [
        ToWorker::Start { job: 1, work },
        ToWorker::Load(ModelSpec::new(manifest, "model.gguf")),
        ToWorker::Credit { job: 1, events: 2 },
        ToWorker::Cancel { job: 1 },
    ];
    let (context, numerics) = (2048, Some("exact".to_owned()));
    let served = ServedModel { manifest, kinds: vec![JobKind::Generate], context, numerics };
    let event = |event| FromWorker::Event { job: 1, event };
    let answered = [
        event(EngineEvent::Output(delta())),
        event(EngineEvent::Prepared { units_in: 2, units_cached: 1 }),
        event(EngineEvent::Embeddings(vec![vec![1.0, 0.5]])),
        FromWorker::Loaded(vec![served]),
        FromWorker::LoadFailed("no".into()),
        FromWorker::Failed { job: 1, error: EngineError::UnknownModel(manifest) },
        FromWorker::Pulse(Pulse::default()),
    ];
    [bodies("worker_order", &asked), bodies("worker_report", &answered)]
}

/// The seeds of all targets that read binary values.
pub(crate) fn seeds() -> Vec<Seeds> {
    let frames = [job_frames(), index_frames(), ledger_frames(), model_frames(), worker_frames()];
    records().into_iter().chain(frames.into_iter().flatten()).collect()
}
