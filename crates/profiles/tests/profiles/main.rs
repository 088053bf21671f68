//! The economies that come along: each stands, none is another one under a new name, wrong ones
//! are refused with their line, and the published numbers follow from the files themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at any surprise")]

mod numbers;
mod ours;
mod refused;
mod stand;

use remuda_ledger::Economy;
use remuda_ledger::epochs::Stream;
use remuda_ledger::math::{Fixed, units};
use remuda_types::Tokens;

/// The economy of a profile that comes along.
fn economy(name: &str) -> Economy {
    let profile = remuda_profiles::builtin(name).unwrap_or_else(|| panic!("{name} is missing"));
    profile.economy().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One stream of its epochs.
fn stream(economy: &Economy, name: &str) -> Stream {
    let found = economy.epochs.streams.iter().find(|stream| stream.name == name);
    found.unwrap_or_else(|| panic!("{} has no stream {name}", economy.profile)).clone()
}

/// What the first `count` epochs of a stream give, before its cap clips.
fn given(stream: &Stream, count: u64) -> Tokens {
    stream.schedule.sum(count).unwrap().expect("a schedule that depends on time alone")
}

fn tokens(text: &str) -> Tokens {
    units::tokens::parse(text).unwrap()
}

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

/// An amount as a number.
fn number(amount: Tokens) -> Fixed {
    let steps = Fixed::SCALE / 1_000_000_000;
    Fixed(i128::try_from(amount.0).unwrap() * steps)
}

/// A number rounded half away from zero to so many places.
fn rounded(value: Fixed, places: u32) -> String {
    let unit = Fixed::SCALE / 10_i128.pow(places);
    let half = value.0.signum() * (unit / 2);
    Fixed((value.0 + half) / unit * unit).to_string()
}

/// A number in hundredths of another.
fn percent(part: Fixed, whole: Fixed) -> Fixed {
    part.mul(fixed("100")).unwrap().div(whole).unwrap()
}
