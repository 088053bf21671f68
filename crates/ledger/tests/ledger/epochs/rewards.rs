//! Who gets what: capacity, work, duties, and what nobody takes.

use remuda_ledger::epochs::Unclaimed;
use remuda_ledger::epochs::formulas::{Formula, phala};

use super::*;

/// A world of two nodes with these devices; the pool of an hour is 1,000.
fn contest(capacity_formula: Formula, own: &str, other: &str) -> World {
    let rules = Rules { capacity: capacity_formula, ..rules(vec![stream()]) };
    let mut world = world(rules);
    world.epoch_report(report(vec![capacity(&key(20), 0, own), capacity(&key(21), 0, other)]));
    world
}

fn shares(world: &World) -> (u128, u128) {
    (world.epoch_owed(&key(20)), world.epoch_owed(&key(21)))
}

#[test]
fn capacity_is_paid_by_score_and_by_its_root() {
    let mut linear = contest(Formula::Score {}, "900", "100");
    linear.sleep(Period::HOUR);
    assert_eq!(shares(&linear), (900, 100));
    let mut root = contest(Formula::Root { most: Fixed::ZERO }, "900", "100");
    root.sleep(Period::HOUR);
    assert_eq!(shares(&root), (750, 250));
    let mut capped = contest(Formula::Root { most: fixed("100") }, "900", "100");
    capped.sleep(Period::HOUR);
    assert_eq!(shares(&capped), (500, 500));
}

#[test]
fn uptime_counts_for_the_life_of_its_report() {
    let rules =
        Rules { uptime_default: Share::ZERO, report_life: Period::HOUR, ..rules(vec![stream()]) };
    let mut world = world(rules);
    world.epoch_report(report(vec![capacity(&key(20), 0, "1"), capacity(&key(21), 0, "1")]));
    world.epoch_report(uptime(&key(20), 0, Share::percent(75)));
    world.epoch_report(uptime(&key(21), 0, Share::percent(25)));
    world.sleep(Period::HOUR);
    assert_eq!(shares(&world), (750, 250));
    world.epoch_report(uptime(&key(21), 0, Share::percent(25)));
    world.sleep(Period::HOUR);
    assert_eq!(shares(&world), (750, 1_250));
    world.sleep(Period::HOUR.times(2));
    // Nobody's word counts any longer: nothing is minted.
    assert_eq!(shares(&world), (750, 1_250));
    assert_eq!(world.epoch_splits("main")[0].minted, Tokens::ZERO);
}

#[test]
fn a_crowded_place_weighs_less() {
    let mut world = contest(Formula::Score {}, "1", "1");
    let density = [(4, 61), (27, 27), (49, 106)].map(|(limit, count)| Density { limit, count });
    world.epoch_report(coverage(&key(20), 0, density.to_vec()));
    world.sleep(Period::HOUR);
    // .03031 beside 1.
    assert_eq!(shares(&world), (29, 971));
}

#[test]
fn a_device_that_gives_no_weight_gets_nothing_and_holds_nobody_up() {
    let formula = Formula::Rnp015 { free_nodes: 3, steepness: fixed("0.65") };
    let mut world = contest(formula, "100", "200");
    world.sleep(Period::HOUR);
    // No memory was reported: its logarithm does not exist.
    assert_eq!(shares(&world), (0, 0));
    let mut entries = vec![capacity(&key(20), 0, "100"), capacity(&key(21), 0, "100")];
    for entry in &mut entries {
        entry.facts.memory_mib = 24_576;
    }
    world.epoch_report(report(entries));
    world.sleep(Period::HOUR);
    assert_eq!(shares(&world), (500, 500));
}

#[test]
fn a_wallet_with_many_nodes_is_penalised() {
    let formula = Formula::Rnp015 { free_nodes: 3, steepness: fixed("0.65") };
    let mut world = world(Rules { capacity: formula, ..rules(vec![stream()]) });
    let (whale, small) = (key(20), key(21));
    let mut entries: Vec<_> = (0..5).map(|device| capacity(&whale, device, "100")).collect();
    entries.push(capacity(&small, 0, "100"));
    for entry in &mut entries {
        entry.facts.memory_mib = 24_576;
    }
    world.epoch_report(report(entries));
    world.sleep(Period::DAY);
    // Five nodes at .2725 each beside one at 1: 1.3627 to 1.
    let (whale, small) = shares(&world);
    assert_eq!(whale * 100 / (whale + small), 57);
}

#[test]
fn phalas_value_grows_and_is_paid_out() {
    let formula = Formula::Phala(phala::Parameters::default());
    let mut world = contest(formula, "2000", "450");
    world.sleep(Period::HOUR);
    let device = |world: &World| {
        let query = EpochQuery::Device { provider: key(20).public(), device: Hash([0; 32]) };
        let EpochAnswer::Device(Some(device)) = world.epoch_answer(query) else { panic!() };
        *device
    };
    // Without stake: V = 1.5·(0.3·2000/0.1) = 9,000, then 0.02 % more each hour.
    assert_eq!(device(&world).value, fixed("9000"));
    world.sleep(Period::HOUR);
    assert_eq!(device(&world).value, fixed("9001.8"));
    world.sleep(Period::HOUR);
    // It had gained 1.8, and was paid 800 base units: less.
    let before = device(&world).value_before;
    assert!((fixed("9001.799")..fixed("9001.8")).contains(&before), "{before}");
    let (large, small) = shares(&world);
    assert_eq!(large + small, 3_000);
    assert!(large > 2_400 && small > 500);
}

#[test]
fn work_is_paid_by_the_credits_that_channels_paid() {
    let split = Split { work: Share::ALL, ..Split::default() };
    let mut world = world(rules(vec![Stream { split, ..stream() }]));
    let channel = world.open(&alice(), 500);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 100)]));
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 300)]));
    world.sleep(Period::HOUR);
    assert_eq!(world.epoch_owed(&node()), 1_000);
    let split = &world.epoch_splits("main")[0];
    assert_eq!((split.parts[0].recipient, split.parts[0].weight), (Recipient::Work, 300));
    // Nobody worked in the second hour.
    world.sleep(Period::HOUR);
    assert_eq!(world.epoch_owed(&node()), 1_000);
}

#[test]
fn without_burning_kappa_pays_nothing_for_work() {
    let split = Split { work: Share::ALL, ..Split::default() };
    let mut rules = rules(vec![Stream { split, ..stream() }]);
    rules.work.kappa = Some(Share::ALL);
    let mut world = world(rules);
    let channel = world.open(&alice(), 500);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 300)]));
    world.sleep(Period::HOUR);
    assert_eq!(world.epoch_owed(&node()), 0);
    let part = &world.epoch_splits("main")[0].parts[0];
    assert_eq!((part.paid, part.unclaimed), (Tokens::ZERO, Tokens(1_000)));
}

/// Shares of all recipients, and what nobody takes under each rule.
#[test]
fn what_nobody_takes_goes_where_the_rule_says() {
    let percent = Share::percent;
    let split = Split {
        capacity: percent(40),
        work: percent(20),
        checkers: percent(10),
        validators: percent(10),
        delegators: percent(5),
        service_nodes: percent(10),
        treasury: percent(5),
    };
    let run = |unclaimed| {
        let mut world = world(rules(vec![Stream { split: split.clone(), unclaimed, ..stream() }]));
        world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
        world.epoch_report(duty(Recipient::Validators, &[(&key(21), 1), (&key(22), 2)]));
        world.sleep(Period::HOUR);
        let validators = (world.epoch_owed(&key(21)), world.epoch_owed(&key(22)));
        assert!([(33, 67), (34, 66)].contains(&validators), "{validators:?}");
        assert_eq!(world.epoch_owed(&node()), 400);
        world.epoch_report(duty(Recipient::Delegators, &[(&key(21), 1)]));
        world.sleep(Period::HOUR);
        let minted = world.epoch_stream().minted.0;
        assert_eq!(world.supply().tokens.0, 2 * TOKENS + minted);
        for split in world.epoch_splits("main") {
            let parts = split.parts.iter().map(|part| part.paid.0 + part.unclaimed.0);
            assert_eq!(parts.sum::<u128>(), 1_000 + split.carried.0);
        }
        let served = world.epoch_owed(&key(21)) + world.epoch_owed(&key(22));
        (world.epoch_vault(Vault::Treasury), served, minted)
    };
    assert_eq!(run(Unclaimed::NotMinted), (100, 150, 1_050));
    assert_eq!(run(Unclaimed::Treasury), (1_050, 150, 2_000));
    // Two hours of the delegators' part at once.
    assert_eq!(run(Unclaimed::Carried), (100, 200, 1_100));
}

#[test]
fn the_cap_of_the_economy_is_never_passed() {
    // The stream's own cap fits; what accounts held at genesis leaves less.
    let capped = Stream { cap: Tokens(4_000), ..stream() };
    let mut economy = Economy { epochs: rules(vec![capped]), ..Economy::default() };
    economy.token.cap = Some(Tokens(2 * TOKENS + 2_500));
    let mut world = World::with_economy(economy);
    world.block(&[]);
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    world.sleep(Period::HOUR.times(5));
    assert_eq!(world.epoch_owed(&node()), 2_500);
    assert_eq!(world.supply().tokens, Tokens(2 * TOKENS + 2_500));
}

/// io.net's twenty years: 175,319 hours through the ledger, to exactly 300 million.
fn twenty_years(epochs_per_block: u32) {
    let first = Fixed::ratio(40_000_000, 8_760).unwrap();
    let decay = fixed("0.0000138869523959793");
    let schedule = Schedule::Decay { first, decay, epochs: 175_319 };
    let cap = Tokens(300_000_000 * 1_000_000_000);
    let rules = Rules { epochs_per_block, ..rules(vec![Stream { schedule, cap, ..stream() }]) };
    let mut world = world(rules);
    world.epoch_report(report(vec![capacity(&node(), 0, "1")]));
    let end = START + 175_319 * Period::HOUR.ms();
    while world.now < end {
        let step = Period::HOUR.times(epochs_per_block.into()).ms();
        world.now = (world.now + step).min(end);
        world.ledger.apply(world.now, &[]).unwrap();
    }
    world.ledger.audit().unwrap();
    assert_eq!((world.epoch_stream().epoch, world.epoch_stream().minted), (175_319, cap));
    assert_eq!(world.epoch_owed(&node()), cap.0);
    world.sleep(Period::HOUR);
    assert_eq!(world.epoch_owed(&node()), cap.0);
}

#[test]
fn ionets_twenty_years_come_to_300_million() {
    twenty_years(64);
}

#[test]
#[ignore = "175,319 blocks take a while"]
fn ionets_twenty_years_block_by_block_come_to_300_million() {
    twenty_years(1);
}

/// Others burn for work that comes later; somebody who works for itself at once gets back no
/// more than its own credits are worth.
#[test]
fn what_others_burned_is_not_for_who_comes_first() {
    use remuda_ledger::credits::{self, CreditsAction, Mode, OracleRules};
    let split = Split { work: Share::ALL, ..Split::default() };
    let mut epochs = rules(vec![Stream { split, ..stream() }]);
    epochs.work.kappa = Some(Share::ALL);
    let oracle = OracleRules {
        posters: vec![account_of(&reporter())],
        window: Period(0),
        ..OracleRules::default()
    };
    let credits = credits::Rules { mode: Mode::Render, oracle, ..credits::Rules::default() };
    let mut world = World::with_economy(Economy { epochs, credits, ..Economy::default() });
    // One credit for one base unit.
    let price = Credits(1_000_000_000);
    world.epoch_report(Action::Credits(CreditsAction::PostPrice { price }));
    let buy = |tokens| {
        let (tokens, credits_min) = (Tokens(tokens), Credits::ZERO);
        Action::Credits(CreditsAction::BuyCredits { tokens, credits_min })
    };
    world.done(&bob(), buy(900));
    world.done(&alice(), buy(50));
    let channel = world.open(&alice(), 50);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 50)]));
    world.now += Period::HOUR.ms();
    world.epoch_report(Action::Credits(CreditsAction::PostPrice { price }));
    world.sleep(Period::HOUR);
    assert_eq!(world.epoch_splits("main")[1].burned, Tokens(950));
    assert_eq!(world.epoch_owed(&node()), 50);
}
