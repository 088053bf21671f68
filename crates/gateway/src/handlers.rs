//! From a request to its answer.

mod generate;
mod read;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use remuda_types::Hash;

pub(crate) use generate::{__path_chat, __path_completions, __path_embeddings, __path_responses};
pub(crate) use read::{
    __path_explain, __path_healthz, __path_metrics, __path_model, __path_models, __path_openapi,
    __path_readyz, __path_receipt, ExplainDocument, Readiness, ReceiptDocument,
};

use crate::Backend;
use crate::app::App;
use crate::body::Body;
use crate::metrics::Ending;
use crate::openai::error::ApiError;
use crate::record::Record;
use crate::router::{Route, UNMATCHED, route};

/// Names the receipt of an answer: its last receipt, or the job while it streams.
pub(crate) const RECEIPT: HeaderName = HeaderName::from_static("x-remuda-receipt");
/// Names the order.
pub(crate) const ORDER: HeaderName = HeaderName::from_static("x-remuda-order");
/// Names the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// OpenAI's clients retry every 429 unless this says not to.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// As `Retry-After`, in milliseconds; OpenAI's clients prefer it.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Answers a request.
pub(crate) async fn serve<B: Backend>(
    app: Arc<App<B>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let routed = route(request.method(), request.uri().path());
    let label = routed.as_ref().map_or(UNMATCHED, Route::label);
    let mut record = Some(Record::new(app.metrics.clone(), label));
    let answered = match routed {
        Ok(route) => dispatch(&app, route, request, &mut record).await,
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(|error| {
        let ending = Ending::Status(error.status().as_u16());
        record.iter_mut().for_each(|record| record.failed(ending, error.code()));
        refusal(&error)
    });
    // A stream took its record along.
    record.iter_mut().for_each(|record| record.answered_unless_failed(response.status().as_u16()));
    response.headers_mut().insert(REQUEST_ID, request_id());
    response
}

async fn dispatch<B: Backend>(
    app: &Arc<App<B>>,
    route: Route,
    request: Request<Incoming>,
    record: &mut Option<Record>,
) -> Result<Response<Body>, ApiError> {
    match route {
        Route::Chat => generate::chat(app, request, record).await,
        Route::Completions => generate::completions(app, request, record).await,
        Route::Responses => generate::responses(app, request, record).await,
        Route::Embeddings => generate::embeddings(app, request, record).await,
        Route::Models => read::models(app, request.headers()).await,
        Route::Model(name) => read::model(app, request.headers(), name).await,
        Route::Receipt(name) => read::receipt(app, &name).await,
        Route::Explain(order) => read::explain(app, &order),
        Route::Healthz => Ok(read::healthz()),
        Route::Readyz => Ok(read::readyz(app).await),
        Route::Metrics => Ok(read::metrics(app).await),
        Route::OpenApi => Ok(read::openapi(app)),
    }
}

fn request_id() -> HeaderValue {
    let id = format!("req_{:032x}", rand::random::<u128>());
    HeaderValue::from_maybe_shared(Bytes::from(id)).unwrap_or(HeaderValue::from_static("req_"))
}

/// A name as a header's value.
fn name_header(name: &Hash) -> HeaderValue {
    let text = Bytes::from(name.to_string());
    HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static(""))
}

/// A JSON answer.
fn json(status: StatusCode, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::whole(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer of a JSON document.
fn document<T: serde::Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let mut bytes = Vec::with_capacity(1_024);
    crate::json::push(&mut bytes, value);
    json(status, bytes)
}

/// An error as an answer.
fn refusal(error: &ApiError) -> Response<Body> {
    let mut response = json(error.status(), error.to_json());
    let headers = response.headers_mut();
    if let ApiError::Overloaded { retry_after, .. } = error
        && let Ok(milliseconds) = u64::try_from(retry_after.as_millis())
    {
        headers.insert(RETRY_AFTER_MS, milliseconds.max(1).into());
    }
    error.retry_after_s().into_iter().for_each(|seconds| {
        headers.insert(RETRY_AFTER, seconds.into());
    });
    if error.leaves_body_unread() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let ApiError::MethodNotAllowed(allowed) = error {
        headers.insert(ALLOW, HeaderValue::from_static(allowed));
    }
    if matches!(error, ApiError::InsufficientQuota(_)) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    error.order().into_iter().for_each(|order| {
        headers.insert(ORDER, name_header(&order.0));
    });
    response
}
