//! The scheduler on a real model: exactness, continuation, sharing, bounds.

mod exact;
mod jobs;
mod support;
