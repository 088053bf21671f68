//! The oracle: who posts, what counts, and when there is no price.

use super::*;

#[test]
fn only_posters_post() {
    let mut world = world(rules(Mode::Direct));
    assert_eq!(world.refused(&alice(), post(5)), "oracle_not_poster");
    assert_eq!(world.refused(&poster(0), post(0)), "zero_amount");
    assert_eq!(world.price(), None);
    world.done(&poster(0), post(5));
    assert_eq!(world.price(), Some(5));
}

#[test]
fn the_price_is_the_median_of_fresh_posts() {
    let oracle = OracleRules { posts_min: 2, ..oracle() };
    let mut world = world(Rules { oracle, ..rules(Mode::Direct) });
    world.done(&poster(0), post(100));
    assert_eq!(world.price(), None, "one post is too few");
    world.done(&poster(1), post(300));
    assert_eq!(world.price(), Some(200));
    world.now += LIFE / 2;
    world.done(&poster(2), post(900));
    assert_eq!(world.price(), Some(300));
    world.pass(LIFE / 2);
    assert_eq!(world.price(), None, "two are old");
    world.done(&poster(0), post(700));
    assert_eq!(world.price(), Some(800));
}

#[test]
fn an_outlier_does_not_count() {
    let outlier = Share::new(15_000_000).unwrap();
    let oracle = OracleRules { posts_min: 2, outlier, ..oracle() };
    let mut world = world(Rules { oracle, ..rules(Mode::Direct) });
    world.done(&poster(0), post(1_000));
    world.done(&poster(1), post(1_010));
    assert_eq!(world.price(), Some(1_005));
    world.done(&poster(2), post(5_000));
    // The median of three is 1,010; what is more than 1.5 % away is left out.
    assert_eq!(world.price(), Some(1_005));
    world.done(&poster(1), post(9_000));
    assert_eq!(world.price(), None, "they disagree: one is left beside the median");
}

#[test]
fn the_price_is_an_average_over_the_window() {
    let oracle = OracleRules { window: Period(100), ..oracle() };
    let mut world = world(Rules { oracle, ..rules(Mode::Direct) });
    world.done(&poster(0), post(100));
    assert_eq!(world.price(), Some(100));
    world.now += 50;
    world.done(&poster(0), post(300));
    assert_eq!(world.price(), Some(100), "the new price has had no time yet");
    world.pass(50);
    assert_eq!(world.price(), Some(200));
    world.pass(25);
    assert_eq!(world.price(), Some(250));
    world.pass(25);
    assert_eq!(world.price(), Some(300));
    world.pass(LIFE);
    assert_eq!(world.price(), None);
}

#[test]
fn a_gap_is_no_price_and_no_part_of_the_average() {
    let oracle = OracleRules { window: Period(10_000), sample: Period(100), ..oracle() };
    let mut world = world(Rules { oracle, ..rules(Mode::Direct) });
    world.done(&poster(0), post(100));
    world.now += 5_000;
    // In this block there is no price yet: the last sample has ended.
    let transactions = [world.sign(&poster(0), post(300)), world.sign(&alice(), buy(TOKEN, 0))];
    let applied = world.block(&transactions);
    let error = applied.block.outcomes[1].result().unwrap_err();
    assert_eq!(error.code(), "credits_no_price");
    assert!(error.is_retryable());
    world.pass(LIFE - 1);
    // 1,000 at 100 and 999 at 300, and nothing between.
    assert_eq!(world.price(), Some((100_000 + 299_700) / 1_999));
}

#[test]
fn one_sample_moves_only_so_far() {
    let oracle = OracleRules { window: Period(10), step: Share::percent(10), ..oracle() };
    let mut world = world(Rules { oracle, ..rules(Mode::Direct) });
    world.done(&poster(0), post(100));
    world.pass(20);
    let mut seen = Vec::new();
    for _ in 0..4 {
        world.done(&poster(0), post(1_000));
        world.now += 10;
        world.pass(0);
        seen.push(world.price().unwrap());
    }
    assert_eq!(seen, [110, 121, 133, 146]);
}

#[test]
fn samples_are_bounded_and_forgotten() {
    let oracle = OracleRules { window: Period(100), ..oracle() };
    let mut world = world(Rules { oracle, ..rules(Mode::Direct) });
    for round in 0..60 {
        world.now += 5;
        world.done(&poster(0), post(100 + round));
    }
    let CreditsAnswer::Samples(samples) = world.credits_query(CreditsQuery::Samples) else {
        panic!("samples")
    };
    assert!((10..=12).contains(&samples.len()), "{}", samples.len());
    world.pass(10 * LIFE);
    world.pass(1);
    assert!(matches!(world.credits_query(CreditsQuery::Samples),
        CreditsAnswer::Samples(samples) if samples.is_empty()));
    assert!(matches!(world.credits_query(CreditsQuery::Posts),
        CreditsAnswer::Posts(posts) if posts.is_empty()));
}
