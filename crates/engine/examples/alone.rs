//! Tokens per second of the engine alone on the work that `bench/run.py tokens` gives to a
//! whole network: `alone MODEL.gguf THREADS SLOTS AT_ONCE REQUESTS TEMPERATURE`. Prints one
//! JSON object: tokens, and tokens per second.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at once")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::StreamExt;
use remuda_engine::llm::LlamaEngine;
use remuda_engine::{Engine, EngineEvent, EngineJob, ModelSpec};
use remuda_types::job::{
    Chat, Constraint, Generate, JobInput, Message, Millionths, Prompt, Resume, Role, Sampling,
    ToolChoice,
};
use remuda_types::{ManifestHash, Seed};

const MAX_OUTPUT: u32 = 96;
fn job(number: usize, temperature: Millionths) -> EngineJob {
    let message = Message {
        role: Role::User,
        content: format!("{number}. Tell me a long story about a horse and a river."),
        name: None,
        tool_calls: Vec::new(),
        tool_call_id: None,
    };
    let chat = Chat { messages: vec![message], tools: Vec::new(), tool_choice: ToolChoice::None };
    let generate = Generate {
        prompt: Prompt::Chat(chat),
        choices: 1,
        max_output: MAX_OUTPUT,
        sampling: Sampling { temperature, ..Sampling::default() },
        stop: Vec::new(),
        constraint: Constraint::None,
        logprobs: None,
    };
    EngineJob {
        manifest: ManifestHash::default(),
        seed: Seed::from_caller(i64::try_from(number).unwrap()),
        input: JobInput::Generate(generate),
        resume: Resume::default(),
    }
}

async fn units_of(engine: &LlamaEngine, job: EngineJob) -> u64 {
    let mut stream = engine.start(job).await.unwrap();
    let mut units = 0;
    while let Some(event) = stream.next().await {
        if let EngineEvent::Output(delta) = event.unwrap() {
            units += u64::from(delta.units);
        }
    }
    units
}

/// All units of `requests` jobs, `at_once` of them at any time.
async fn run(
    engine: &LlamaEngine,
    requests: usize,
    at_once: usize,
    temperature: Millionths,
) -> u64 {
    let next = AtomicUsize::new(0);
    let worker = || async {
        let mut units = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return units;
            }
            units += units_of(engine, job(number, temperature)).await;
        }
    };
    let workers = (0..at_once).map(|_| worker());
    futures_util::future::join_all(workers).await.into_iter().sum()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let usage = "usage: alone MODEL.gguf THREADS SLOTS AT_ONCE REQUESTS TEMPERATURE";
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, threads, slots, at_once, requests, temperature] = args.as_slice() else {
        panic!("{usage}")
    };
    let mut spec = ModelSpec::new(ManifestHash::default(), path);
    spec.threads = Some(threads.parse().expect(usage));
    spec.slots = slots.parse().expect(usage);
    let (at_once, requests) = (at_once.parse().expect(usage), requests.parse().expect(usage));
    let temperature = Millionths::from_f64(temperature.parse().expect(usage)).expect(usage);
    let engine = LlamaEngine::load(&spec).unwrap();
    // A file that was just mapped, and caches: the first requests are not measured.
    run(&engine, at_once, at_once, temperature).await;
    let started = Instant::now();
    let tokens = run(&engine, requests, at_once, temperature).await;
    #[expect(clippy::cast_precision_loss, reason = "some thousand tokens")]
    let rate = tokens as f64 / started.elapsed().as_secs_f64();
    println!("{{\"tokens\": {tokens}, \"tokens_per_second\": {rate:.2}}}");
}
