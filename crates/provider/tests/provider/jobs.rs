//! Jobs: what is refused, what is streamed, how they end.

use std::sync::Arc;

use remuda_net::protocol::job::{ALPN, ClientFrame, FRAME_BYTES_MAX, ProviderFrame, RefusalCode};
use remuda_types::job::JobInput;
use remuda_types::job::{Millionths, OutputHasher, Resume, ResumeChoice};
use remuda_types::{Credits, FinalReceipt, Price, Seed, Signed, StopReason, Usage, Voucher};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::world::{
    DEPOSIT, LONG, MANIFEST, PRICE, TextEngine, World, endpoint, limits, provider_node, stranger,
    token,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_ends_with_an_exact_receipt() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    let open = world.open(channel, 5);
    let mut job = world.begin(&provider, open.clone()).await;
    assert_eq!(job.accepted().await, (None, Credits::ZERO));
    assert_eq!(job.next().await, Some(ProviderFrame::Prepared { units_in: 5, units_cached: 0 }));
    let Some(ProviderFrame::Output { delta, receipt: Some(first) }) = job.next().await else {
        panic!("the first output carries a receipt");
    };
    assert_eq!(first.verify_by(&provider_node(&world)), Ok(()));
    assert_eq!((first.body.stop, first.body.amount), (StopReason::Partial, Credits(105)));
    let (rest, last) = job.finished().await;

    let mut hasher = OutputHasher::new(1);
    [vec![delta], rest].concat().iter().for_each(|delta| hasher.update(delta));
    let receipt = &last.body;
    assert_eq!(receipt.output, hasher.digest());
    let usage = Usage { units_in: 5, units_out: 5, ..Usage::default() };
    assert_eq!((receipt.usage, receipt.amount), (usage, Credits(505)));
    assert_eq!((receipt.cumulative, receipt.stop), (Credits(505), StopReason::Length));
    assert_eq!(receipt.input, open.input.commit(&open.salt));
    assert_eq!((receipt.manifest, receipt.price), (MANIFEST, PRICE));
    assert_eq!((receipt.seed, receipt.seed_source), (open.seed, open.seed_source));
    assert_eq!(
        (receipt.device.0.as_str(), receipt.numerics.as_deref()),
        ("test-device", Some("test"))
    );
    assert_eq!((receipt.payer, receipt.provider), (world.payer.public(), provider_node(&world)));
    assert!(receipt.sequence > first.body.sequence && receipt.finished_at >= receipt.started_at);
    let voucher = Voucher {
        channel,
        sequence: 1,
        cumulative: receipt.cumulative,
        receipt: Some(receipt.id()),
    };
    let voucher = Signed::sign(voucher, &world.payer);
    let both = FinalReceipt { receipt: last, voucher: voucher.clone() };
    assert_eq!(both.verify(), Ok(()));
    job.say(&ClientFrame::Voucher(voucher)).await;
    job.closed().await;
    let earnings = provider.status().earnings;
    assert_eq!((earnings.owed, earnings.vouchered), (Credits::ZERO, Credits(505)));
    provider.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_job_goes_on_exactly_and_pays_no_input() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    let mut open = world.open(channel, 5);
    let begun: Vec<_> = (1..=2).map(|position| token(&open.seed, position)).collect();
    let choice = ResumeChoice {
        tokens: begun.iter().flat_map(|delta| delta.tokens.clone()).collect(),
        text: begun.iter().map(|delta| delta.text.as_str()).collect(),
        units: 2,
        finished: None,
    };
    open.resume = Resume { choices: vec![choice] };
    let seed = open.seed;
    let mut job = world.begin(&provider, open).await;
    job.accepted().await;
    let (deltas, receipt) = job.finished().await;
    let expected: Vec<_> = (3..=5).map(|position| token(&seed, position)).collect();
    assert_eq!(deltas, expected);
    let usage = Usage { units_out: 3, units_resumed: 2, ..Usage::default() };
    assert_eq!((receipt.body.usage, receipt.body.amount), (usage, Credits(300)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_served_is_refused_by_name() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    let good = || world.open(channel, 1);
    let mut cases = Vec::new();

    let mut open = good();
    open.price = Price { input: PRICE.input - 1, output: PRICE.output };
    cases.push((open, RefusalCode::PriceChanged));
    let mut open = good();
    open.manifest.0.0[0] ^= 1;
    cases.push((open, RefusalCode::UnknownModel));
    let mut open = good();
    if let JobInput::Generate(generate) = &mut open.input {
        generate.sampling.temperature = Millionths(i32::MAX);
    }
    cases.push((open, RefusalCode::InvalidInput));
    let mut open = good();
    open.seed = Seed::from_caller(12);
    cases.push((open, RefusalCode::InvalidInput));
    let mut open = good();
    open.channel.0.0[0] ^= 1;
    cases.push((open, RefusalCode::UnknownChannel));
    let mut open = good();
    open.channel_use = None;
    cases.push((open, RefusalCode::ChannelUse));
    let mut open = good();
    let leave = open.channel_use.as_ref().unwrap().body.clone();
    open.channel_use = Some(Signed::sign(leave, &stranger()));
    cases.push((open, RefusalCode::ChannelUse));
    let small = world.channel(Credits(1_999)).await;
    cases.push((world.open(small, 1), RefusalCode::ChannelExhausted));

    for (open, expected) in cases {
        let mut job = world.begin(&provider, open).await;
        assert_eq!(job.refused().await, expected);
        job.closed().await;
    }
    assert_eq!(provider.status().earnings.owed, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_nodes_leave_does_not_serve_a_stranger() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    world.paid_job(&provider, channel).await;
    let thief = endpoint(stranger()).await;
    let connection = thief.connect(&provider.status().address, ALPN).await.unwrap();
    for with_leave in [true, false] {
        let mut stream = connection.open(FRAME_BYTES_MAX).await.unwrap();
        let mut open = world.open(channel, 1);
        open.channel_use = open.channel_use.filter(|_| with_leave);
        stream.writer.send(&ClientFrame::Open(Box::new(open))).await.unwrap();
        let mut job = crate::world::Job { stream };
        assert_eq!(job.refused().await, RefusalCode::ChannelUse);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_provider_says_so_and_goes_on_later() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(0));
    let engine = TextEngine { slots: 1, gate: Some(Arc::clone(&gate)), ..TextEngine::new() };
    let provider = world.provider(engine, limits()).await;
    let channel = world.channel(DEPOSIT).await;
    let mut first = world.begin(&provider, world.open(channel, 1)).await;
    first.accepted().await;
    assert_eq!(provider.status().load.active, 1);
    let mut second = world.begin(&provider, world.open(channel, 1)).await;
    assert_eq!(second.refused().await, RefusalCode::Overloaded);
    gate.add_permits(2);
    let receipt = first.finished().await.1;
    world.acknowledge(&mut first, &receipt).await;
    let mut third = world.begin(&provider, world.open(channel, 1)).await;
    third.accepted().await;
    third.finished().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_stops_the_engine_and_is_paid_for_what_came() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(2));
    let engine = TextEngine { gate: Some(gate), ..TextEngine::new() };
    let ended = Arc::clone(&engine.ended);
    let provider = world.provider(engine, limits()).await;
    let channel = world.channel(DEPOSIT).await;
    let mut job = world.begin(&provider, world.open(channel, 9)).await;
    job.accepted().await;
    assert_eq!(job.until_paused().await, 2);
    assert_eq!(ended.available_permits(), 0);
    job.say(&ClientFrame::Cancel).await;
    let receipt = job.finished().await.1;
    assert_eq!((receipt.body.stop, receipt.body.amount), (StopReason::Cancelled, Credits(205)));
    timeout(LONG, ended.acquire()).await.unwrap().unwrap().forget();
    world.acknowledge(&mut job, &receipt).await;
    assert_eq!(provider.status().jobs.cancelled, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_stream_stops_the_engine_and_stays_owed() {
    let world = World::new().await;
    let gate = Arc::new(Semaphore::new(1));
    let engine = TextEngine { gate: Some(gate), ..TextEngine::new() };
    let ended = Arc::clone(&engine.ended);
    let provider = world.provider(engine, limits()).await;
    let channel = world.channel(DEPOSIT).await;
    let mut job = world.begin(&provider, world.open(channel, 9)).await;
    job.accepted().await;
    assert_eq!(job.until_paused().await, 1);
    drop(job);
    timeout(LONG, ended.acquire()).await.unwrap().unwrap().forget();
    crate::world::eventually(async || provider.status().jobs.cancelled == 1).await;
    assert_eq!(provider.status().earnings.owed, Credits(105));
    // What the broken stream could not deliver comes by `Settle`.
    let mut late = world.stream(&provider).await;
    let voucher = world.voucher(channel, 105);
    late.writer.send(&ClientFrame::Settle(voucher.clone())).await.unwrap();
    let mut late = crate::world::Job { stream: late };
    assert_eq!(late.next().await, Some(ProviderFrame::Settled(voucher)));
    assert_eq!(provider.status().earnings.owed, Credits::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_frames_end_the_stream_and_nothing_else() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let connection = world.connect(&provider).await;
    // Oversized.
    let mut stream = connection.open(4 * FRAME_BYTES_MAX).await.unwrap();
    let big = vec![0_u8; FRAME_BYTES_MAX + 1];
    // The provider may stop reading before all is sent.
    let _ = stream.writer.send(&big).await;
    let mut job = crate::world::Job { stream };
    assert_eq!(job.refused().await, RefusalCode::Protocol);
    job.closed().await;
    // Malformed.
    let mut stream = connection.open(FRAME_BYTES_MAX).await.unwrap();
    stream.writer.send(&[0xff_u8; 40]).await.unwrap();
    let mut job = crate::world::Job { stream };
    assert_eq!(job.refused().await, RefusalCode::Protocol);
    // Out of order.
    let mut stream = connection.open(FRAME_BYTES_MAX).await.unwrap();
    stream.writer.send(&ClientFrame::Cancel).await.unwrap();
    let mut job = crate::world::Job { stream };
    assert_eq!(job.refused().await, RefusalCode::Protocol);
    let channel = world.channel(DEPOSIT).await;
    world.paid_job(&provider, channel).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_frame_is_refused() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let address = provider.status().address;
    let raw = iroh::Endpoint::builder(iroh::endpoint::presets::Minimal)
        .relay_mode(iroh::RelayMode::Disabled)
        .clear_address_lookup()
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap();
    let raw = Box::pin(raw.bind()).await.unwrap();
    let node = iroh::PublicKey::from_bytes(&address.node.0).unwrap();
    let to = iroh::EndpointAddr::new(node).with_ip_addr(address.direct[0]);
    let connection = Box::pin(raw.connect(to, ALPN)).await.unwrap();
    let (mut writer, mut reader) = connection.open_bi().await.unwrap();
    let whole = remuda_net::frame::encode(&ClientFrame::Cancel, FRAME_BYTES_MAX).unwrap();
    writer.write_all(&whole[..whole.len() - 1]).await.unwrap();
    writer.finish().unwrap();
    let answer = reader.read_to_end(4096).await.unwrap();
    let (frame, _) = remuda_net::frame::decode(&answer, FRAME_BYTES_MAX).unwrap();
    let ProviderFrame::Refused(refusal) = frame else { panic!("not refused: {frame:?}") };
    assert_eq!(refusal.code, RefusalCode::Protocol);
}
