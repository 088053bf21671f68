//! Seed-bound sampling and its replay.
//!
//! A provider that samples from a language model could choose any token and call it chance.
//! Here every draw follows from the job's [`Seed`](remuda_types::Seed): the noise of a token
//! is a pure function of (seed, choice, position, token), so whoever recomputes the logits
//! can [`replay`](sampling::Sampler::replay) each choice, and another provider can continue
//! a stream with the same draws.
//!
//! This crate is pure: no clock, no files, no sockets, no randomness of its own, and no
//! function of the platform's mathematics library, whose last bits differ among systems.
//!
//! ```
//! use remuda_proof::sampling::{History, Sampler};
//! use remuda_types::{Seed, job::Sampling};
//!
//! let logits = [0.5, 2.0, 1.0];
//! let mut sampler = Sampler::new(&Sampling::default(), &Seed::from_caller(7), 0);
//! let token = sampler.choose(&logits, History::default(), None)?;
//! // The same seed, choice and position draw the same token, anywhere.
//! let replay = sampler.replay(&logits, History::default(), None, token)?;
//! assert_eq!((replay.token, replay.margin), (token, 0.0));
//! # Ok::<(), remuda_proof::sampling::SampleError>(())
//! ```

pub mod sampling;
