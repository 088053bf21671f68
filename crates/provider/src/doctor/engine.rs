//! The real engine: does it run, how fast, and does it continue exactly?

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use remuda_engine::{Engine, EngineEvent, EngineJob, ServedModel};
use remuda_types::Seed;
use remuda_types::job::{
    Constraint, Embed, Generate, JobInput, JobKind, Prompt, Resume, ResumeChoice, Sampling, TokenId,
};
use tokio::time::{Instant, timeout};

use super::Finding;

/// How long one generation may take.
const GENERATION_WAIT: Duration = Duration::from_secs(60);
/// How many tokens are generated.
const TOKENS: u32 = 24;
/// After how many of them the job is continued.
const RESUME_AT: usize = 8;
/// Fewer tokens per second than this are hard to sell.
const SPEED_MIN: f64 = 5.0;
const PROMPT: &str = "A remuda is the herd of horses from which ranch hands";

pub(super) async fn check(engines: &[Arc<dyn Engine>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for engine in engines {
        for model in engine.models() {
            findings.extend(check_model(engine.as_ref(), &model).await);
        }
    }
    if findings.is_empty() {
        let detail = "no engine serves a model, so none was run";
        let finding = Finding::warning("engine", "The engine was not checked", detail);
        findings.push(finding.fix("remuda provider doctor --model NAME, with a pulled model"));
    }
    findings
}

async fn check_model(engine: &dyn Engine, model: &ServedModel) -> Vec<Finding> {
    if !model.kinds.contains(&JobKind::Generate) {
        return vec![check_embedding(engine, model).await];
    }
    let whole = match generate(engine, model, Resume::default()).await {
        Ok(whole) => whole,
        Err(reason) => return vec![failed(model, &reason)],
    };
    vec![speed(model, &whole), exactness(engine, model, &whole).await]
}

fn failed(model: &ServedModel, reason: &str) -> Finding {
    let detail = format!("model {}: {reason}", model.manifest);
    Finding::error("engine", "The engine does not run", detail).fix(
        "run `remuda model pull` for the model again; if it is whole, start with fewer threads \
         (`--threads 1`) and read the engine's log",
    )
}

/// What a generation gave.
struct Output {
    tokens: Vec<TokenId>,
    text: String,
    /// Text and tokens as they were after [`RESUME_AT`] tokens.
    begun: Option<ResumeChoice>,
    units: u32,
    /// From the first output to the last.
    took: Duration,
}

fn job(model: &ServedModel, resume: Resume) -> EngineJob {
    let generate = Generate {
        prompt: Prompt::Text(PROMPT.to_owned()),
        choices: 1,
        max_output: TOKENS.min(model.context / 2).max(1),
        sampling: Sampling::default(),
        stop: Vec::new(),
        constraint: Constraint::None,
        logprobs: None,
    };
    EngineJob {
        manifest: model.manifest,
        seed: Seed::from_caller(1),
        input: JobInput::Generate(generate),
        resume,
    }
}

async fn generate(
    engine: &dyn Engine,
    model: &ServedModel,
    resume: Resume,
) -> Result<Output, String> {
    let generation = collect(engine, job(model, resume));
    timeout(GENERATION_WAIT, generation)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", GENERATION_WAIT.as_secs())))
}

async fn collect(engine: &dyn Engine, job: EngineJob) -> Result<Output, String> {
    let mut output =
        Output { tokens: vec![], text: String::new(), begun: None, units: 0, took: Duration::ZERO };
    let mut first = None;
    let mut events = engine.start(job).await.map_err(|error| error.to_string())?;
    while let Some(event) = events.next().await {
        if let EngineEvent::Output(delta) = event.map_err(|error| error.to_string())? {
            let first = *first.get_or_insert_with(Instant::now);
            output.took = first.elapsed();
            output.units += delta.units;
            output.tokens.extend(delta.tokens);
            output.text.push_str(&delta.text);
            if output.begun.is_none() && output.tokens.len() >= RESUME_AT {
                output.begun = Some(ResumeChoice {
                    tokens: output.tokens.clone(),
                    text: output.text.clone(),
                    units: output.units,
                    finished: None,
                });
            }
        }
    }
    Ok(output)
}

fn speed(model: &ServedModel, output: &Output) -> Finding {
    let name = model.manifest;
    if output.units == 0 {
        let detail = format!("model {name} gave no output for a plain prompt");
        return Finding::warning("engine", "The engine gave no output", detail)
            .fix("check that the model is a text model; pull it again if it should be one");
    }
    // The first token's time is the prompt's.
    let rate = f64::from(output.units.saturating_sub(1)) / output.took.as_secs_f64().max(1e-6);
    let detail = format!("model {name}: {} tokens at {rate:.1} tokens/s", output.units);
    if rate < SPEED_MIN && output.units > 1 {
        return Finding::warning("engine", "The engine is slow", detail)
            .fix("close what else uses the processor, give it more --threads, or a smaller model");
    }
    Finding::ok("engine", "Engine", detail)
}

/// Whether a job that is continued in its middle ends as the uninterrupted one.
async fn exactness(engine: &dyn Engine, model: &ServedModel, whole: &Output) -> Finding {
    let title = "Exact continuation";
    if model.numerics.is_none() {
        let detail = "this engine does not promise equal bits; it takes only whole jobs";
        return Finding::info("exactness", title, detail);
    }
    let Some(begun) = whole.begun.clone() else {
        let detail = "the output was too short, or shows no tokens, so it was not checked";
        return Finding::info("exactness", title, detail);
    };
    let (tokens, text) = (begun.tokens.clone(), begun.text.clone());
    match generate(engine, model, Resume { choices: vec![begun] }).await {
        Ok(rest) => {
            let same = [tokens, rest.tokens].concat() == whole.tokens
                && format!("{text}{}", rest.text) == whole.text;
            compared(same)
        }
        Err(reason) => Finding::error("exactness", "A job cannot be continued", reason)
            .fix("use the bundled engine build; report this with the doctor's output"),
    }
}

fn compared(same: bool) -> Finding {
    if same {
        let detail = "recomputing from the middle gave the same tokens and text";
        return Finding::ok("exactness", "Exact continuation", detail);
    }
    let detail = "recomputing from the middle gave other text: buyers would see a broken answer";
    Finding::error("exactness", "The engine is not exact", detail).fix(
        "serve weights in F16, Q8_0, Q4_0 or Q4_1 with the bundled engine build; \
         do not state numerics for another",
    )
}

async fn check_embedding(engine: &dyn Engine, model: &ServedModel) -> Finding {
    let input = JobInput::Embed(Embed { inputs: vec![PROMPT.to_owned()] });
    let job = EngineJob {
        manifest: model.manifest,
        seed: Seed::from_caller(1),
        input,
        resume: Resume::default(),
    };
    let embedding = async {
        let mut events = engine.start(job).await.map_err(|error| error.to_string())?;
        while let Some(event) = events.next().await {
            match event.map_err(|error| error.to_string())? {
                EngineEvent::Embeddings(vectors) => return Ok(vectors.iter().map(Vec::len).sum()),
                _ => continue,
            }
        }
        Err("it gave no vector".to_owned())
    };
    let waited = timeout(GENERATION_WAIT, embedding).await;
    let width: Result<usize, String> =
        waited.unwrap_or_else(|_| Err(format!("no answer in {} s", GENERATION_WAIT.as_secs())));
    match width {
        Ok(width) => {
            let detail = format!("model {}: a vector of {width} numbers", model.manifest);
            Finding::ok("engine", "Engine", detail)
        }
        Err(reason) => failed(model, &reason),
    }
}
