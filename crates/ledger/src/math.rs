//! Exact arithmetic for money and rules: fixed point and shares, every rounding named, and
//! splits whose parts always come to the whole.

mod fixed;
mod functions;
mod split;
pub mod units;
mod wide;

pub use fixed::{Fixed, FixedError};
pub use functions::{FunctionError, integer_sqrt};
pub use split::{split_by_shares, split_by_weights};
pub use units::{Period, Share};
pub use wide::{Rounding, mul_div};
