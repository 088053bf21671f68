//! The endpoints that only tell.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use prometheus_client::metrics::gauge::Gauge;
use remuda_market::Explanation;
use remuda_types::{Canonical, FinalReceipt, Hash, OrderId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{document, json};
use crate::app::App;
use crate::body::Body;
use crate::openai::error::{ApiError, ErrorBody};
use crate::openai::models::{ModelList, ModelObject};
use crate::{Backend, ReceiptRecord, auth};

/// Lists the models that are offered now.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "models",
    security(("api_key" = [])),
    responses(
        (status = 200, body = ModelList, description = "The models"),
        (status = 401, body = ErrorBody, description = "No key, or one that is mistyped"),
    )
)]
pub(super) async fn models<B: Backend>(
    app: &App<B>,
    headers: &HeaderMap,
) -> Result<Response<Body>, ApiError> {
    auth::session_key(headers)?;
    let models = app.catalog.models(&app.backend).await;
    Ok(document(StatusCode::OK, &ModelList::of(&models)))
}

/// Describes one model.
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    tag = "models",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The model's public name")),
    responses(
        (status = 200, body = ModelObject, description = "The model"),
        (status = 401, body = ErrorBody, description = "No key, or one that is mistyped"),
        (status = 404, body = ErrorBody, description = "Nobody offers it now"),
    )
)]
pub(super) async fn model<B: Backend>(
    app: &App<B>,
    headers: &HeaderMap,
    name: String,
) -> Result<Response<Body>, ApiError> {
    auth::session_key(headers)?;
    let models = app.catalog.models(&app.backend).await;
    match models.iter().find(|model| model.name == name) {
        Some(model) => Ok(document(StatusCode::OK, &ModelObject::from(model))),
        None => Err(ApiError::ModelNotFound(name)),
    }
}

/// What a job ended with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceiptDocument {
    /// `remuda.receipts`.
    object: &'static str,
    /// The order.
    order: String,
    /// The job.
    job: String,
    /// What all attempts together cost, in micro-dollars.
    amount_micro_dollars: u64,
    /// The receipts' names, in the order of `receipts`.
    ids: Vec<String>,
    /// The receipts, each signed by its provider and its payer.
    #[schema(value_type = Vec<Object>)]
    receipts: Vec<FinalReceipt>,
    /// The receipts' canonical bytes in hexadecimal, in the same order.
    canonical: Vec<String>,
}

impl ReceiptDocument {
    /// The document of a record; of one receipt only, when `name` is a receipt's.
    fn of(record: ReceiptRecord, name: &Hash) -> Self {
        let id = |receipt: &FinalReceipt| receipt.receipt.body.id();
        let mut receipts = record.receipts;
        if receipts.iter().any(|receipt| id(receipt).0 == *name) {
            receipts.retain(|receipt| id(receipt).0 == *name);
        }
        let canonical = |receipt: &FinalReceipt| hex::encode(receipt.to_canonical());
        Self {
            object: "remuda.receipts",
            order: record.order.to_string(),
            job: record.job.to_string(),
            amount_micro_dollars: record.amount.0,
            ids: receipts.iter().map(|receipt| id(receipt).to_string()).collect(),
            canonical: receipts.iter().map(canonical).collect(),
            receipts,
        }
    }
}

/// Finds receipts. Needs no key: a name cannot be guessed, and whoever was told it may check
/// the receipt, which says nothing of the prompt.
#[utoipa::path(
    get,
    path = "/v1/receipts/{id}",
    tag = "receipts",
    params(("id" = String, Path, description = "The name of a receipt, a job or an order")),
    responses(
        (status = 200, body = ReceiptDocument, description = "The receipts"),
        (status = 404, body = ErrorBody, description = "This gateway keeps none of this name"),
    )
)]
pub(super) async fn receipt<B: Backend>(
    app: &App<B>,
    name: &str,
) -> Result<Response<Body>, ApiError> {
    let name: Hash = name.parse().map_err(|_| ApiError::NotFound("receipt"))?;
    let receipts = app.receipts.clone();
    let found = tokio::task::spawn_blocking(move || receipts.find(&name)).await;
    match found {
        Ok(Ok(Some(record))) => Ok(document(StatusCode::OK, &ReceiptDocument::of(record, &name))),
        Ok(Ok(None)) => Err(ApiError::NotFound("receipt")),
        Ok(Err(error)) => {
            let (code, reason) = (error.code(), error.to_string());
            Err(ApiError::Upstream { code, reason, order: None })
        }
        Err(_) => Err(ApiError::Upstream {
            code: "receipts_store",
            reason: "the store of receipts broke off; try again".to_owned(),
            order: None,
        }),
    }
}

/// How many providers fit an order, and why the others did not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainDocument {
    /// The order.
    order: String,
    /// All in one sentence.
    sentence: String,
    /// How many providers were considered, how many fit, how many did not for which reason,
    /// and the providers one by one.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    explanation: Explanation,
}

/// Says how many providers fit an order, and why the others did not.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}/explain",
    tag = "receipts",
    params(("id" = String, Path, description = "The order, as `x-remuda-order` names it")),
    responses(
        (status = 200, body = ExplainDocument, description = "The explanation"),
        (status = 404, body = ErrorBody, description = "The order is unknown, or long ago"),
    )
)]
pub(super) fn explain<B: Backend>(app: &App<B>, order: &str) -> Result<Response<Body>, ApiError> {
    let order: OrderId = order.parse().map_err(|_| ApiError::NotFound("order"))?;
    let explanation = app.backend.explain(&order).or_else(|| app.refused.get(&order));
    let explanation = explanation.ok_or(ApiError::NotFound("order"))?;
    let (order, sentence) = (order.to_string(), explanation.sentence());
    Ok(document(StatusCode::OK, &ExplainDocument { order, sentence, explanation }))
}

/// Says that the process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "It lives"))
)]
pub(super) fn healthz() -> Response<Body> {
    json(StatusCode::OK, &br#"{"status":"ok"}"#[..])
}

/// Whether the gateway can serve.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether it can.
    ready: bool,
    /// What keeps it from serving.
    troubles: Vec<String>,
}

/// Says whether the gateway can serve, and what keeps it from it.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, body = Readiness, description = "It can"),
        (status = 503, body = Readiness, description = "It cannot, and why"),
    )
)]
pub(super) async fn readyz<B: Backend>(app: &App<B>) -> Response<Body> {
    let troubles = app.troubles().await;
    let ready = troubles.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    document(status, &Readiness { ready, troubles })
}

/// Counters in Prometheus' text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, content_type = "text/plain", description = "The counters"))
)]
pub(super) async fn metrics<B: Backend>(app: &App<B>) -> Response<Body> {
    let models = app.catalog.models(&app.backend).await;
    let figures = app.backend.figures();
    let set = |gauge: &Gauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    set(&app.metrics.models, models.len() as u64);
    set(&app.metrics.providers, figures.providers as u64);
    set(&app.metrics.undelivered_vouchers, figures.undelivered_vouchers as u64);
    set(&app.metrics.receipts_lost, app.receipts.lost());
    let mut response = Response::new(Body::whole(app.metrics.text()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operation",
    responses((status = 200, content_type = "application/json", description = "This document"))
)]
pub(super) fn openapi<B: Backend>(app: &App<B>) -> Response<Body> {
    json(StatusCode::OK, app.openapi.clone())
}
