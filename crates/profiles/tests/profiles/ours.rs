//! What is promised of our own economy.

use remuda_ledger::accounts::Recipient;
use remuda_ledger::math::{Period, Share};
use remuda_ledger::stake::{Curve, Offence, RequiredRules};
use remuda_types::{Credits, Tokens};

use super::{economy, fixed, given, number, percent, rounded, stream, tokens};

#[test]
fn nothing_is_pre_allocated() {
    let ours = economy("remuda");
    assert!(ours.token.allocations.iter().all(|part| part.to == Recipient::Emission));
    assert_eq!(ours.token.allocated_to(Recipient::Emission), tokens("1000000000"));
    assert!(!ours.points.on && ours.points.conversion.pool.is_zero());
    let caps: u128 = ours.epochs.streams.iter().map(|stream| stream.cap.0).sum();
    assert_eq!(Some(Tokens(caps)), ours.token.cap);
    assert!(ours.governance.immutable.contains(&"token.cap".into()));
}

#[test]
fn half_is_mined_in_five_years_and_almost_all_in_a_hundred() {
    let ours = economy("remuda");
    for stream in &ours.epochs.streams {
        let cap = number(stream.cap);
        let part = |hours| percent(number(given(stream, hours)), cap);
        assert_eq!(rounded(part(8_760), 2), "12.93", "{}", stream.name);
        assert_eq!(rounded(part(5 * 8_760), 1), "49.9", "{}", stream.name);
        let end = given(stream, u64::MAX);
        assert!(end <= stream.cap, "{}: the cap clips nothing", stream.name);
        assert_eq!(rounded(percent(number(end), cap), 3), "100", "{}", stream.name);
    }
    let first: u128 = ours.epochs.streams.iter().map(|stream| given(stream, 1).0).sum();
    assert_eq!(Tokens(first), tokens("15800"));
}

#[test]
fn what_work_mints_never_exceeds_what_was_burned() {
    let ours = economy("remuda");
    let kappa = ours.epochs.work.kappa.unwrap();
    assert!(kappa < Share::ALL);
    // A burn that a settlement may mint again never counts for the epochs too.
    let again = ours.credits.settle_share.billionths() + ours.epochs.work.purchases.billionths();
    assert!(again <= Share::ALL.billionths());
    for stream in &ours.epochs.streams {
        assert!(stream.split.work == Share::ZERO || stream.split.work == Share::ALL);
    }
    assert_eq!(stream(&ours, "work").split.work, Share::ALL);
}

#[test]
fn the_small_are_welcome() {
    let ours = economy("remuda");
    let provider = &ours.stake.provider;
    assert!(provider.open && provider.minimum.is_zero());
    assert_eq!(provider.required, RequiredRules::default(), "devices require nothing");
    assert_eq!(provider.implicit, Credits(25_000_000), "25 dollars");
    // Neither stake nor capacity weighs more for posing as many.
    assert_eq!(ours.stake.weight.curve, Curve::Linear);
    assert!(!ours.stake.weight.cap.is_zero());
    assert_eq!(ours.accounts.fees.floor, Tokens::ZERO);
    assert!(ours.credits.fee <= Share::percent(1));
    assert_eq!(ours.devices.waiting, Period(0));
    let multiplier = |class: &str| ours.devices.classes.get(class).unwrap().multiplier;
    assert_eq!(multiplier("datacentre-gpu"), fixed("4"));
    assert_eq!(multiplier("cpu"), fixed("0.2"));
    assert!(ours.stake.checker.open && ours.stake.checker.minimum.is_zero());
}

#[test]
fn offences_cost_what_the_table_says_and_idleness_nothing() {
    let ours = economy("remuda");
    let stake = &ours.stake;
    let table: [(Offence, &[&str], u32); 11] = [
        (Offence::Equivocation, &["100%"], 1),
        (Offence::ForgedSignature, &["100%"], 1),
        (Offence::DoubleBill, &["100%"], 1),
        (Offence::OutputMismatch, &["100%"], 1),
        (Offence::InvalidQuote, &["100%"], 1),
        (Offence::StatisticalFailure, &["30%", "100%"], 2),
        (Offence::FakeHardware, &["50%"], 0),
        (Offence::MissedCheck, &["25%"], 0),
        (Offence::LazyCheck, &["50%"], 0),
        (Offence::PoisonPassed, &["100%"], 0),
        (Offence::CopiedGradient, &["10%", "10%", "100%"], 3),
    ];
    for (offence, parts, eject_at) in table {
        let rules = stake.offence(offence).unwrap_or_else(|| panic!("{offence:?}"));
        let stated: Vec<_> = rules.parts.iter().map(ToString::to_string).collect();
        assert_eq!((stated.join(" "), rules.eject_at), (parts.join(" "), eject_at), "{offence:?}");
    }
    assert!(stake.offence(Offence::Offline).is_none());
    let percents = [stake.split.reporter, stake.split.affected, stake.split.treasury];
    assert_eq!(percents, [30, 20, 0].map(Share::percent));
    assert!(stake.cooldown >= Period::DAY.times(14));
    assert!(stake.cooldown > ours.disputes.window);
}

#[test]
fn payouts_are_held_while_they_can_be_disputed() {
    for profile in remuda_profiles::BUILTIN {
        let economy = economy(profile.name);
        assert!(economy.escrow.hold >= economy.disputes.window, "{}", profile.name);
    }
    assert_eq!(economy("remuda").escrow.hold, Period::HOUR.times(2));
}
