//! Tokens per second of the engine alone on the work that `bench/run.py tokens` gives to a
//! whole network: `alone MODEL.gguf THREADS`. Prints one JSON object: sequences at once, and
//! tokens per second.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at once")]

use std::sync::Arc;
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
const SLOTS: u16 = 8;

fn job(number: usize) -> EngineJob {
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
        sampling: Sampling { temperature: Millionths::ZERO, ..Sampling::default() },
        stop: Vec::new(),
        constraint: Constraint::None,
        logprobs: None,
    };
    EngineJob {
        manifest: ManifestHash::default(),
        seed: Seed::from_caller(0),
        input: JobInput::Generate(generate),
        resume: Resume::default(),
    }
}

async fn units_of(engine: &LlamaEngine, number: usize) -> u64 {
    let mut stream = engine.start(job(number)).await.unwrap();
    let mut units = 0;
    while let Some(event) = stream.next().await {
        if let EngineEvent::Output(delta) = event.unwrap() {
            units += u64::from(delta.units);
        }
    }
    units
}

/// All units of `jobs` jobs, `at_once` of them at any time.
async fn run(engine: &Arc<LlamaEngine>, first: usize, jobs: usize, at_once: usize) -> u64 {
    let next = AtomicUsize::new(0);
    let worker = || async {
        let mut units = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= jobs {
                return units;
            }
            units += units_of(engine, first + number).await;
        }
    };
    let workers = (0..at_once).map(|_| worker());
    futures_util::future::join_all(workers).await.into_iter().sum()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().expect("usage: alone MODEL.gguf THREADS");
    let mut spec = ModelSpec::new(ManifestHash::default(), path);
    spec.threads = args.next().and_then(|threads| threads.parse().ok());
    spec.slots = SLOTS;
    let engine = Arc::new(LlamaEngine::load(&spec).unwrap());
    let mut results = Vec::new();
    for at_once in [1, 4, 8] {
        // A model file that was just mapped, and caches: the first jobs are not measured.
        run(&engine, 1000 * at_once, 2, 1).await;
        let started = Instant::now();
        let units = run(&engine, 0, (3 * at_once).max(8), at_once).await;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand tokens")]
        let rate = units as f64 / started.elapsed().as_secs_f64();
        results.push(format!("\"{at_once}\": {rate:.1}"));
    }
    println!("{{{}}}", results.join(", "));
}
