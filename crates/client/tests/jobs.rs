//! Jobs on a small real network: exact text, exact payments, whatever the providers do.

#![allow(clippy::unwrap_used)]

mod network;

use std::sync::Arc;
use std::time::Duration;

use network::{Act, MODEL, Network, PRICE, bill, collect, eventually, expected_text, run};
use remuda_client::{ClientConfig, JobEvent, Reason, RestPolicy, RunError, RunRequest};
use remuda_net::protocol::job::RefusalCode;
use remuda_types::job::{Embed, JobInput};
use remuda_types::{Credits, Hash, Price, SecretKey};

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_job_is_delivered_paid_and_receipted() {
    let network = Network::start().await;
    let provider = network.provider(&[]).await;
    let client = network.client().await;
    let outcome = run(&client, network.request(20)).await;
    assert_eq!(outcome.text, expected_text(20));
    assert_eq!(outcome.prepared, 1);
    let report = outcome.report();
    assert!(report.complete);
    assert_eq!(report.amount, Credits(bill(20)));
    assert_eq!((report.usage.units_in, report.usage.units_out), (10, 20));
    assert_eq!(report.receipts.len(), 1);
    assert_eq!(report.receipts[0].verify(), Ok(()));
    assert_eq!(client.explain(&report.order).unwrap().sentence(), "1 provider: 1 fits");
    eventually("the provider has the last voucher", || !provider.finals().is_empty()).await;
    assert_eq!(provider.finals(), report.receipts);
    network.settle(&[(&provider, bill(20))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_jobs_share_a_channel_and_add_up() {
    let network = Network::start().await;
    let provider = network.provider(&[]).await;
    let client = network.client().await;
    let jobs = (0..24).map(|number| {
        let request = network.request(5 + number);
        let client = client.clone();
        tokio::spawn(async move { run(&client, request).await })
    });
    let jobs: Vec<_> = jobs.collect();
    for (number, job) in (0_u32..).zip(jobs) {
        let outcome = job.await.unwrap();
        assert_eq!(outcome.text, expected_text(5 + number), "{:?}", outcome.error);
    }
    eventually("all last vouchers arrive", || provider.finals().len() == 24).await;
    let channels: std::collections::HashSet<_> =
        provider.opened().into_iter().map(|open| open.channel).collect();
    assert_eq!(channels.len(), 1);
    // The leave is shown until the provider has seen it, and not for ever.
    let shown = provider.opened().iter().filter(|open| open.channel_use.is_some()).count();
    assert!((1..=24).contains(&shown));
    network.settle(&[(&provider, (5..29).map(bill).sum())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_job_is_paid_while_it_runs() {
    let network = Network::start().await;
    let provider = network.provider(&[]).await;
    let client = network.client().await;
    // 1,500 units at 5 micro-dollars are almost four windows.
    let outcome = run(&client, network.request(1_500)).await;
    assert_eq!(outcome.text, expected_text(1_500));
    eventually("the last voucher arrives", || !provider.finals().is_empty()).await;
    network.settle(&[(&provider, bill(1_500))]).await;
}

/// A job of 60 units that `act` breaks at `at` units: another provider continues, the text has
/// no gap and no repeat, and each is paid exactly for its part.
async fn failover(act: Act, at: u32, reason: &str) {
    let network = Network::start().await;
    let broken = network.provider(&[act]).await;
    let client = network.client().await;
    let mut job = client.run(network.request(60)).await.unwrap();
    let other = network.provider(&[]).await;
    let outcome = collect(&mut job).await;
    assert_eq!(outcome.text, expected_text(60), "{:?}", outcome.error);
    assert_eq!((outcome.prepared, outcome.failovers.as_slice()), (1, &[reason][..]));
    let report = outcome.report();
    assert_eq!(report.amount, Credits(bill(60)), "one bill, as if nothing had happened");
    assert_eq!((report.usage.units_in, report.usage.units_out), (10, 60));
    for receipt in &report.receipts {
        assert_eq!(receipt.verify(), Ok(()));
    }
    let parts = if at == 0 { 1 } else { 2 };
    assert_eq!(report.receipts.len(), parts, "a receipt for each part");
    let part = if at == 0 { 0 } else { bill(at) };
    eventually("the broken provider is paid", || broken.promised() == part).await;
    eventually("the other is paid", || other.promised() == bill(60) - part).await;
    network.settle(&[(&broken, part), (&other, bill(60) - part)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_continues_when_the_connection_breaks() {
    failover(Act::Die(25), 25, "lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_begins_when_it_breaks_before_any_output() {
    failover(Act::Die(0), 0, "lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_continues_when_a_provider_stalls() {
    failover(Act::Stall(7), 7, "stalled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_continues_when_a_provider_fails() {
    failover(Act::Fail(33, RefusalCode::EngineFailed), 33, "engine_failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_continues_when_a_provider_sends_garbage() {
    failover(Act::Garbage(3), 3, "malformed_frame").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_continues_when_a_stream_ends_early() {
    failover(Act::End(12), 12, "ended_early").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_running_receipt_is_not_signed() {
    let network = Network::start().await;
    let broken = network.provider(&[Act::ReplayAndDie(5)]).await;
    let client = network.client().await;
    let mut job = client.run(network.request(20)).await.unwrap();
    let other = network.provider(&[]).await;
    let outcome = collect(&mut job).await;
    assert_eq!(outcome.text, expected_text(20));
    let report = outcome.report();
    assert_eq!(report.receipts.len(), 1, "the replayed receipt is worth nothing");
    assert_eq!(report.amount, Credits(bill(20)));
    eventually("what was received is paid all the same", || broken.promised() == bill(5)).await;
    eventually("the other is paid", || other.promised() == bill(20) - bill(5)).await;
    network.settle(&[(&broken, bill(5)), (&other, bill(20) - bill(5))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_receipt_is_never_acknowledged() {
    let lies: [fn(&mut remuda_types::Receipt); 5] = [
        |it| {
            it.usage.units_out += 1;
            it.amount = it.price.cost(it.usage.units_in, it.usage.units_out).unwrap();
            it.cumulative = it.amount;
        },
        |it| it.amount = Credits(it.amount.0 + 1),
        |it| it.output = Hash::of_content(b"something else"),
        |it| it.manifest.0 = Hash::of_content(b"a smaller model"),
        |it| it.attempt += 1,
    ];
    for lie in lies {
        let network = Network::start().await;
        let liar = network.provider(&[Act::Lie(lie)]).await;
        let config = ClientConfig { overload_patience: Duration::ZERO, ..network.config() };
        let client = network.client_with(config).await;
        let outcome = run(&client, network.request(20)).await;
        // The output is whole, so the job is; it costs what was received, and not more.
        assert_eq!(outcome.text, expected_text(20));
        assert_eq!(outcome.report().amount, Credits(bill(20)));
        eventually("what was received is paid", || liar.promised() == bill(20)).await;
        assert!(liar.finals().is_empty(), "no voucher for the lie");
        network.settle(&[(&liar, bill(20))]).await;
        let next = run(&client, network.request(5)).await;
        let Some(RunError::NoProvider(why)) = next.error else { panic!("{next:?}") };
        assert_eq!(why.reasons.get(&Reason::Resting), Some(&1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cheats_of_other_kinds_are_left_and_not_paid_for_what_they_did_not_deliver() {
    for (act, paid) in
        [(Act::Pad, 0), (Act::PadInput, 0), (Act::ForgeVoucher, 0), (Act::Forge, bill(20))]
    {
        let network = Network::start().await;
        let cheat = network.provider(&[act]).await;
        let client = network.client().await;
        let running = tokio::spawn({
            let (client, request) = (client.clone(), network.request(20));
            async move { run(&client, request).await }
        });
        eventually("the cheat has the job", || !cheat.opened().is_empty()).await;
        let honest = network.provider(&[]).await;
        let outcome = running.await.unwrap();
        assert_eq!(outcome.text, expected_text(20), "{act:?}: {:?}", outcome.error);
        assert_eq!(outcome.report().amount, Credits(bill(20)), "{act:?}");
        let rest = bill(20) - paid;
        eventually("the cheat is paid its part", || cheat.promised() == paid).await;
        eventually("the honest one is paid", || honest.promised() == rest).await;
        network.settle(&[(&cheat, paid), (&honest, rest)]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_move_the_job_on_or_name_what_is_wrong() {
    for code in [
        RefusalCode::Overloaded,
        RefusalCode::NotReady,
        RefusalCode::UnknownModel,
        RefusalCode::PriceChanged,
        RefusalCode::UnknownChannel,
        RefusalCode::ChannelUse,
        RefusalCode::BadVoucher,
        RefusalCode::CannotResume,
        RefusalCode::EngineFailed,
        RefusalCode::LedgerUnreachable,
        RefusalCode::Protocol,
    ] {
        let network = Network::start().await;
        // Refused once, then served: by whoever comes back first.
        let provider = network.provider(&[Act::Refuse(code)]).await;
        let client = network.client().await;
        let outcome = run(&client, network.request(5)).await;
        assert_eq!(outcome.text, expected_text(5), "{code:?}: {:?}", outcome.error);
        eventually("it is paid", || provider.promised() == bill(5)).await;
        network.settle(&[(&provider, bill(5))]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hopeless_refusals_end_the_job_at_once() {
    for (code, expected) in [
        (RefusalCode::InvalidInput, "invalid_input"),
        (RefusalCode::ContextExceeded, "context_exceeded"),
    ] {
        let network = Network::start().await;
        let provider = network.provider(&[Act::Refuse(code)]).await;
        let error = run(&network.client().await, network.request(5)).await.error.unwrap();
        assert_eq!((error.code(), error.is_retryable()), (expected, false));
        assert_eq!(provider.opened().len(), 1);
    }
    let network = Network::start().await;
    let provider = network.provider(&[Act::Refuse(RefusalCode::Overloaded); 64]).await;
    let config = ClientConfig { overload_patience: Duration::from_millis(300), ..network.config() };
    let error = run(&network.client_with(config).await, network.request(5)).await.error.unwrap();
    assert_eq!((error.code(), error.is_retryable()), ("overloaded", true));
    assert!(provider.opened().len() > 1, "it was worth a little patience");
    network.settle(&[(&provider, 0)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_is_not_dead() {
    let network = Network::start().await;
    let slow = Act::Slow(Duration::from_millis(400));
    let script = [slow, Act::SlowPrepare(Duration::from_millis(900))];
    let provider = network.provider(&script).await;
    let client = network.client().await;
    for units in [3, 5] {
        let outcome = run(&client, network.request(units)).await;
        assert_eq!(outcome.text, expected_text(units));
        assert!(outcome.failovers.is_empty());
    }
    eventually("both are paid", || provider.promised() == bill(3) + bill(5)).await;
    network.settle(&[(&provider, bill(3) + bill(5))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_is_left_and_rests() {
    let network = Network::start().await;
    let silent = network.provider(&[Act::Silent]).await;
    let config = ClientConfig {
        accept: Duration::from_millis(200),
        rest: RestPolicy { first: Duration::from_millis(50), ..RestPolicy::default() },
        ..network.config()
    };
    let client = network.client_with(config).await;
    // Left, and asked again after its rest: then it is honest.
    let outcome = run(&client, network.request(5)).await;
    assert_eq!(outcome.text, expected_text(5), "{:?}", outcome.error);
    assert_eq!(silent.opened().len(), 2);
    eventually("it is paid once", || silent.promised() == bill(5)).await;
    network.settle(&[(&silent, bill(5))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_cancels_and_pays_for_what_was_delivered() {
    let network = Network::start().await;
    let provider = network.provider(&[Act::Slow(Duration::from_millis(30))]).await;
    let client = network.client().await;
    let mut job = client.run(network.request(1_000)).await.unwrap();
    let order = job.order;
    let mut received = 0;
    while received < 5 {
        let event = job.next().await.unwrap().unwrap();
        received += u32::from(matches!(event, JobEvent::Output(_)));
    }
    drop(job);
    eventually("a report comes", || !network.reports.lock().is_empty()).await;
    let report = network.reports.lock()[0].clone();
    assert_eq!((report.order, report.complete), (order, false));
    let units = u32::try_from(report.usage.units_out).unwrap();
    assert!((5..100).contains(&units), "the work stopped soon: {units}");
    assert_eq!(report.amount, Credits(bill(units)));
    assert_eq!(report.receipts[0].verify(), Ok(()));
    assert_eq!(provider.cancelled(), 1);
    eventually("it is paid", || provider.promised() == bill(units)).await;
    network.settle(&[(&provider, bill(units))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn choices_and_vectors_survive_a_failover() {
    let network = Network::start().await;
    // Dies in the middle of the second choice.
    let broken = network.provider(&[Act::Die(30)]).await;
    let client = network.client().await;
    let request = RunRequest { input: network::generate(2, 20), ..network.request(20) };
    let mut job = client.run(request).await.unwrap();
    let other = network.provider(&[]).await;
    let mut texts = [String::new(), String::new()];
    let mut done = Vec::new();
    while let Some(event) = job.next().await {
        match event.unwrap() {
            JobEvent::Output(delta) => texts[usize::from(delta.choice)].push_str(&delta.text),
            JobEvent::ChoiceDone { choice, .. } => done.push(choice),
            _ => {}
        }
    }
    let said = |choice| (0..20).map(|at| network::provider::piece(choice, at).1).collect();
    let expected: [String; 2] = [said(0), said(1)];
    assert_eq!((texts, done), (expected, vec![0, 1]));
    eventually("both are paid", || broken.promised() + other.promised() == bill(40)).await;

    let input = JobInput::Embed(Embed { inputs: vec!["a".into(), "b".into()] });
    broken.add(Act::Die(0));
    other.add(Act::Die(0));
    let mut job = client.run(RunRequest { input, ..network.request(1) }).await.unwrap();
    let mut vectors = Vec::new();
    while let Some(event) = job.next().await {
        if let JobEvent::Embeddings(it) = event.unwrap() {
            vectors.push(it);
        }
    }
    assert_eq!(vectors, [vec![vec![0.5, -0.25]; 2]]);
    let total = bill(40) + bill(0);
    eventually("vectors are paid once", || broken.promised() + other.promised() == total).await;
    let parts = [(&broken, broken.promised()), (&other, other.promised())];
    network.settle(&parts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_client_goes_on_with_its_channel() {
    let network = Network::start().await;
    let provider = network.provider(&[]).await;
    for life in 1..=3 {
        let client = network.client().await;
        let outcome = run(&client, network.request(10)).await;
        assert_eq!(outcome.text, expected_text(10), "life {life}: {:?}", outcome.error);
        eventually("it is paid", || provider.promised() == life * bill(10)).await;
        client.close().await;
    }
    let opened = provider.opened();
    assert!(opened.iter().all(|open| open.channel == opened[0].channel));
    network.settle(&[(&provider, 3 * bill(10))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_lost_its_books_is_not_paid_twice() {
    let network = Network::start().await;
    let provider = network.provider(&[]).await;
    let client = network.client().await;
    run(&client, network.request(10)).await.report();
    eventually("it is paid", || provider.promised() == bill(10)).await;
    provider.lose_books();
    run(&client, network.request(10)).await.report();
    eventually("the sum is promised again", || provider.promised() == 2 * bill(10)).await;
    network.settle(&[(&provider, 2 * bill(10))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_fail_in_their_own_ways() {
    let network = Network::start().await;
    let provider = network.provider(&[]).await;
    let client = network.client().await;
    let with = |payer| RunRequest { payer, ..network.request(20) };
    let code = async |payer| run(&client, with(payer)).await.error.map(|it| it.code());

    let unknown = Arc::new(SecretKey::generate());
    assert_eq!(code(unknown).await, Some("session_unknown"));
    let expiring = network.session(1_000_000, Duration::from_secs(5)).await;
    assert_eq!(code(expiring).await, Some("session_expired"));
    let empty = network.session(10, Duration::from_secs(3_600)).await;
    assert_eq!(code(empty).await, Some("exhausted"));
    let good = network.session(1_000_000, Duration::from_secs(3_600)).await;
    assert_eq!(code(good).await, None);
    eventually("only the good key paid", || provider.promised() == bill(20)).await;
    network.settle(&[(&provider, bill(20))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_to_serve_is_told_apart() {
    let network = Network::start().await;
    let client = network.client().await;
    let error = run(&client, network.request(5)).await.error.unwrap();
    assert_eq!(error.code(), "no_provider");
    network.provider(&[]).await;
    while client.models().await.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let other = RunRequest { model: "another-model".into(), ..network.request(5) };
    let error = run(&client, other).await.error.unwrap();
    assert_eq!(error, RunError::UnknownModel { model: "another-model".into() });
    let cheap = Price { output: PRICE.output - 1, ..PRICE };
    let stingy = RunRequest { max_price: cheap, ..network.request(5) };
    let Some(RunError::NoProvider(why)) = run(&client, stingy).await.error else { panic!() };
    assert_eq!(why.sentence(), "1 provider: 0 fit; 1 asks more than your price");
    assert_eq!(client.models().await.len(), 1);
    assert_eq!(client.models().await[0].name, MODEL);
    let absurd = RunRequest { input: network::generate(0, 5), ..network.request(5) };
    let error = run(&client, absurd).await.error.unwrap();
    assert_eq!(error.code(), "invalid_input");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_outlives_its_indexer() {
    let network = Network::start().await;
    let provider = network.provider(&[]).await;
    let client = network.client().await;
    run(&client, network.request(5)).await.report();
    // The indexer restarts and knows nobody yet: jobs that run elsewhere are none of its
    // business, and the next list is empty only for as long as nobody announces.
    network.forget_all();
    network.announce(&provider, 2);
    run(&client, network.request(5)).await.report();
    eventually("both are paid", || provider.promised() == 2 * bill(5)).await;
    network.settle(&[(&provider, 2 * bill(5))]).await;
}
