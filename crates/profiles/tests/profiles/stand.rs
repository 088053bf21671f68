//! Every profile stands, means one economy, and says something of its own.

use std::collections::BTreeSet;

use remuda_ledger::Economy;
use remuda_ledger::math::Share;
use remuda_profiles::{BUILTIN, differences, parse};
use remuda_types::Tokens;

/// The order in which they are listed: ours first.
const NAMES: [&str; 13] = [
    "remuda", "dekube", "render", "akash", "ionet", "gensyn", "aethir", "phala", "heurist",
    "filecoin", "ocean", "iotex", "helium",
];

/// All of them, or what is wrong with each that does not stand.
fn all() -> Vec<Economy> {
    let (economies, wrong): (Vec<_>, Vec<_>) = BUILTIN
        .iter()
        .map(|profile| (profile.name, profile.economy()))
        .partition(|(_, e)| e.is_ok());
    let wrong: Vec<_> =
        wrong.into_iter().map(|(name, e)| (name, e.unwrap_err().to_string())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    economies.into_iter().map(|(_, economy)| economy.unwrap()).collect()
}

#[test]
fn thirteen_economies_come_along_ours_first() {
    let names: Vec<_> = BUILTIN.iter().map(|profile| profile.name).collect();
    assert_eq!(names, NAMES);
}

#[test]
fn each_stands_and_says_what_it_is_in_one_sentence() {
    for (economy, name) in all().iter().zip(NAMES) {
        assert_eq!(economy.profile, name);
        assert!(!economy.virtual_clock, "{name} is for real networks");
        let sentences = economy.about.matches(". ").count();
        assert!(economy.about.ends_with('.') && sentences == 0, "{name}: {}", economy.about);
    }
}

#[test]
fn each_goes_through_text_and_back() {
    for economy in all() {
        let text = toml::to_string(&economy).unwrap();
        let back = parse(&text).unwrap_or_else(|error| panic!("{}: {error}", economy.profile));
        assert_eq!(back, economy);
    }
}

#[test]
fn no_number_stands_without_a_word_about_its_source() {
    for profile in BUILTIN {
        assert!(profile.text.starts_with("# "), "{} has no header", profile.name);
        let wide = profile.text.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{}", profile.name);
        for paragraph in profile.text.split("\n\n") {
            let numbers = paragraph.lines().any(states_a_number);
            assert!(!numbers || paragraph.contains("# "), "{}: {paragraph}", profile.name);
        }
    }
}

fn states_a_number(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(_, value)| value.bytes().any(|b| b.is_ascii_digit()))
}

/// What two economies differ in beside their names.
fn rules_apart(left: &Economy, right: &Economy) -> usize {
    let names = ["profile", "about", "token.symbol"];
    let found = differences(left, right);
    found.iter().filter(|difference| !names.contains(&difference.path.as_str())).count()
}

#[test]
fn no_two_are_the_same_under_different_names() {
    let all = all();
    for (index, left) in all.iter().enumerate() {
        assert!(rules_apart(left, &Economy::default()) > 0, "{} is the default", left.profile);
        for right in &all[index + 1..] {
            let apart = rules_apart(left, right);
            assert!(apart > 5, "{} and {}: {apart}", left.profile, right.profile);
        }
    }
    let symbols: BTreeSet<_> = all.iter().map(|economy| &economy.token.symbol).collect();
    assert_eq!(symbols.len(), all.len());
}

#[test]
fn allocations_come_to_the_whole() {
    let mut with = Vec::new();
    for economy in all() {
        let Some(total) = economy.token.total else { continue };
        let amounts = economy.token.amounts().unwrap();
        assert_eq!(amounts.iter().map(|part| part.0).sum::<u128>(), total.0, "{}", economy.profile);
        assert!(Some(total) <= economy.token.cap, "{}", economy.profile);
        with.push(economy.profile);
    }
    let stated = ["remuda", "dekube", "render", "ionet", "aethir", "phala", "heurist", "filecoin"];
    assert_eq!(with, stated);
}

#[test]
fn no_split_or_table_of_fees_gives_more_than_there_is() {
    for economy in all() {
        for stream in &economy.epochs.streams {
            let shares = remuda_ledger::epochs::Recipient::ALL.map(|of| stream.split.of(of));
            let sum: u64 = shares.iter().map(|share| share.billionths()).sum();
            assert_eq!(sum, Share::ALL.billionths(), "{} {}", economy.profile, stream.name);
            assert_ne!(stream.cap, Tokens::ZERO, "{} {}", economy.profile, stream.name);
        }
        for fee in [economy.escrow.fees.token, economy.escrow.fees.credit] {
            let taken = fee.burn.billionths() + fee.treasury.billionths();
            assert!(taken <= Share::ALL.billionths(), "{}", economy.profile);
        }
    }
}
