//! The scheduler on a real model: exactness, continuation, sharing, bounds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod exact;
mod jobs;
mod support;
