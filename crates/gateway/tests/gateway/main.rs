//! The gateway over real sockets, with a scripted network behind it.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod answers;
mod hostile;
mod service;
mod support;
mod translation;
