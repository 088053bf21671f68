//! Why a job could not be run, or could not be ended.

use std::time::Duration;

use remuda_market::Explanation;
use thiserror::Error;

/// Why a job could not be run, or could not be ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Nobody serves a model of this name.
    #[error("nobody serves the model {model:?}; the models served now are listed at /v1/models")]
    UnknownModel {
        /// The name that was asked for.
        model: String,
    },
    /// Some serve the model, but none fits this job now.
    #[error("no provider fits this job: {}", .0.sentence())]
    NoProvider(Box<Explanation>),
    /// The session key or its account has too little left.
    #[error(
        "this key has too little left for the job: {left} of the {needed} that it may cost; \
         raise its cap or grant credits"
    )]
    Exhausted {
        /// What the job may cost.
        needed: remuda_types::Credits,
        /// What is left.
        left: remuda_types::Credits,
    },
    /// The session key's time is over, or its account ended it.
    #[error("this key has expired or was revoked; create a new one")]
    SessionExpired,
    /// The ledger knows neither a session nor an account of this key.
    #[error("the ledger does not know this key; create it with `remuda key create`")]
    SessionUnknown,
    /// Every provider that fits is full.
    #[error("every provider that fits is full; try again in {} ms", .retry_after.as_millis())]
    Overloaded {
        /// After which time a retry makes sense.
        retry_after: Duration,
    },
    /// The input breaks a bound.
    #[error("{}: {reason}", .parameter.as_deref().unwrap_or("the input"))]
    InvalidInput {
        /// The parameter, by the name that OpenAI's interface gives it, where it is known.
        parameter: Option<String>,
        /// What would be accepted.
        reason: String,
    },
    /// Input and wanted output do not fit in the model's context.
    #[error("the input and the wanted output do not fit in the model's context: {reason}")]
    ContextExceeded {
        /// What would fit.
        reason: String,
    },
    /// The ledger does not answer.
    #[error("the ledger cannot be reached: {reason}; try again")]
    LedgerUnreachable {
        /// What was tried.
        reason: String,
    },
    /// The ledger refused to open or fill a channel.
    #[error("the ledger refused the payment channel: {code}: {reason}")]
    LedgerRefused {
        /// The ledger's code.
        code: String,
        /// The ledger's words.
        reason: String,
    },
    /// The job began, and nobody could bring it to its end. What was delivered is paid.
    #[error("the job broke and nobody could continue it: {reason}; try again")]
    Interrupted {
        /// The last failure.
        reason: String,
    },
    /// The client is shutting down.
    #[error("the client is shutting down")]
    Closed,
}

impl RunError {
    /// The stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel { .. } => "unknown_model",
            Self::NoProvider(_) => "no_provider",
            Self::Exhausted { .. } => "exhausted",
            Self::SessionExpired => "session_expired",
            Self::SessionUnknown => "session_unknown",
            Self::Overloaded { .. } => "overloaded",
            Self::InvalidInput { .. } => "invalid_input",
            Self::ContextExceeded { .. } => "context_exceeded",
            Self::LedgerUnreachable { .. } => "ledger_unreachable",
            Self::LedgerRefused { .. } => "ledger_refused",
            Self::Interrupted { .. } => "interrupted",
            Self::Closed => "closed",
        }
    }

    /// Whether the same request may well succeed a moment later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::NoProvider(_)
                | Self::Overloaded { .. }
                | Self::LedgerUnreachable { .. }
                | Self::Interrupted { .. }
                | Self::Closed
        )
    }
}
