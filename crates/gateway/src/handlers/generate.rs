//! The endpoints that buy.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use remuda_client::{RunError, RunRequest};
use remuda_types::SecretKey;
use remuda_types::job::JobInput;
use tokio::sync::OwnedSemaphorePermit;

use super::{ORDER, RECEIPT, document, name_header};
use crate::app::App;
use crate::body::{self, Body};
use crate::job::{Envelope, Gathered, api_error, broken, gather, too_long};
use crate::openai::chat::{ChatCompletion, ChatRequest};
use crate::openai::completions::{Completion, CompletionRequest};
use crate::openai::embeddings::{EmbeddingList, EmbeddingRequest, Encoding};
use crate::openai::error::{ApiError, ErrorBody};
use crate::openai::responses::{Response as ResponseObject, ResponseRequest};
use crate::openai::{StreamOptions, Translated};
use crate::record::Record;
use crate::sse::{EventStream, Pipe};
use crate::stream::chat::ChatWriter;
use crate::stream::completions::CompletionWriter;
use crate::stream::responses::ResponseWriter;
use crate::stream::{EventWriter, Held, drive};
use crate::{Backend, ReceiptRecord, Run, answer, auth, catalog, json};

/// The shape of an answer.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Chat,
    Completion,
    Response,
    Embedding(Encoding),
}

/// Answers a conversation, whole or as server-sent events.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "generation",
    security(("api_key" = [])),
    request_body = ChatRequest,
    responses(
        (status = 200, body = ChatCompletion, description = "The answer; with `stream`, \
            server-sent events of `ChatCompletionChunk`, then `[DONE]`. The header \
            `x-remuda-receipt` names the receipt; of a stream the job, which \
            `/v1/receipts/{id}` resolves when it ended."),
        (status = "4XX", body = ErrorBody, description = "The request, key or quota is at fault"),
        (status = 503, body = ErrorBody, description = "Nobody can serve it now; `Retry-After`"),
    )
)]
pub(super) async fn chat<B: Backend>(
    app: &Arc<App<B>>,
    request: Request<Incoming>,
    record: &mut Option<Record>,
) -> Result<Response<Body>, ApiError> {
    let admitted = admit(app, request).await?;
    let request = json::parse::<ChatRequest>(&admitted.body)?.translate(app.defaults())?;
    generate(app, record, admitted, request, Shape::Chat).await
}

/// Continues a text, whole or as server-sent events.
#[utoipa::path(
    post,
    path = "/v1/completions",
    tag = "generation",
    security(("api_key" = [])),
    request_body = CompletionRequest,
    responses(
        (status = 200, body = Completion, description = "The answer; with `stream`, \
            server-sent events of the same shape, then `[DONE]`"),
        (status = "4XX", body = ErrorBody, description = "The request, key or quota is at fault"),
        (status = 503, body = ErrorBody, description = "Nobody can serve it now; `Retry-After`"),
    )
)]
pub(super) async fn completions<B: Backend>(
    app: &Arc<App<B>>,
    request: Request<Incoming>,
    record: &mut Option<Record>,
) -> Result<Response<Body>, ApiError> {
    let admitted = admit(app, request).await?;
    let request = json::parse::<CompletionRequest>(&admitted.body)?.translate(app.defaults())?;
    generate(app, record, admitted, request, Shape::Completion).await
}

/// Answers an input without memory, whole or as named server-sent events.
#[utoipa::path(
    post,
    path = "/v1/responses",
    tag = "generation",
    security(("api_key" = [])),
    request_body = ResponseRequest,
    responses(
        (status = 200, body = ResponseObject, description = "The answer; with `stream`, \
            OpenAI's events from `response.created` to `response.completed`"),
        (status = "4XX", body = ErrorBody, description = "The request, key or quota is at fault"),
        (status = 503, body = ErrorBody, description = "Nobody can serve it now; `Retry-After`"),
    )
)]
pub(super) async fn responses<B: Backend>(
    app: &Arc<App<B>>,
    request: Request<Incoming>,
    record: &mut Option<Record>,
) -> Result<Response<Body>, ApiError> {
    let admitted = admit(app, request).await?;
    let request = json::parse::<ResponseRequest>(&admitted.body)?.translate(app.defaults())?;
    generate(app, record, admitted, request, Shape::Response).await
}

/// Turns texts into vectors.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "generation",
    security(("api_key" = [])),
    request_body = EmbeddingRequest,
    responses(
        (status = 200, body = EmbeddingList, description = "One vector a text"),
        (status = "4XX", body = ErrorBody, description = "The request, key or quota is at fault"),
        (status = 503, body = ErrorBody, description = "Nobody can serve it now; `Retry-After`"),
    )
)]
pub(super) async fn embeddings<B: Backend>(
    app: &Arc<App<B>>,
    request: Request<Incoming>,
    record: &mut Option<Record>,
) -> Result<Response<Body>, ApiError> {
    let admitted = admit(app, request).await?;
    let (request, encoding) = json::parse::<EmbeddingRequest>(&admitted.body)?.translate()?;
    generate(app, record, admitted, request, Shape::Embedding(encoding)).await
}

/// A request that may be served: who pays, what it says, and room for it.
struct Admitted {
    payer: Arc<SecretKey>,
    body: Bytes,
    slot: OwnedSemaphorePermit,
}

async fn admit<B: Backend>(app: &App<B>, request: Request<Incoming>) -> Result<Admitted, ApiError> {
    let payer = auth::session_key(request.headers());
    let slot = app.slot()?;
    let config = &app.config;
    let body = body::read(request, config.body_bytes_max, config.body_read_timeout).await?;
    // Refused only now: a connection whose request was left unread could not go on.
    Ok(Admitted { payer: payer?, body, slot })
}

async fn generate<B: Backend>(
    app: &Arc<App<B>>,
    record: &mut Option<Record>,
    admitted: Admitted,
    request: Translated,
    shape: Shape,
) -> Result<Response<Body>, ApiError> {
    let Translated { model, input, seed, max_price, stream } = request;
    let (choices, logprobs) = match &input {
        JobInput::Generate(generate) => (generate.choices, generate.logprobs.is_some()),
        JobInput::Embed(_) => (1, false),
    };
    let order = RunRequest {
        payer: admitted.payer,
        model: model.clone(),
        input,
        seed,
        max_price: max_price.unwrap_or(app.config.max_price),
        manifest: None,
    };
    let run = app.backend.run(order).await.map_err(|error| refused(app, error))?;
    record.iter_mut().for_each(|record| record.begin(&model, run.order()));
    let models = app.catalog.models(&app.backend).await;
    let manifest = catalog::manifest(&models, &model);
    let envelope = Envelope::new(&run.job(), model, manifest.as_ref());
    let answered = Answering { app, record, run, slot: admitted.slot };
    match (stream, shape) {
        (Some(StreamOptions { include_usage }), Shape::Chat) => {
            answered.stream(ChatWriter::new(&envelope, choices, logprobs, include_usage))
        }
        (Some(StreamOptions { include_usage }), Shape::Completion) => {
            answered.stream(CompletionWriter::new(&envelope, choices, logprobs, include_usage))
        }
        (Some(_), Shape::Response) => answered.stream(ResponseWriter::new(envelope)),
        (_, shape) => {
            answered.whole(choices, |gathered| write(envelope, gathered, shape, logprobs)).await
        }
    }
}

/// The error of an order that got no job.
fn refused<B: Backend>(app: &App<B>, error: RunError) -> ApiError {
    let order = match &error {
        RunError::NoProvider(explanation) => Some(app.refused.put((**explanation).clone())),
        _ => None,
    };
    api_error(error, order)
}

fn write(envelope: Envelope, gathered: Gathered, shape: Shape, logprobs: bool) -> Response<Body> {
    let ok = StatusCode::OK;
    match shape {
        Shape::Chat => document(ok, &answer::chat(envelope, gathered, logprobs)),
        Shape::Completion => document(ok, &answer::completion(envelope, gathered, logprobs)),
        Shape::Response => document(ok, &answer::response(&envelope, gathered)),
        Shape::Embedding(encoding) => {
            let Gathered { vectors, report, .. } = gathered;
            let units = report.usage.units_in;
            document(ok, &EmbeddingList::of(envelope.model, vectors, encoding, units))
        }
    }
}

/// A job that runs, and what its answer needs.
struct Answering<'a, B: Backend> {
    app: &'a App<B>,
    record: &'a mut Option<Record>,
    run: B::Run,
    slot: OwnedSemaphorePermit,
}

impl<B: Backend> Answering<'_, B> {
    fn stream<W: EventWriter>(self, writer: W) -> Result<Response<Body>, ApiError> {
        let (order, job) = (self.run.order(), self.run.job());
        let pipe = Pipe::new();
        let held = Held {
            pipe: pipe.clone(),
            record: self.record.take().ok_or_else(|| broken(order))?,
            receipts: self.app.receipts.clone(),
            permit: self.slot,
            time_max: self.app.config.request_time_max,
        };
        let driven = drive(self.run, writer, held);
        let events = EventStream::new(pipe, self.app.config.keep_alive, driven);
        let mut response = Response::new(Body::Events(Box::new(events)));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(RECEIPT, name_header(&job.0));
        headers.insert(ORDER, name_header(&order.0));
        Ok(response)
    }

    async fn whole(
        self,
        choices: u16,
        write: impl FnOnce(Gathered) -> Response<Body>,
    ) -> Result<Response<Body>, ApiError> {
        let (order, job) = (self.run.order(), self.run.job());
        let record = self.record.as_mut().ok_or_else(|| broken(order))?;
        let time_max = self.app.config.request_time_max;
        let gathered = tokio::time::timeout(time_max, gather(self.run, choices, record))
            .await
            .map_err(|_| too_long(time_max, order))??;
        drop(self.slot);
        let receipts = ReceiptRecord::from(&gathered.report);
        // The attempt that ended the answer was the last to be receipted.
        let receipt = receipts.receipts.last().map_or(job.0, |last| last.receipt.body.id().0);
        self.app.receipts.put(receipts);
        let mut response = write(gathered);
        response.headers_mut().insert(RECEIPT, name_header(&receipt));
        response.headers_mut().insert(ORDER, name_header(&order.0));
        Ok(response)
    }
}
