//! Tokens per second of the scheduler beside a bare llama.cpp loop, in one process on one
//! loaded model file: `REMUDA_TEST_MODEL=… cargo run -p remuda-engine --example throughput`.
//!
//! Both decode the same prompts greedily and at temperature 1; the bare loop takes the
//! likeliest token. CPU seconds say what the machine's other work hides.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use remuda_engine::llm::{LlamaEngine, Model};
use remuda_engine::{Engine, EngineEvent, EngineJob, ModelSpec};
use remuda_types::job::{Constraint, Generate, JobInput, Millionths, Prompt, Resume, Sampling};
use remuda_types::{ManifestHash, Seed};

const TOKENS: u32 = 48;
const CONTEXT: u32 = 256;
const PROMPT: &str = "The history of computing is longer than the history of hardware";

/// Processor seconds of this process so far (Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| {
        after.split_whitespace().nth(field).and_then(|text| text.parse::<f64>().ok())
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

fn measure(work: impl FnOnce() -> u32) -> (f64, f64) {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let tokens = f64::from(work());
    (tokens / wall.elapsed().as_secs_f64(), tokens / (cpu_seconds() - cpu).max(0.01))
}

fn likeliest(logits: &[f32]) -> i32 {
    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    best.unwrap_or(0) as i32
}

fn bare(backend: &LlamaBackend, model: &LlamaModel, sequences: i32, threads: i32) -> (f64, f64) {
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(CONTEXT * sequences as u32))
        .with_n_seq_max(sequences as u32)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_flash_attention_policy(0);
    let mut context = model.new_context(backend, params).unwrap();
    let prompt = model.vocab().tokenize(PROMPT.as_bytes(), false, true);
    let mut batch = LlamaBatch::new(1024, 1);
    measure(|| {
        for sequence in 0..sequences {
            for (position, token) in prompt.iter().enumerate() {
                let last = position + 1 == prompt.len();
                batch.add(*token, position as i32, &[sequence], last).unwrap();
            }
        }
        context.decode(&mut batch).unwrap();
        let mut outputs: Vec<i32> =
            (1..=sequences).map(|sequence| sequence * prompt.len() as i32 - 1).collect();
        for step in 0..TOKENS as usize {
            let drawn: Vec<i32> =
                outputs.iter().map(|&index| likeliest(context.get_logits_ith(index))).collect();
            batch.clear();
            for (sequence, token) in (0..).zip(drawn) {
                let position = (prompt.len() + step) as i32;
                batch.add(LlamaToken::new(token), position, &[sequence], true).unwrap();
            }
            if step + 1 < TOKENS as usize {
                context.decode(&mut batch).unwrap();
            }
            outputs = (0..sequences).collect();
        }
        TOKENS * sequences as u32
    })
}

fn job(seed: i64, temperature: Millionths) -> EngineJob {
    let mut sampling = Sampling { temperature, ..Sampling::default() };
    for end in [0, 2] {
        sampling.logit_bias.insert(end, Millionths(-100_000_000));
    }
    let generate = Generate {
        prompt: Prompt::Text(PROMPT.into()),
        choices: 1,
        max_output: TOKENS,
        sampling,
        stop: Vec::new(),
        constraint: Constraint::None,
        logprobs: None,
    };
    EngineJob {
        manifest: ManifestHash::default(),
        seed: Seed::from_caller(seed),
        input: JobInput::Generate(generate),
        resume: Resume::default(),
    }
}

async fn tokens_of(engine: &LlamaEngine, job: EngineJob) -> u32 {
    let mut stream = engine.start(job).await.unwrap();
    let mut tokens = 0;
    while let Some(event) = stream.next().await {
        if let EngineEvent::Output(delta) = event.unwrap() {
            tokens += delta.units;
        }
    }
    tokens
}

fn scheduled(model: &Arc<Model>, spec: &ModelSpec, temperature: Millionths) -> (f64, f64) {
    let engine = LlamaEngine::on(Arc::clone(model), spec, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    measure(|| {
        runtime.block_on(async {
            let jobs = (0..i64::from(spec.slots)).map(|seed| job(seed, temperature));
            let all = jobs.map(|job| tokens_of(&engine, job));
            futures_util::future::join_all(all).await.into_iter().sum()
        })
    })
}

fn main() {
    let path = std::env::var("REMUDA_TEST_MODEL").expect("set REMUDA_TEST_MODEL to a GGUF file");
    let threads = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut spec = ModelSpec::new(ManifestHash::default(), &path);
    spec.threads = Some(threads);
    spec.context = CONTEXT;
    // Loading through the engine starts the back end, which can start only once: the bare
    // loop gets its token from the same place only if it comes first.
    let backend = LlamaBackend::init().unwrap();
    llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default().with_logs_enabled(false));
    let native = LlamaModel::load_from_file(&backend, &path, &LlamaModelParams::default()).unwrap();
    let model = Arc::new(Model::load(&spec).unwrap());
    println!("{threads} thread(s); tokens a second by the wall clock (and a CPU second)");
    for sequences in [1, 4, 8] {
        spec.slots = sequences;
        let (bare_wall, bare_cpu) = bare(&backend, &native, i32::from(sequences), threads.into());
        println!("{sequences} sequences: bare loop {bare_wall:.1} ({bare_cpu:.1})");
        for (name, temperature) in [("greedy", Millionths::ZERO), ("sampled", Millionths::ONE)] {
            let (wall, cpu) = scheduled(&model, &spec, temperature);
            let (ratio_wall, ratio_cpu) = (wall / bare_wall, cpu / bare_cpu);
            println!(
                "  scheduler, {name}: {wall:.1} ({cpu:.1}); ratio {ratio_wall:.2} ({ratio_cpu:.2})"
            );
        }
    }
}
