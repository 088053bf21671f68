//! Vouchers: the window, forgeries, replays, the ledger.

use remuda_chain::LedgerClientExt as _;
use remuda_ledger::Action;
use remuda_net::protocol::job::{ClientFrame, ProviderFrame, RefusalCode};
use remuda_provider::Limits;
use remuda_types::{Credits, Signed};

use crate::world::{DEPOSIT, Job, TextEngine, World, eventually, limits, stranger};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unpaid_window_pauses_the_job_until_a_voucher_comes() {
    let world = World::new().await;
    let patient = Limits { unpaid_after: crate::world::LONG, ..limits() };
    let provider = world.provider(TextEngine::new(), patient).await;
    let channel = world.channel(DEPOSIT).await;
    let mut job = world.begin(&provider, world.open(channel, 30)).await;
    job.accepted().await;
    // 5 for the input and 100 a token: the 20th passes 2,000.
    assert_eq!(job.until_paused().await, 20);
    // A replayed or lower voucher changes nothing, and breaks nothing.
    job.say(&ClientFrame::Voucher(world.voucher(channel, 5))).await;
    job.say(&ClientFrame::Voucher(world.voucher(channel, 5))).await;
    job.say(&ClientFrame::Voucher(world.voucher(channel, 3))).await;
    job.say(&ClientFrame::Voucher(world.voucher(channel, 505))).await;
    // 505 are paid: the 26th token makes it 2,605 and passes the window.
    assert_eq!(job.until_paused().await, 6);
    job.say(&ClientFrame::Voucher(world.voucher(channel, 2_505))).await;
    let receipt = job.finished().await.1;
    assert_eq!(receipt.body.amount, Credits(3_005));
    world.acknowledge(&mut job, &receipt).await;
    assert_eq!(provider.status().earnings.vouchered, Credits(3_005));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_not_paid_fails() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    let mut job = world.begin(&provider, world.open(channel, 30)).await;
    job.accepted().await;
    let (deltas, code) = job.failed().await;
    let units: u32 = deltas.iter().map(|delta| delta.units).sum();
    assert_eq!((units, code), (20, RefusalCode::Unpaid));
    // The next job on the channel gets nothing before the debt is paid.
    let mut next = world.begin(&provider, world.open(channel, 30)).await;
    assert_eq!(next.accepted().await, (None, Credits(2_005)));
    assert_eq!(next.failed().await, (vec![], RefusalCode::Unpaid));
    let mut paying = world.begin(&provider, world.open(channel, 1)).await;
    paying.accepted().await;
    paying.say(&ClientFrame::Voucher(world.voucher(channel, 2_005))).await;
    paying.finished().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_vouchers_end_the_stream_and_never_count() {
    let world = World::new().await;
    let patient = Limits { unpaid_after: crate::world::LONG, ..limits() };
    let provider = world.provider(TextEngine::new(), patient).await;
    let other = world.channel(DEPOSIT).await;
    for kind in 0..5 {
        let channel = world.channel(DEPOSIT).await;
        let mut bad = world.voucher(channel, 50);
        match kind {
            0 => bad = Signed::sign(bad.body, &stranger()),
            1 => {
                bad = Signed::sign(bad.body, &stranger());
                bad.signer = world.payer.public();
            }
            2 => bad.body.cumulative = Credits(51),
            3 => bad = world.voucher(channel, DEPOSIT.0 + 1),
            _ => bad = world.voucher(other, 50),
        }
        let mut job = world.begin(&provider, world.open(channel, 30)).await;
        job.accepted().await;
        job.say(&ClientFrame::Voucher(bad)).await;
        assert_eq!(job.failed().await.1, RefusalCode::BadVoucher);
        job.closed().await;
        assert_eq!(provider.status().earnings.vouchered, Credits::ZERO);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_bad_voucher_is_named() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    world.paid_job(&provider, channel).await;
    let best = provider.status().earnings.vouchered;
    let mut altered = world.voucher(channel, 5_000);
    altered.body.cumulative = Credits(5_001);
    let forged = Signed::sign(world.voucher(channel, 5_000).body, &stranger());
    let beyond = world.voucher(channel, DEPOSIT.0 + 1);
    for bad in [altered, forged, beyond] {
        let mut stream = world.stream(&provider).await;
        stream.writer.send(&ClientFrame::Settle(bad)).await.unwrap();
        assert_eq!(Job { stream }.refused().await, RefusalCode::BadVoucher);
        assert_eq!(provider.status().earnings.vouchered, best);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_channel_pays_nothing_more() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(DEPOSIT).await;
    world.paid_job(&provider, channel).await;
    // The payer asks to close: the provider takes its due and closes at once.
    world.signer.send(Action::RequestClose { channel }).await.unwrap();
    eventually(async || world.ledger.channel(channel).await.unwrap().is_none()).await;
    assert_eq!(world.earned().await, Credits(305));
    eventually(async || provider.status().earnings.channels == 0).await;
    let mut stream = world.stream(&provider).await;
    let late = ClientFrame::Settle(world.voucher(channel, 900));
    stream.writer.send(&late).await.unwrap();
    assert_eq!(Job { stream }.refused().await, RefusalCode::UnknownChannel);
    let mut job = world.begin(&provider, world.open(channel, 1)).await;
    assert_eq!(job.refused().await, RefusalCode::UnknownChannel);
    assert_eq!(world.earned().await, Credits(305));
    assert_eq!(provider.status().earnings.redeemed, Credits(305));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voucher_is_redeemed_exactly_once() {
    let mut world = World::new().await;
    let eager = Limits { redeem_threshold: Credits(1), ..limits() };
    let provider = world.provider(TextEngine::new(), eager.clone()).await;
    let channel = world.channel(DEPOSIT).await;
    let first = world.paid_job(&provider, channel).await;
    assert_eq!(first.cumulative, Credits(305));
    eventually(async || world.earned().await == Credits(305)).await;
    let second = world.paid_job(&provider, channel).await;
    assert_eq!(second.cumulative, Credits(610));
    provider.shutdown().await;
    assert_eq!(world.earned().await, Credits(610));
    // The vouchers are still held by the next life, and pay nothing again.
    drop(provider);
    world.reconnect().await;
    let provider = world.provider(TextEngine::new(), eager).await;
    let mut job = world.begin(&provider, world.open(channel, 1)).await;
    assert_eq!(job.accepted().await.1, Credits(610));
    provider.shutdown().await;
    assert_eq!(world.earned().await, Credits(610));
    let supply = world.ledger.supply().await.unwrap();
    assert_eq!(supply.granted.0, supply.credits.0 + supply.locked.0 + supply.earned.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_channel_is_given_back() {
    let world = World::new().await;
    let hasty = Limits { idle_close: std::time::Duration::from_millis(300), ..limits() };
    let provider = world.provider(TextEngine::new(), hasty).await;
    let channel = world.channel(DEPOSIT).await;
    world.paid_job(&provider, channel).await;
    eventually(async || world.ledger.channel(channel).await.unwrap().is_none()).await;
    assert_eq!(world.earned().await, Credits(305));
    let payer = world.payer.public().into();
    let account = world.ledger.account(payer).await.unwrap();
    assert_eq!(account.credits, Credits(1_000_000 - 305));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topped_up_channel_pays_beyond_its_first_deposit() {
    let world = World::new().await;
    let provider = world.provider(TextEngine::new(), limits()).await;
    let channel = world.channel(Credits(2_500)).await;
    world.paid_job(&provider, channel).await;
    let amount = Credits(10_000);
    world.signer.send(Action::TopUpChannel { channel, amount }).await.unwrap();
    let mut stream = world.stream(&provider).await;
    let more = world.voucher(channel, 9_000);
    stream.writer.send(&ClientFrame::Settle(more.clone())).await.unwrap();
    assert_eq!(Job { stream }.next().await, Some(ProviderFrame::Settled(more)));
}
