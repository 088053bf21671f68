//! Embedding vectors: one pass a text on a thread of its own, pooled as the model says.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, atomic::Ordering::Relaxed};
use std::thread;

use remuda_types::job::{Embed, TokenId};

use super::model::{LoadError, Model};
use super::native::{Batch, Context, Pooling, Shape};
use super::stream::{Admission, Gauges, Reporter};
use crate::{EngineError, EngineEvent, EngineStream, ModelSpec};

struct Work {
    texts: Vec<Vec<TokenId>>,
    reporter: Reporter,
    _admission: Admission,
}

/// Where embedding jobs go.
pub(super) struct Embedder {
    model: Arc<Model>,
    work: SyncSender<Work>,
}

impl Embedder {
    pub(super) fn start(
        model: &Arc<Model>,
        spec: &ModelSpec,
        gauges: &Arc<Gauges>,
    ) -> Result<Self, LoadError> {
        let shape = Shape {
            positions: model.context(),
            sequences: 1,
            // A model that looks both ways needs a text in one piece.
            batch: model.context(),
            outputs: model.context(),
            threads: model.threads(),
            pooling: Pooling::ModelOrMean,
        };
        let context = Context::new(model.native(), shape)
            .ok_or(LoadError::Memory { slots: 1, context: shape.positions })?;
        let waiting = usize::from(spec.slots) + usize::from(spec.queue);
        let (sender, receiver) = mpsc::sync_channel(waiting);
        let gauges = Arc::clone(gauges);
        let thread = thread::Builder::new().name("llm-embedder".into());
        thread.spawn(move || run(context, &receiver, &gauges)).map_err(LoadError::Thread)?;
        Ok(Self { model: Arc::clone(model), work: sender })
    }

    pub(super) fn submit(
        &self,
        embed: &Embed,
        admission: Admission,
    ) -> Result<EngineStream, EngineError> {
        let texts = embed.inputs.iter().map(|text| self.tokens(text));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let (reporter, stream) = Reporter::new(None);
        let work = Work { texts, reporter, _admission: admission };
        self.work.try_send(work).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => EngineError::Overloaded,
            mpsc::TrySendError::Disconnected(_) => EngineError::Failed("the embedder ended".into()),
        })?;
        Ok(Box::pin(stream))
    }

    fn tokens(&self, text: &str) -> Result<Vec<TokenId>, EngineError> {
        let tokens = self.model.tokenize_to_embed(text)?;
        if tokens.is_empty() {
            return Err(super::prepare::invalid("input", "no text may be empty"));
        }
        if tokens.len() > self.model.context() as usize {
            return Err(self.model.too_long(tokens.len() as u64));
        }
        Ok(tokens)
    }
}

fn run(mut context: Context, work: &Receiver<Work>, gauges: &Gauges) {
    while let Ok(work) = work.recv() {
        gauges.active.fetch_add(1, Relaxed);
        gauges.stepping.store(true, Relaxed);
        let units_in = work.texts.iter().map(|text| text.len() as u64).sum();
        work.reporter.event(EngineEvent::Prepared { units_in, units_cached: 0 });
        match embed_all(&mut context, &work, gauges) {
            Ok(vectors) => {
                work.reporter.event(EngineEvent::Embeddings(vectors));
                work.reporter.end();
            }
            Err(error) => work.reporter.fail(error),
        }
        gauges.stepping.store(false, Relaxed);
        gauges.active.fetch_sub(1, Relaxed);
    }
}

fn embed_all(
    context: &mut Context,
    work: &Work,
    gauges: &Gauges,
) -> Result<Vec<Vec<f32>>, EngineError> {
    let mut vectors = Vec::with_capacity(work.texts.len());
    for text in &work.texts {
        if work.reporter.is_abandoned() {
            return Err(EngineError::Failed("cancelled".into()));
        }
        gauges.steps.fetch_add(1, Relaxed);
        vectors.push(embed(context, text)?);
    }
    Ok(vectors)
}

/// The pooled state of a text, scaled to length one.
fn embed(context: &mut Context, text: &[TokenId]) -> Result<Vec<f32>, EngineError> {
    context.keep(0, 0);
    let mut batch = Batch::default();
    for (position, &token) in text.iter().enumerate() {
        batch.add(token, position, 0, true);
    }
    context.decode(&mut batch).map_err(|error| EngineError::Failed(error.to_string()))?;
    let missing = || EngineError::Failed("the engine gave no vector".into());
    let vector = context.pooled(0).ok_or_else(missing)?;
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !(length.is_finite() && length > 0.0) {
        return Err(EngineError::Failed("the vector is no number".into()));
    }
    Ok(vector.iter().map(|x| x / length).collect())
}
