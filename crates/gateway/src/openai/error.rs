//! Errors in OpenAI's shape, so that unmodified clients raise the class they should.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use remuda_types::OrderId;
use remuda_types::job::InvalidJob;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// Why a request was not served, as its sender sees it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApiError {
    /// No key was sent.
    #[error(
        "no API key was sent: put it into the header `Authorization: Bearer sk-remuda-1…` \
         (`remuda key create` makes one)"
    )]
    MissingApiKey,
    /// The key is not one, or has a typing mistake.
    #[error("the API key is not valid: copy it again, whole; it begins with sk-remuda-1")]
    InvalidApiKey,
    /// The ledger knows no session of this key.
    #[error(
        "the ledger knows no session of this API key: its account must create one \
         (`remuda key create`)"
    )]
    UnknownSession,
    /// The session ended.
    #[error("the API key has expired or was revoked: create another (`remuda key create`)")]
    KeyExpired,
    /// The session's cap or the account's credits are used up.
    #[error("{0}")]
    InsufficientQuota(String),
    /// Nobody offers the model.
    #[error(
        "the model `{0}` is not offered by any provider now; GET /v1/models lists what is offered"
    )]
    ModelNotFound(String),
    /// Providers offer the model, and none fits the order.
    #[error("{sentence}")]
    NoProvider {
        /// How many fit, and why the others did not.
        sentence: String,
        /// The order, for `/v1/orders/{id}/explain`.
        order: Option<OrderId>,
    },
    /// This gateway, or every fitting provider, has no room.
    #[error("{reason}; try again after {} s", .retry_after.as_secs().max(1))]
    Overloaded {
        /// What has no room.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// A parameter is missing, of another type or out of bounds.
    #[error("{reason}")]
    InvalidParameter {
        /// The parameter, as a path into the body.
        parameter: Cow<'static, str>,
        /// What would be accepted.
        reason: String,
    },
    /// The input and the wanted output do not fit in the model's context.
    #[error("{0}")]
    ContextExceeded(String),
    /// The body is not JSON.
    #[error("the body is not valid JSON: {0}")]
    BadJson(String),
    /// The body is of another type.
    #[error("the content type must be application/json")]
    ContentType,
    /// The body is larger than is read.
    #[error("the body is larger than the limit of {0} bytes")]
    BodyTooLarge(usize),
    /// The body did not arrive in time, or broke off.
    #[error("the body did not arrive whole within {} s", .0.as_secs())]
    BodyTimeout(Duration),
    /// There is no such path.
    #[error("there is no path {0}; GET /openapi.json describes what there is")]
    UnknownPath(String),
    /// The path has another method.
    #[error("the method is not allowed here; allowed: {0}")]
    MethodNotAllowed(&'static str),
    /// No such receipt or order is kept here.
    #[error("no {0} of this name is kept by this gateway")]
    NotFound(&'static str),
    /// The network or the ledger cannot be reached, or every attempt failed.
    #[error("{reason}")]
    Upstream {
        /// A stable name.
        code: &'static str,
        /// What happened and what helps.
        reason: String,
        /// The order, when one was made.
        order: Option<OrderId>,
    },
}

impl ApiError {
    /// A parameter that is refused.
    pub fn parameter(parameter: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::InvalidParameter { parameter: parameter.into(), reason: reason.into() }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::MissingApiKey | Self::InvalidApiKey | Self::UnknownSession | Self::KeyExpired => {
                StatusCode::UNAUTHORIZED
            }
            Self::InsufficientQuota(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::ModelNotFound(_) | Self::UnknownPath(_) | Self::NotFound(_) => {
                StatusCode::NOT_FOUND
            }
            Self::NoProvider { .. } | Self::Overloaded { .. } | Self::Upstream { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::InvalidParameter { .. } | Self::ContextExceeded(_) | Self::BadJson(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// Whether the request may have been refused before its body was read. The connection
    /// cannot go on then, and the answer must say so.
    #[must_use]
    pub const fn leaves_body_unread(&self) -> bool {
        matches!(
            self,
            Self::Overloaded { .. }
                | Self::ContentType
                | Self::BodyTooLarge(_)
                | Self::BodyTimeout(_)
                | Self::UnknownPath(_)
                | Self::MethodNotAllowed(_)
        )
    }

    /// The stable name of the error, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingApiKey => "missing_api_key",
            Self::InvalidApiKey => "invalid_api_key",
            Self::UnknownSession => "unknown_session",
            Self::KeyExpired => "key_expired",
            Self::InsufficientQuota(_) => "insufficient_quota",
            Self::ModelNotFound(_) => "model_not_found",
            Self::NoProvider { .. } => "no_provider",
            Self::Overloaded { .. } => "overloaded",
            Self::InvalidParameter { .. } => "invalid_parameter",
            Self::ContextExceeded(_) => "context_length_exceeded",
            Self::BadJson(_) => "invalid_json",
            Self::ContentType => "unsupported_media_type",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::BodyTimeout(_) => "body_timeout",
            Self::UnknownPath(_) => "unknown_url",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NotFound(_) => "not_found",
            Self::Upstream { code, .. } => code,
        }
    }

    /// OpenAI's class of the error.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InsufficientQuota(_) => "insufficient_quota",
            Self::NoProvider { .. } | Self::Upstream { .. } => "server_error",
            Self::Overloaded { .. } => "overloaded_error",
            _ => "invalid_request_error",
        }
    }

    /// The parameter that is at fault, as a path into the body.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::InvalidParameter { parameter, .. } => Some(parameter),
            Self::ModelNotFound(_) => Some("model"),
            Self::ContextExceeded(_) => Some("messages"),
            _ => None,
        }
    }

    /// The order that was made before the error.
    #[must_use]
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::NoProvider { order, .. } | Self::Upstream { order, .. } => *order,
            _ => None,
        }
    }

    /// When a retry may help, in whole seconds.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Overloaded { retry_after, .. } => Some(retry_after.as_secs().max(1)),
            Self::NoProvider { .. } | Self::Upstream { .. } => Some(RETRY_AFTER_S),
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retry_after_s().is_some()
    }

    /// The error as OpenAI's clients read it.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorDetail {
                message: self.to_string(),
                kind: self.kind().to_owned(),
                param: self.param().map(ToOwned::to_owned),
                code: Some(self.code().to_owned()),
                order: self.order().map(|order| order.to_string()),
            },
        }
    }

    /// [`ApiError::body`] as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        crate::json::push(&mut bytes, &self.body());
        bytes
    }
}

/// After how many seconds a client should retry when nobody could serve it.
const RETRY_AFTER_S: u64 = 2;

impl From<InvalidJob> for ApiError {
    fn from(invalid: InvalidJob) -> Self {
        Self::parameter(invalid.parameter, format!("{}: {}", invalid.parameter, invalid.reason))
    }
}

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// What happened and what helps, for people.
    pub message: String,
    /// OpenAI's class of the error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The parameter at fault.
    pub param: Option<String>,
    /// The stable name of the error, for programs.
    pub code: Option<String>,
    /// The order that was made, for `/v1/orders/{id}/explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}
