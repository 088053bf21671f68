//! What a provider announces.

use std::net::SocketAddr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Canonical, ManifestHash, NodeId, Price, TimestampMs, job::JobKind};

/// How to reach a node: its key, and hints where to find it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct NodeAddress {
    /// The node's key. Whoever answers must prove to hold it.
    pub node: NodeId,
    /// Socket addresses to try directly, at most eight. IPv6 scope and flow numbers do not
    /// travel: they mean nothing on another machine.
    pub direct: Vec<SocketAddr>,
    /// The relay through which the node can always be reached, as a URL.
    pub relay: Option<String>,
}

/// What a device is, coarsely: a class of comparable speed and numerics.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct DeviceClass(pub String);

/// One model that a provider serves.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ModelOffer {
    /// The public name, as buyers write it.
    pub name: String,
    /// Exactly which model.
    pub manifest: ManifestHash,
    /// The kinds of jobs served with it.
    pub kinds: Vec<JobKind>,
    /// The largest context served, in model tokens.
    pub context: u32,
    /// The asking price.
    pub price: Price,
    /// Engine build, instruction set, kernels and weight format in one text. Providers with
    /// equal text give equal bits, so one continues exactly what the other began. `None`
    /// when the engine cannot promise that.
    pub numerics: Option<String>,
}

/// How busy a provider is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct Load {
    /// Jobs that run.
    pub active: u32,
    /// Jobs that wait.
    pub queued: u32,
    /// Jobs that can run at once.
    pub slots: u32,
}

/// Whether a provider takes new jobs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// Takes jobs.
    Ready,
    /// Its owner paused it; running jobs end normally.
    Paused,
    /// It is leaving; running jobs end normally.
    Draining,
}

/// A provider's self-description, signed with its node key and renewed every few seconds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Announcement {
    /// Where the provider is.
    pub address: NodeAddress,
    /// Grows with every announcement of this node; an older one never replaces a newer.
    pub sequence: u64,
    /// The provider's clock when it announced; shown to people, decides nothing.
    pub announced_at: TimestampMs,
    /// What it offers.
    pub models: Vec<ModelOffer>,
    /// How busy it is.
    pub load: Load,
    /// Whether it takes jobs.
    pub state: ProviderState,
    /// The class of its fastest device.
    pub device: DeviceClass,
    /// The software, for people.
    pub software: String,
}

impl Canonical for Announcement {
    const DOMAIN: &'static str = "remuda/announcement/1";
}
