//! Devices of providers, the certificates about them and their owners, and node licences.
//!
//! A device is named by its fingerprint, a digest over what its hardware says of itself: a
//! changed one is another device. What a device can do is what a reporter measured and what
//! certificates say; what its provider says of it counts as a claim only.

mod actions;
mod audit;
mod certificates;
mod error;
mod fleet;
mod indexes;
mod licences;
mod queries;
mod records;
mod rewards;
mod rules;

pub use actions::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTES_MAX, BUY_LICENCES_MAX, DevicesAction, REGION_BYTES_MAX,
};
pub use error::DevicesError;
pub use queries::{DevicesAnswer, DevicesQuery};
pub use records::{
    Auditor, Benchmark, BenchmarkResults, Certificate, Device, DeviceStatus, Licence, LicenceBuyer,
    LicenceSale, Statement, Subject,
};
pub use rules::*;

pub(crate) use actions::execute;
pub(crate) use audit::audit;
pub(crate) use certificates::forget_expired;
pub(crate) use fleet::{next_due, run_timers};
pub(crate) use indexes::DeviceIndexes;
pub(crate) use licences::begin_sale;
pub(crate) use queries::answer;
pub(crate) use rewards::{check_reward, keep_reward};
