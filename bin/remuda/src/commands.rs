//! What each command does, one module a subject.

pub(crate) mod chat;
pub(crate) mod clock;
pub(crate) mod economy;
pub(crate) mod explain;
pub(crate) mod key;
pub(crate) mod model;
pub(crate) mod network;
pub(crate) mod profile;
pub(crate) mod proof;
pub(crate) mod provider;
pub(crate) mod receipt;
pub(crate) mod sim;
pub(crate) mod wallet;
