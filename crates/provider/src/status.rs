//! What a provider says about itself, to its owner.

use remuda_types::{Credits, DeviceClass, Load, ModelOffer, NodeAddress, NodeId, ProviderState};
use serde::{Deserialize, Serialize};

/// A provider's state at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStatus {
    /// Its node key.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: NodeAddress,
    /// Whether it takes jobs.
    pub state: ProviderState,
    /// The class of its device.
    pub device: DeviceClass,
    /// What it serves.
    pub models: Vec<ModelStatus>,
    /// How busy it is.
    pub load: Load,
    /// Jobs since it started.
    pub jobs: JobCounts,
    /// What it earned.
    pub earnings: Earnings,
    /// How its present clients reach it.
    pub connections: ConnectionCounts,
    /// Whether the ledger knows its registration.
    pub registered: bool,
    /// Indexers that took its last announcement, of all configured.
    pub indexers: (u32, u32),
    /// Milliseconds since it started.
    pub uptime_ms: u64,
}

/// A model that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// What is announced.
    pub offer: ModelOffer,
    /// How busy its engines are.
    pub load: Load,
}

/// Jobs since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Ended by themselves.
    pub finished: u64,
    /// Ended early by the client.
    pub cancelled: u64,
    /// Broken after they were accepted.
    pub failed: u64,
    /// Not accepted.
    pub refused: u64,
}

/// Money, over all channels that are still open, in micro-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earnings {
    /// Delivered and not covered by a voucher.
    pub owed: Credits,
    /// Covered by vouchers and not redeemed.
    pub vouchered: Credits,
    /// Redeemed, over all channels that this till ever knew.
    pub redeemed: Credits,
    /// Channels known.
    pub channels: u32,
}

/// Present connections by the kind of their path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionCounts {
    /// Straight from socket to socket.
    pub direct: u32,
    /// Through a relay.
    pub relayed: u32,
    /// Not known yet.
    pub unknown: u32,
}
