//! Roots, powers and logarithms of [`Fixed`](super::Fixed) numbers, the same on every machine.
