use super::super::formulas::{fixed, rounded};
use super::*;

/// Base units of one token.
const TOKEN: u128 = 1_000_000_000;

/// io.net: 8 % of 500 million over the first year's hours, and an hourly decay.
fn ionet(epochs: u32) -> Schedule {
    let first = Fixed::ratio(40_000_000, 8_760).unwrap();
    Schedule::Decay { first, decay: fixed("0.0000138869523959793"), epochs }
}

fn sum(schedule: &Schedule, count: u64) -> u128 {
    schedule.sum(count).unwrap().unwrap().0
}

/// So many base units in tokens, rounded to so many places.
fn tokens_of(units: u128, places: u32) -> String {
    let steps = i128::try_from(units).unwrap() * i128::from(STEPS_PER_UNIT);
    rounded(Fixed(steps), places)
}

/// The published check figures were reckoned in binary floats, which err in the tenth digit
/// of the third hour (…0591) and the fourth of the sums (….0006, ….6634): these are exact.
#[test]
fn ionets_hours_to_the_last_digit() {
    let Schedule::Decay { first, decay, .. } = ionet(1) else { unreachable!() };
    let ratio = Fixed::ONE.sub(decay).unwrap();
    let hour = |n| rounded(first.mul(ratio.powi(n).unwrap()).unwrap(), 10);
    let hours = ["4566.2100456621", "4566.1466349206", "4566.0832250596"];
    assert_eq!([hour(0), hour(1), hour(2)], hours);
    let schedule = ionet(175_319);
    assert_eq!(sum(&schedule, 1), 4_566_210_045_662);
    assert_eq!(tokens_of(sum(&schedule, 175_319), 4), "300000000.0004");
    assert_eq!(tokens_of(sum(&schedule, 8_760), 4), "37662980.6633");
    assert_eq!(sum(&schedule, 175_319), sum(&schedule, u64::MAX));
    let fall = |hours| Fixed::ONE.sub(ratio.powi(hours).unwrap()).unwrap();
    let percent = |part: Fixed, places| rounded(part.mul(fixed("100")).unwrap(), places);
    assert_eq!(percent(fall(730), 5), "1.00863");
    assert_eq!(percent(fall(8_760), 4), "11.4542");
    let monthly = Fixed::ONE.sub(fixed("0.9898").powi(12).unwrap()).unwrap();
    assert_eq!(percent(monthly, 4), "11.5762");
    let first_year = Fixed::ratio(376_629_806_634, 5_000_000_000_000).unwrap();
    assert_eq!(percent(first_year, 2), "7.53");
}

/// Twenty years hour by hour: the sum is exact although each hour is rounded.
#[test]
fn ionets_twenty_years_sum_to_300_million_after_the_clip() {
    let (schedule, cap) = (ionet(175_319), 300_000_000 * TOKEN);
    let (mut progress, mut minted) = (Progress::default(), 0);
    for _ in 0..175_319 {
        let next = schedule.advance(&progress, Tokens::ZERO, Fixed::ZERO).unwrap();
        minted += next.scheduled.0.min(cap) - progress.scheduled.0.min(cap);
        progress = next;
    }
    assert_eq!(minted, cap);
    assert_eq!(tokens_of(progress.scheduled.0, 4), "300000000.0004");
}

/// The headline figures alone would give less: 8 % a year, 1.02 % less each month.
#[test]
fn the_headline_gives_another_sum() {
    let first = Fixed::ratio(40_000_000, 12).unwrap();
    let monthly = Schedule::Decay { first, decay: fixed("0.0102"), epochs: 240 };
    assert_eq!(tokens_of(sum(&monthly, 240), 2), "298893386.63");
}

/// Aethir Edge: 40 % in the first year, then each year 0.603 of the one before.
#[test]
fn edge_decays_by_the_year() {
    let table = vec![fixed("40")];
    let edge = Schedule::Stages { epochs: 365, table, factor: fixed("0.603"), stages: 10 };
    let year = |n: u64| tokens_of(sum(&edge, 365 * (n + 1)) - sum(&edge, 365 * n), 2);
    assert_eq!([year(0), year(1), year(2)], ["40", "24.12", "14.54"]);
    assert_eq!([year(3), year(4)], ["8.77", "5.29"]);
    assert_eq!(tokens_of(sum(&edge, 3_650), 1), "100.1");
    // Within a year all days give the same, but for one base unit.
    let day = |n: u64| sum(&edge, n + 1) - sum(&edge, n);
    assert!((0..365).all(|n| day(n).abs_diff(day(0)) <= 1));
}

/// Render: five years of a table, then 0.945 of the year before.
#[test]
fn render_dampens_after_its_table() {
    let years = ["9126804", "8000000", "7000000", "6000000", "5000000"].map(fixed).to_vec();
    let render = Schedule::Stages { epochs: 12, table: years, factor: fixed("0.945"), stages: 50 };
    assert_eq!(sum(&render, 1), 760_567 * TOKEN);
    assert_eq!(sum(&render, 12), 9_126_804 * TOKEN);
    let year = |n: u64| sum(&render, 12 * (n + 1)) - sum(&render, 12 * n);
    assert_eq!(year(5), 4_725_000 * TOKEN);
    assert_eq!(year(6), 4_465_125 * TOKEN);
    let part = Fixed::ratio(9_126_804 * 100, 107_374_182).unwrap();
    assert_eq!(rounded(part, 1), "8.5");
}

/// Phala: 25 % less each 180 days; Helium: half each two years.
#[test]
fn halvings() {
    let table = vec![fixed("129600000")];
    let phala = Schedule::Stages { epochs: 4_320, table, factor: fixed("0.75"), stages: 60 };
    assert_eq!(sum(&phala, 720), 21_600_000 * TOKEN);
    assert_eq!(sum(&phala, 8_640) - sum(&phala, 4_320), 97_200_000 * TOKEN);
    let table = vec![fixed("120000000")];
    let helium = Schedule::Stages { epochs: 24, table, factor: fixed("0.5"), stages: 25 };
    assert_eq!(sum(&helium, 48) - sum(&helium, 24), 60_000_000 * TOKEN);
    assert!(sum(&helium, u64::MAX) < 240_000_000 * TOKEN);
}

/// Aethir's checkers: a tenth of the supply over four years, a twentieth over 16 quarters.
#[test]
fn fixed_pools() {
    let pool = |total: &str, epochs| Schedule::Stages {
        epochs,
        table: vec![fixed(total)],
        factor: Fixed::ONE,
        stages: 1,
    };
    let daily = pool("4200000000", 1_461);
    assert_eq!(tokens_of(sum(&daily, 1), 4), "2874743.3265");
    assert_eq!(sum(&daily, 1_461), 4_200_000_000 * TOKEN);
    assert_eq!(sum(&daily, 1_462), 4_200_000_000 * TOKEN);
    let quarterly = pool("2100000000", 16);
    assert_eq!(sum(&quarterly, 1), 131_250_000 * TOKEN);
}

#[test]
fn demand_raises_and_lowers_the_amount() {
    let schedule = Schedule::Demand {
        first: Tokens(1_000),
        least: Tokens(900),
        most: Tokens(1_200),
        step: Share::percent(10),
    };
    let mut progress = Progress::default();
    let mut amounts = Vec::new();
    for burned in [0, 2_000, 2_000, 2_000, 0, 0, 0, 0] {
        progress = schedule.advance(&progress, Tokens(burned), Fixed::ZERO).unwrap();
        amounts.push(progress.last.0);
    }
    assert_eq!(amounts, [1_000, 1_100, 1_200, 1_200, 1_080, 972, 900, 900]);
    assert_eq!(progress.scheduled.0, amounts.iter().sum::<u128>());
    assert_eq!(schedule.sum(3), Ok(None));
}

#[test]
fn capacity_below_the_baseline_earns_less() {
    let schedule = Schedule::Baseline {
        total: Tokens(1_000_000 * TOKEN),
        simple: Share::percent(30),
        half_life: 100,
        base: fixed("10"),
        doubling: 50,
    };
    let run = |power: &str| {
        let mut progress = Progress::default();
        for _ in 0..100 {
            progress = schedule.advance(&progress, Tokens::ZERO, fixed(power)).unwrap();
        }
        progress.scheduled.0
    };
    assert_eq!(run("0"), 150_000 * TOKEN);
    assert!(run("5") < run("10") && run("10") < run("1000"));
    assert!(run("1000") < 505_000 * TOKEN);
}

#[test]
fn wrong_parameters_are_named() {
    let path = |schedule: Schedule| schedule.validate("s").err().map(|error| error.path);
    assert_eq!(path(ionet(175_319)), None);
    assert_eq!(path(ionet(0)).as_deref(), Some("s.epochs"));
    let stages = |table: Vec<Fixed>, factor: &str| {
        let factor = fixed(factor);
        path(Schedule::Stages { epochs: 1, table, factor, stages: 9 })
    };
    assert_eq!(stages(vec![Fixed::ONE], "0.5"), None);
    assert_eq!(stages(vec![], "0.5").as_deref(), Some("s.table"));
    assert_eq!(stages(vec![Fixed::ONE], "1.1").as_deref(), Some("s.factor"));
    assert_eq!(stages(vec![Fixed(i128::MAX); 2], "1").as_deref(), Some("s"));
    let (first, step) = (Tokens(5), Share::ZERO);
    let demand = Schedule::Demand { first, least: Tokens(6), most: Tokens(9), step };
    assert_eq!(path(demand).as_deref(), Some("s.first"));
}
