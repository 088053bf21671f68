//! Asks an OpenAI-compatible server again and again, and measures: time to the first piece of
//! text, time to the end, tokens, and the CPU time of given processes.

#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use remuda_bench::percentiles;
use serde_json::{Value, json};

/// Clock ticks a second in /proc: fixed by Linux's interface to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Asks a server and measures.
#[derive(Clone, Debug, Parser)]
struct Args {
    /// Base URL, which ends in /v1
    #[arg(long)]
    url: String,
    /// API key
    #[arg(long, default_value = "none")]
    key: String,
    /// Model
    #[arg(long)]
    model: String,
    /// How many requests are measured
    #[arg(long, default_value_t = 1000)]
    requests: usize,
    /// How many requests come before them, unmeasured
    #[arg(long, default_value_t = 50)]
    warm_up: usize,
    /// How many at once
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    /// Ask for streams
    #[arg(long)]
    stream: bool,
    /// What to ask
    #[arg(long, default_value = "Why is the sky blue?")]
    prompt: String,
    /// The most output tokens
    #[arg(long, default_value_t = 32)]
    max_tokens: u32,
    /// Give each request another prompt, so that no cache answers
    #[arg(long)]
    distinct: bool,
    /// Open a connection for each request, for servers that close idle ones as they like
    #[arg(long)]
    fresh_connections: bool,
    /// Temperature
    #[arg(long, default_value_t = 0.0)]
    temperature: f64,
    /// Processes whose CPU time is measured
    #[arg(long, value_delimiter = ',')]
    processes: Vec<u32>,
}

/// One answered request.
struct Sample {
    first: Duration,
    whole: Duration,
    tokens: u64,
}

type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Arc::new(Args::parse());
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let mut builder = Client::builder(TokioExecutor::new());
    if args.fresh_connections {
        builder.pool_max_idle_per_host(0);
    }
    let http: Http = builder.build(connector);
    run(&http, &args, args.warm_up).await?;
    let before = cpu_seconds(&args.processes)?;
    let started = Instant::now();
    let samples = run(&http, &args, args.requests).await?;
    let wall = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds(&args.processes)? - before;
    let mut first: Vec<Duration> = samples.iter().map(|sample| sample.first).collect();
    let mut whole: Vec<Duration> = samples.iter().map(|sample| sample.whole).collect();
    let tokens: u64 = samples.iter().map(|sample| sample.tokens).sum();
    let [first_min, first_p50, first_p90, first_p99] = percentiles(&mut first);
    let [whole_min, whole_p50, whole_p90, whole_p99] = percentiles(&mut whole);
    #[expect(clippy::cast_precision_loss)]
    let (count, all_tokens) = (samples.len() as f64, tokens as f64);
    let report = json!({
        "requests": samples.len(),
        "concurrency": args.concurrency,
        "cpu_us_per_request": cpu * 1e6 / count,
        "first_us": { "min": first_min, "p50": first_p50, "p90": first_p90, "p99": first_p99 },
        "whole_us": { "min": whole_min, "p50": whole_p50, "p90": whole_p90, "p99": whole_p99 },
        "requests_per_second": count / wall,
        "tokens": tokens,
        "tokens_per_second": all_tokens / wall,
    });
    println!("{report}");
    Ok(())
}

async fn run(http: &Http, args: &Arc<Args>, requests: usize) -> Result<Vec<Sample>> {
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..args.concurrency)
        .map(|_| {
            let (http, args, next) = (http.clone(), args.clone(), next.clone());
            tokio::spawn(async move {
                let mut samples = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests {
                        return Ok::<_, anyhow::Error>(samples);
                    }
                    samples.push(ask(&http, &args, number).await?);
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await??);
    }
    Ok(all)
}

fn body(args: &Args, number: usize) -> Value {
    let prompt =
        if args.distinct { format!("{number}. {}", args.prompt) } else { args.prompt.clone() };
    let mut body = json!({
        "model": args.model,
        "messages": [{ "role": "user", "content": prompt }],
        "max_tokens": args.max_tokens,
        "temperature": args.temperature,
        "stream": args.stream,
    });
    if args.stream {
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

async fn ask(http: &Http, args: &Args, number: usize) -> Result<Sample> {
    let uri: Uri = format!("{}/chat/completions", args.url).parse()?;
    let request = Request::post(uri)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", args.key))
        .body(Full::new(Bytes::from(body(args, number).to_string())))?;
    let started = Instant::now();
    let response = http.request(request).await.context("the server did not answer")?;
    let status = response.status();
    let mut incoming = response.into_body();
    let mut text = Vec::new();
    let mut first = None;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        text.extend_from_slice(&data);
        if first.is_none() && has_text(&text) {
            first = Some(started.elapsed());
        }
    }
    let whole = started.elapsed();
    ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&text));
    Ok(Sample { first: first.unwrap_or(whole), whole, tokens: completion_tokens(&text) })
}

/// Whether a piece of text has come: the first content that is not empty.
fn has_text(body: &[u8]) -> bool {
    [&b"\"content\":\""[..], b"\"content\": \""].iter().any(|mark| {
        body.windows(mark.len() + 1)
            .any(|window| window.starts_with(mark) && window[mark.len()] != b'"')
    })
}

/// The number behind the last `completion_tokens`.
fn completion_tokens(body: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(body);
    let Some((_, after)) = text.rsplit_once("\"completion_tokens\":") else { return 0 };
    let digits: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// User and system time of the processes, in seconds.
fn cpu_seconds(processes: &[u32]) -> Result<f64> {
    let mut ticks = 0u32;
    for process in processes {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))
            .with_context(|| format!("process {process} is gone"))?;
        let fields = stat.rsplit_once(')').context("an odd stat file")?.1;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        for field in [11, 12] {
            ticks += fields.get(field).context("an odd stat file")?.parse::<u32>()?;
        }
    }
    Ok(f64::from(ticks) / TICKS_PER_SECOND)
}
