//! Values of every record: fixed ones for golden bytes, arbitrary ones for properties.

use proptest::prelude::*;
use remuda_types::job::{
    Chat, Constraint, Embed, Generate, JobInput, JobKind, Message, Millionths, Prompt, Role,
    Sampling, Tool, ToolCall, ToolChoice,
};
use remuda_types::{
    Announcement, ChannelId, ChannelUse, Credits, DeviceClass, FinalReceipt, Hash, JobId, Load,
    ManifestHash, ModelOffer, NetworkId, NodeAddress, OrderId, Price, ProviderState, Receipt,
    ReceiptId, SecretKey, Seed, SeedSource, Signed, StopReason, Usage, Voucher,
};

pub(crate) fn payer() -> SecretKey {
    SecretKey::from_seed([1; 32])
}

pub(crate) fn provider() -> SecretKey {
    SecretKey::from_seed([2; 32])
}

fn hash(byte: u8) -> Hash {
    Hash([byte; 32])
}

pub(crate) fn voucher() -> Voucher {
    Voucher {
        channel: ChannelId(hash(3)),
        sequence: 7,
        cumulative: Credits(1_500),
        receipt: Some(ReceiptId(hash(4))),
    }
}

pub(crate) fn channel_use() -> ChannelUse {
    ChannelUse { channel: ChannelId(hash(3)), client: provider().public() }
}

pub(crate) fn receipt() -> Receipt {
    let job = JobId::derive(&OrderId(hash(5)));
    Receipt {
        network: NetworkId(hash(6)),
        job,
        attempt: 1,
        kind: JobKind::Generate,
        manifest: ManifestHash(hash(7)),
        input: job_input().commit(&[8; 32]),
        seed: Seed::from_beacon(&hash(9), &job, &[10; 32]),
        seed_source: SeedSource::Beacon { height: 11, nonce: hash(10) },
        output: hash(12),
        usage: Usage { units_in: 50, units_cached: 8, units_out: 13, units_resumed: 2 },
        stop: StopReason::Length,
        fingerprint: None,
        started_at: 1_700_000_000_000,
        finished_at: 1_700_000_001_234,
        device: DeviceClass("cpu-x86_64".into()),
        numerics: Some("llama.cpp b1 avx2 q4_1".into()),
        price: Price { input: 10_000, output: 40_000 },
        amount: Credits(2),
        channel: ChannelId(hash(3)),
        sequence: 4,
        cumulative: Credits(1_500),
        provider: provider().public(),
        payer: payer().public(),
    }
}

pub(crate) fn final_receipt() -> FinalReceipt {
    signed_by_both(receipt())
}

/// The receipt as its provider signs it, and the payer's voucher that acknowledges it.
pub(crate) fn signed_by_both(receipt: Receipt) -> FinalReceipt {
    let voucher = Voucher {
        channel: receipt.channel,
        sequence: 9,
        cumulative: receipt.cumulative,
        receipt: Some(receipt.id()),
    };
    FinalReceipt {
        receipt: Signed::sign(receipt, &provider()),
        voucher: Signed::sign(voucher, &payer()),
    }
}

pub(crate) fn job_input() -> JobInput {
    let message = |role, content: &str| Message {
        role,
        content: content.into(),
        name: None,
        tool_calls: vec![],
        tool_call_id: None,
    };
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
            tool_choice: ToolChoice::Auto,
        }),
        choices: 2,
        max_output: 64,
        sampling: Sampling {
            logit_bias: [(5, Millionths(-1_000_000)), (9, Millionths(500_000))].into(),
            temperature: Millionths(700_000),
            top_k: 40,
            ..Sampling::default()
        },
        stop: vec!["\n\n".into()],
        constraint: Constraint::JsonSchema("{}".into()),
        logprobs: Some(3),
    })
}

pub(crate) fn announcement() -> Announcement {
    Announcement {
        address: NodeAddress {
            node: provider().public(),
            direct: vec!["192.0.2.1:4433".parse().unwrap(), "[2001:db8::1]:4433".parse().unwrap()],
            relay: Some("https://relay.example/".into()),
        },
        sequence: 12,
        announced_at: 1_700_000_000_000,
        models: vec![ModelOffer {
            name: "smollm2-135m-instruct".into(),
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

fn any_hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

pub(crate) fn any_voucher() -> impl Strategy<Value = Voucher> {
    (any_hash(), any::<u64>(), any::<u64>(), prop::option::of(any_hash())).prop_map(
        |(channel, sequence, cumulative, receipt)| Voucher {
            channel: ChannelId(channel),
            sequence,
            cumulative: Credits(cumulative),
            receipt: receipt.map(ReceiptId),
        },
    )
}

pub(crate) fn any_channel_use() -> impl Strategy<Value = ChannelUse> {
    (any_hash(), any::<[u8; 32]>()).prop_map(|(channel, seed)| ChannelUse {
        channel: ChannelId(channel),
        client: SecretKey::from_seed(seed).public(),
    })
}

fn any_seed_source() -> impl Strategy<Value = SeedSource> {
    prop_oneof![
        any::<i64>().prop_map(SeedSource::Caller),
        (any::<u64>(), any_hash()).prop_map(|(height, nonce)| SeedSource::Beacon { height, nonce }),
    ]
}

fn any_stop() -> impl Strategy<Value = StopReason> {
    prop::sample::select(vec![
        StopReason::Stop,
        StopReason::Length,
        StopReason::ToolCalls,
        StopReason::Cancelled,
        StopReason::Partial,
    ])
}

/// A receipt of [`provider`] and [`payer`] whose amount follows from its price and units.
pub(crate) fn any_receipt() -> impl Strategy<Value = Receipt> {
    let units = (0..100_000_u64, 0..100_u64, 0..100_000_u64, 0..100_u64);
    let price = (0..1_000_000_u64, 0..1_000_000_u64);
    // Printable: JSON writes a control character in more than one way.
    let texts = ("[ -~é]{0,12}", prop::option::of("[ -~é]{0,12}"));
    let rest = (any_seed_source(), any_stop(), prop::option::of(any_hash()), any::<u16>());
    (units, price, texts, rest, any_hash(), 0..1_000_u64).prop_map(
        |(units, (input, output), (device, numerics), rest, some, before)| {
            let (seed_source, stop, fingerprint, attempt) = rest;
            let (units_in, units_cached, units_out, units_resumed) = units;
            let price = Price { input, output };
            let amount = price.cost(units_in, units_out).unwrap();
            Receipt {
                attempt,
                input: some,
                seed_source,
                usage: Usage { units_in, units_cached, units_out, units_resumed },
                stop,
                fingerprint,
                device: DeviceClass(device),
                numerics,
                price,
                amount,
                cumulative: Credits(amount.0 + before),
                ..receipt()
            }
        },
    )
}

fn any_sampling() -> impl Strategy<Value = Sampling> {
    let bias = prop::collection::btree_map(any::<u32>(), any::<i32>().prop_map(Millionths), 0..4);
    (bias, any::<i32>(), any::<u32>()).prop_map(|(logit_bias, number, top_k)| Sampling {
        logit_bias,
        temperature: Millionths(number),
        top_k,
        ..Sampling::default()
    })
}

fn any_prompt() -> impl Strategy<Value = Prompt> {
    let role = prop::sample::select(vec![Role::System, Role::User, Role::Assistant, Role::Tool]);
    let message =
        (role, ".{0,20}", prop::option::of("[a-z]{1,5}")).prop_map(|(role, content, name)| {
            Message { role, content, name, tool_calls: vec![], tool_call_id: None }
        });
    let choice = prop_oneof![
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        "[a-z]{1,5}".prop_map(ToolChoice::Named)
    ];
    prop_oneof![
        ".{0,20}".prop_map(Prompt::Text),
        prop::collection::vec(any::<u32>(), 0..8).prop_map(Prompt::Tokens),
        (prop::collection::vec(message, 0..4), choice).prop_map(|(messages, tool_choice)| {
            Prompt::Chat(Chat { messages, tools: vec![], tool_choice })
        }),
    ]
}

pub(crate) fn any_job_input() -> impl Strategy<Value = JobInput> {
    let generate = (any_prompt(), any_sampling(), any::<u16>(), prop::option::of(any::<u8>()))
        .prop_map(|(prompt, sampling, choices, logprobs)| {
            JobInput::Generate(Generate {
                prompt,
                choices,
                max_output: 5,
                sampling,
                stop: vec![],
                constraint: Constraint::Regex("a+".into()),
                logprobs,
            })
        });
    let embed =
        prop::collection::vec(".{0,20}", 0..4).prop_map(|inputs| JobInput::Embed(Embed { inputs }));
    prop_oneof![generate, embed]
}

pub(crate) fn any_announcement() -> impl Strategy<Value = Announcement> {
    // Without flow and scope numbers, which mean nothing elsewhere and do not travel.
    let address = any::<(std::net::IpAddr, u16)>().prop_map(std::net::SocketAddr::from);
    let addresses = prop::collection::vec(address, 0..3);
    let states = vec![ProviderState::Ready, ProviderState::Paused, ProviderState::Draining];
    let state = prop::sample::select(states);
    (addresses, any::<u64>(), state, ".{0,20}").prop_map(|(direct, sequence, state, software)| {
        let mut announcement = announcement();
        announcement.address.direct = direct;
        Announcement { sequence, state, software, ..announcement }
    })
}
