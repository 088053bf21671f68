//! The published numbers, from the values that stand in the files.

use remuda_ledger::Economy;
use remuda_ledger::accounts::Recipient;
use remuda_ledger::epochs::Schedule;
use remuda_ledger::epochs::formulas::{Formula, helium, phala, render};
use remuda_ledger::math::{Fixed, Period};
use remuda_ledger::points::{Points, Work, pixel_steps};
use remuda_ledger::stake::formulas::{Surroundings, efficiency, required};
use remuda_ledger::stake::{Load, Offence};
use remuda_types::Tokens;

use super::{economy, fixed, given, number, percent, rounded, stream, tokens};

/// The stake that so many devices of a weight need.
fn stake_of(economy: &Economy, count: u64, weight: Fixed) -> Tokens {
    let rules = &economy.stake.provider.required;
    required(rules, &Load { count, weight }, &Surroundings::default()).unwrap()
}

/// The multiplier of a class of devices.
fn multiplier(economy: &Economy, class: &str) -> Fixed {
    economy.devices.classes.get(class).unwrap_or_else(|| panic!("{class}")).multiplier
}

#[test]
fn io_net_gives_300_million_in_175_319_hours() {
    let economy = economy("ionet");
    let rewards = stream(&economy, "block rewards");
    let Schedule::Decay { first, decay, epochs } = rewards.schedule else { panic!("no decay") };
    assert_eq!((epochs, rewards.length), (175_319, Period::HOUR));
    let hour = |n: u32| {
        let left = Fixed::ONE.sub(decay).unwrap().powi(n - 1).unwrap();
        rounded(first.mul(left).unwrap(), 10)
    };
    // Tables that were reckoned in binary floats print …2591 for the third hour, ….0006 for the
    // total and ….6634 for the year: these are exact.
    let hours = [1, 2, 3].map(hour);
    assert_eq!(hours, ["4566.2100456621", "4566.1466349206", "4566.0832250596"]);
    let total = given(&rewards, u64::MAX);
    assert_eq!(rounded(number(total), 4), "300000000.0004");
    assert_eq!(total.min(rewards.cap), tokens("300000000"), "clipped");
    assert_eq!(economy.token.allocated_to(Recipient::Emission), tokens("300000000"));
    let year = number(given(&rewards, 8_760));
    assert_eq!(rounded(year, 4), "37662980.6633");
    assert_eq!(rounded(percent(year, fixed("500000000")), 2), "7.53");
    let fallen = |hours| {
        let left = Fixed::ONE.sub(decay).unwrap().powi(hours).unwrap();
        percent(Fixed::ONE.sub(left).unwrap(), Fixed::ONE)
    };
    assert_eq!(rounded(fallen(730), 5), "1.00863");
    assert_eq!(rounded(fallen(8_760), 4), "11.4542");
}

#[test]
fn io_net_asks_16_000_for_eight_h100_and_800_for_four_4070() {
    let economy = economy("ionet");
    let stake = |count, class| stake_of(&economy, count, multiplier(&economy, class));
    assert_eq!(stake(8, "h100"), tokens("16000"));
    assert_eq!(stake(4, "rtx4070"), tokens("800"));
}

#[test]
fn aethir_pays_its_checkers_by_day_and_by_quarter() {
    let economy = economy("aethir");
    let checkers = stream(&economy, "checkers");
    assert_eq!(rounded(number(given(&checkers, 1)), 4), "2874743.3265");
    assert_eq!(given(&checkers, 1_461), checkers.cap);
    let bonus = stream(&economy, "bonus");
    assert_eq!(given(&bonus, 1), tokens("131250000"));
    assert_eq!(bonus.length.times(16), checkers.length.times(1_461), "the same four years");
    // All that checkers may have, for each licence sold and each of 1,460 days.
    let all = number(economy.token.allocation("checkers").unwrap().1);
    assert_eq!(all, number(checkers.cap.add(bonus.cap).unwrap()));
    let shared = Fixed::from_integer(1_460_u64 * 91_759).unwrap();
    assert_eq!(rounded(all.div(shared).unwrap(), 3), "47.026");
}

#[test]
fn aethir_edge_decays_by_two_fifths_a_year() {
    let economy = economy("aethir");
    let edge = stream(&economy, "edge");
    let year = |n: u64| given(&edge, 365 * n).sub(given(&edge, 365 * (n - 1))).unwrap();
    let parts = [1, 2, 3, 4, 5].map(|n| rounded(percent(number(year(n)), number(edge.cap)), 2));
    // The published 5.29 is a ratio of 0.603 that is rounded in every year.
    assert_eq!(parts, ["40", "24.12", "14.54", "8.77", "5.29"]);
    let ten = percent(number(given(&edge, 3_650)), number(edge.cap));
    assert_eq!(rounded(ten, 1), "100.1");
    assert_eq!(given(&edge, u64::MAX).min(edge.cap), tokens("9660000000"), "clipped");
    let emitted: u128 = economy.epochs.streams.iter().map(|stream| stream.cap.0).sum();
    assert_eq!(Tokens(emitted), economy.token.allocated_to(Recipient::Emission));
}

#[test]
fn aethir_slashes_a_third_for_an_interruption_and_all_for_a_lie() {
    let economy = economy("aethir");
    let factor = economy.devices.classes["standard"].stake_factor;
    let at_risk = stake_of(&economy, 1, factor);
    assert_eq!(at_risk, tokens("1334.22"));
    let slash = |offence| economy.stake.offence(offence).unwrap().parts[0].of(at_risk).unwrap();
    assert_eq!(slash(Offence::Interruption), tokens("444.74"));
    assert_eq!(slash(Offence::FakeHardware), tokens("1334.22"));
    assert!(economy.stake.offence(Offence::Offline).is_none(), "idleness is not slashed");
    assert_eq!(economy.stake.cooldown, Period::DAY.times(180));
    let vesting = economy.credits.settle_vesting;
    assert_eq!(vesting.vested(tokens("90"), Period::DAY.times(15)), tokens("30"));
    assert_eq!(vesting.length(), Period::DAY.times(45));
}

#[test]
fn aethir_sells_licences_at_rising_prices() {
    let licences = economy("aethir").devices.licences;
    let price = |number| licences.price(number).unwrap();
    assert_eq!((price(0), price(99_999)), (fixed("0.1259"), fixed("1.8232")));
    let times = price(99_999).div(price(0)).unwrap();
    assert_eq!(rounded(times, 2), "14.48");
    assert_eq!(licences.price(100_000), None);
    assert!(licences.tiers.windows(2).all(|pair| pair[0].price < pair[1].price));
}

#[test]
fn render_gives_760_567_a_month_in_its_first_year() {
    let economy = economy("render");
    let main = stream(&economy, "main");
    assert_eq!(given(&main, 1), tokens("760567"));
    let year = given(&main, 12);
    assert_eq!(year, tokens("9126804"));
    assert_eq!(main.length.times(12), Period::DAY.times(365));
    assert_eq!(rounded(percent(number(year), number(main.cap)), 1), "8.5");
    let second = given(&main, 24).sub(year).unwrap();
    assert_eq!(second, tokens("8624829.78"), "0.945 times the first");
    let before = number(economy.token.allocation("before").unwrap().1);
    assert_eq!(rounded(percent(number(main.cap), before), 4), "20");
    assert_eq!(economy.token.total, Some(tokens("644245094")));
}

#[test]
fn render_weighs_nodes_and_pays_jobs_as_its_proposals_say() {
    let economy = economy("render");
    let Formula::Rnp015 { free_nodes, steepness } = economy.epochs.capacity else {
        panic!("another formula")
    };
    let penalty = |nodes| render::node_penalty(nodes, free_nodes, steepness).unwrap();
    let penalties = [1, 2, 3, 4, 5, 6, 7].map(|nodes| rounded(penalty(nodes), 4));
    assert_eq!(penalties, ["1", "1", "1", "0.522", "0.2725", "0.1423", "0.0743"]);
    let job = |rate: &str, factor| {
        let paid = render::job_reward(fixed(rate), factor, fixed("100")).unwrap();
        rounded(paid, 4)
    };
    assert_eq!(job("10", multiplier(&economy, "node")), "5.9524");
    assert_eq!(job("25", multiplier(&economy, "h200")), "74.4048");
    let weights = &economy.devices.benchmark;
    let parts = [(weights.info, 920), (weights.direct_light, 699), (weights.path_trace, 688)];
    let score: u128 = parts.iter().map(|(share, points)| share.of(points * 10)).sum();
    assert_eq!(score, 7_156, "715.6");
    let fee = economy.escrow.fees.token;
    assert_eq!((fee.burn.of(100), fee.treasury.of(100)), (95, 5));
    assert_eq!(economy.credits.fee.of(100), 5);
    assert_eq!(economy.escrow.orders.approval, Period::HOUR.times(72));
}

#[test]
fn akash_takes_4_in_its_token_and_20_in_dollars() {
    let economy = economy("akash");
    let rest = |fee: remuda_ledger::escrow::FeeRule| 100 - fee.burn.of(100) - fee.treasury.of(100);
    assert_eq!(rest(economy.escrow.fees.token), 96);
    assert_eq!(rest(economy.escrow.fees.credit), 80);
    let breaker = &economy.credits.breaker;
    let thresholds = [breaker.warn, breaker.halt, breaker.resume].map(|share| share.of(100));
    assert_eq!(thresholds, [95, 90, 93]);
    assert_eq!(economy.credits.oracle.window, Period::MINUTE.times(30));
    // The example of AEP-76: 1,000 dollars, here at the price that holds until an oracle speaks.
    let price = Fixed::ratio(economy.accounts.fees.token_price.0.into(), 1_000_000).unwrap();
    let tokens_at = |price| fixed("1000").div(price).unwrap();
    let burned = tokens_at(price);
    let more = |price: &str| tokens_at(fixed(price)).sub(burned).unwrap();
    assert_eq!(rounded(burned, 6), "877.192982");
    assert_eq!(rounded(more("1.50"), 6), "-210.526316");
    assert_eq!(rounded(more("0.90"), 6), "233.918129");
}

#[test]
fn phala_counts_stake_cost_and_value() {
    let economy = economy("phala");
    let Formula::Phala(parameters) = &economy.epochs.capacity else { panic!("another formula") };
    let performance = fixed("2000");
    let stake = number(stake_of(&economy, 1, performance));
    assert_eq!(rounded(stake, 3), "2236.068");
    assert_eq!(rounded(number(stake_of(&economy, 1, fixed("450"))), 3), "1060.66");
    assert_eq!(phala::cost(performance, parameters.token_price), Ok(fixed("6000")));
    let value = parameters.first_value(performance, stake, Fixed::ONE).unwrap();
    assert_eq!(rounded(value, 3), "12354.102");
    let share = phala::share(value, performance, Fixed::ONE).unwrap();
    assert_eq!(rounded(share, 3), "12985.524");
    let mining = stream(&economy, "mining");
    assert_eq!(given(&mining, 720), tokens("21600000"), "the first month");
    let stage = |n: u64| given(&mining, 4_320 * n).sub(given(&mining, 4_320 * (n - 1))).unwrap();
    assert_eq!(stage(2), tokens("97200000"), "a quarter less");
    assert!(given(&mining, u64::MAX) < mining.cap);
}

#[test]
fn heurist_counts_points_and_ramps_up_with_stake() {
    let economy = economy("heurist");
    let points = |work: Work| work.points(&economy.points.rates).unwrap();
    let image = Work::PixelSteps(pixel_steps(1_024, 1_024, 40).unwrap());
    assert_eq!(points(image), Points(8 * Points::ONE.0));
    assert_eq!(points(Work::LlamaTokens(1_500)), Points(Points::ONE.0 * 3 / 2));
    let part = |stake| efficiency(&economy.stake.ramp, tokens(stake)).unwrap();
    assert_eq!([part("9999"), part("10000")], [Fixed::ZERO, fixed("0.1")]);
    assert_eq!([part("55000"), part("100000")], [fixed("0.55"), Fixed::ONE]);
    let pool = economy.points.conversion.pool;
    assert_eq!(pool, economy.token.allocated_to(Recipient::Conversion));
    let Schedule::Demand { first, .. } = stream(&economy, "mining").schedule else {
        panic!("another schedule")
    };
    let years = number(first).mul(fixed("3650")).unwrap();
    assert_eq!(rounded(years.div(fixed("1000000")).unwrap(), 0), "500", "ten years at this pace");
}

#[test]
fn dekube_gives_a_fifth_to_the_test_and_the_rest_to_work() {
    let economy = economy("dekube");
    let amounts = economy.token.amounts().unwrap();
    let shares = amounts.iter().map(|amount| percent(number(*amount), fixed("1000000000")));
    let shares: Vec<_> = shares.map(|share| share.to_string()).collect();
    assert_eq!(shares, ["7.5", "5", "7.5", "80"]);
    assert!(economy.token.allocations.iter().all(|part| !part.to.at_genesis()), "an empty genesis");
    assert_eq!(economy.points.chests.cap, 825);
    assert_eq!(economy.points.certificates.cap, 10_000);
    assert_eq!(economy.points.conversion.pool, amounts[0]);
    let caps = ["service nodes", "compute nodes", "proof of work"].map(|name| {
        let stream = stream(&economy, name);
        assert!(stream.schedule.sum(u64::MAX).unwrap() <= Some(stream.cap), "{name}");
        stream.cap
    });
    assert_eq!(caps, [amounts[1], amounts[2], amounts[3]]);
    let months = |name, months: u64| {
        let stream = stream(&economy, name);
        (given(&stream, 730 * months), stream.cap)
    };
    for (name, length) in [("service nodes", 48), ("compute nodes", 12)] {
        let (half, cap) = months(name, length / 2);
        assert_eq!(half.0 * 2, cap.0, "{name}: linear");
        assert_eq!(months(name, length).0, cap, "{name}");
    }
}

#[test]
fn filecoin_pledges_twenty_days_and_thirty_hundredths() {
    let economy = economy("filecoin");
    let rules = &economy.stake.provider.required;
    assert_eq!((rules.multiple, rules.share.of(100)), (20, 30));
    let stream = stream(&economy, "storage mining");
    let Schedule::Baseline { total, simple, .. } = stream.schedule else { panic!("no baseline") };
    assert_eq!((total, simple.of(100)), (stream.cap, 30));
    assert_eq!(economy.token.allocated_to(Recipient::Emission), total);
}

#[test]
fn helium_pays_witnesses_less_when_they_are_many() {
    let economy = economy("helium");
    let Formula::Hip15 { target, ratio } = economy.epochs.capacity else { panic!("no HIP-15") };
    let both = |witnesses| {
        let sent = helium::transmit_units(witnesses, target, ratio).unwrap();
        let received = helium::receive_units(witnesses, target, ratio).unwrap();
        (rounded(sent, 4), rounded(received, 4))
    };
    let expected = [
        (1, "0.25", "1"),
        (4, "1", "1"),
        (5, "1.2", "0.76"),
        (8, "1.5904", "0.4262"),
        (14, "1.8926", "0.222"),
    ];
    for (witnesses, sent, received) in expected {
        assert_eq!(both(witnesses), (sent.into(), received.into()), "{witnesses}");
    }
    let main = stream(&economy, "main");
    assert_eq!(given(&main, 730), tokens("120000000"), "60 million a year");
    assert_eq!(given(&main, 1_460), tokens("180000000"), "halved");
    let year = number(main.recycle).mul(fixed("365")).unwrap();
    assert_eq!(rounded(percent(year, fixed("60000000")), 4), "1");
}
