//! What the tests with a real model share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use remuda_engine::llm::{Drawn, LlamaEngine, Observer};
use remuda_engine::{Engine, EngineError, EngineEvent, EngineJob, EngineStream, ModelSpec};
use remuda_types::job::{
    Constraint, Generate, JobInput, Millionths, Prompt, Resume, Sampling, TokenLogprob,
};
use remuda_types::{Hash, ManifestHash, Seed, StopReason};

pub(crate) const MANIFEST: ManifestHash = ManifestHash(Hash([7; 32]));
pub(crate) const TEXT: &str = "The history of computing is longer than the history of \
    computing hardware and includes the history of methods intended for pen and paper, with or \
    without tables.";

/// The small model that tests run on.
pub(crate) fn model_path() -> PathBuf {
    let path = std::env::var_os("REMUDA_TEST_MODEL").map(PathBuf::from);
    match path.filter(|path| path.is_file()) {
        Some(path) => path,
        None => panic!(
            "this test needs the default model: run `make model`, or set REMUDA_TEST_MODEL to \
             the path of SmolLM2-135M-Instruct.Q4_1.gguf"
        ),
    }
}

/// A small, quick configuration.
pub(crate) fn spec() -> ModelSpec {
    ModelSpec { context: 512, slots: 4, threads: Some(1), ..ModelSpec::new(MANIFEST, model_path()) }
}

pub(crate) fn engine(spec: &ModelSpec) -> LlamaEngine {
    LlamaEngine::load(spec).unwrap()
}

/// A text continuation at temperature 1.
pub(crate) fn generate(prompt: &str, max_output: u32) -> Generate {
    Generate {
        prompt: Prompt::Text(prompt.into()),
        choices: 1,
        max_output,
        sampling: Sampling::default(),
        stop: Vec::new(),
        constraint: Constraint::None,
        logprobs: None,
    }
}

/// Forbids the end of an answer, so that a length is reached.
pub(crate) fn endless(mut generate: Generate) -> Generate {
    // <|im_end|> and <|endoftext|> of the test model.
    for token in [0, 2] {
        generate.sampling.logit_bias.insert(token, Millionths(-100_000_000));
    }
    generate
}

pub(crate) fn job(seed: i64, generate: Generate) -> EngineJob {
    EngineJob {
        manifest: MANIFEST,
        seed: Seed::from_caller(seed),
        input: JobInput::Generate(generate),
        resume: Resume::default(),
    }
}

/// All that one choice gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) tokens: Vec<u32>,
    pub(crate) text: String,
    /// The text after each token.
    pub(crate) texts: Vec<String>,
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) stop: Option<StopReason>,
}

/// All that a job gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) prepared: Vec<(u64, u64)>,
    pub(crate) answers: BTreeMap<u16, Answer>,
    pub(crate) vectors: Vec<Vec<f32>>,
}

impl Outcome {
    pub(crate) fn take(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Prepared { units_in, units_cached } => {
                self.prepared.push((units_in, units_cached));
            }
            EngineEvent::Output(delta) => {
                assert_eq!(delta.tokens.len(), delta.units as usize);
                let answer = self.answers.entry(delta.choice).or_default();
                assert_eq!(answer.stop, None, "nothing comes after the end");
                answer.text.push_str(&delta.text);
                for token in delta.tokens {
                    answer.tokens.push(token);
                    answer.texts.push(answer.text.clone());
                }
                answer.logprobs.extend(delta.logprobs);
            }
            EngineEvent::ChoiceDone { choice, stop } => {
                let before = self.answers.entry(choice).or_default().stop.replace(stop);
                assert_eq!(before, None, "a choice ends once");
            }
            EngineEvent::Embeddings(vectors) => self.vectors = vectors,
        }
    }

    pub(crate) fn only(&self) -> &Answer {
        assert_eq!(self.answers.len(), 1);
        self.answers.values().next().unwrap()
    }
}

pub(crate) async fn drain(
    mut stream: EngineStream,
    outcome: &mut Outcome,
) -> Result<(), EngineError> {
    while let Some(event) = stream.next().await {
        outcome.take(event?);
    }
    Ok(())
}

pub(crate) async fn run(engine: &dyn Engine, job: EngineJob) -> Result<Outcome, EngineError> {
    let mut outcome = Outcome::default();
    drain(engine.start(job).await?, &mut outcome).await?;
    Ok(outcome)
}

/// What was drawn, with the bits it was drawn from.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) seed: Seed,
    pub(crate) position: usize,
    pub(crate) token: u32,
    pub(crate) logits: Vec<u32>,
    pub(crate) hidden: Option<Vec<u32>>,
}

pub(crate) fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Keeps all that was drawn.
#[derive(Debug, Default)]
pub(crate) struct Recorder(pub(crate) Mutex<Vec<Seen>>);

impl Recorder {
    pub(crate) fn of(&self, seed: i64) -> Vec<Seen> {
        let seed = Seed::from_caller(seed);
        self.0.lock().unwrap().iter().filter(|seen| seen.seed == seed).cloned().collect()
    }
}

impl Observer for Recorder {
    fn drawn(&self, drawn: Drawn<'_>) {
        self.0.lock().unwrap().push(Seen {
            seed: *drawn.seed,
            position: drawn.position,
            token: drawn.token,
            logits: bits(drawn.logits),
            hidden: drawn.hidden.map(bits),
        });
    }
}

pub(crate) fn observed(spec: &ModelSpec) -> (LlamaEngine, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let engine = LlamaEngine::with_observer(spec, Some(recorder.clone())).unwrap();
    (engine, recorder)
}
