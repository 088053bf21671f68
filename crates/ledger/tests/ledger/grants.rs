//! Allocations at genesis, and grants that vest.

use std::collections::BTreeMap;

use remuda_ledger::accounts::{
    AccountsAction, AccountsAnswer, AccountsQuery, Allocation, Beneficiary, Grant, GrantSource,
    Recipient, VestingTerms,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{
    Action, Answer, Economy, Genesis, GenesisError, Ledger, Parameters, Query, TokenRules, Vault,
};
use remuda_types::{SecretKey, Tokens};

use crate::world::*;

/// As io.net counts: 8,760 hours a year.
const MONTH: Period = Period(730 * 3_600_000);

fn part(name: &str, share: &str, to: Recipient, vesting: VestingTerms) -> Allocation {
    let share = share.parse().ok();
    Allocation { name: name.into(), share, amount: None, to, vesting, participants_max: None }
}

/// Aethir as its sources state it: what they leave out is "other".
fn aethir() -> Economy {
    let team = VestingTerms { cliff: MONTH.times(18), ..VestingTerms::linear(MONTH.times(36)) };
    let dao = VestingTerms::linear(MONTH.times(48));
    let now = VestingTerms::default();
    let allocations = vec![
        part("providers", "35%", Recipient::Emission, now),
        part("team", "17.5%", Recipient::Account, team),
        part("checkers", "15%", Recipient::Emission, now),
        part("investors", "11.75%", Recipient::Account, now),
        part("ecosystem", "8%", Recipient::Treasury, now),
        part("treasury", "6.5%", Recipient::Treasury, dao),
        part("other", "6.25%", Recipient::Other, now),
    ];
    let whole = Some(Tokens(42_000));
    let token = TokenRules { cap: whole, total: whole, allocations, ..TokenRules::default() };
    Economy { token, ..Economy::default() }
}

fn genesis(economy: Economy, roles: &[(&str, &SecretKey)]) -> Genesis {
    let roles: BTreeMap<_, _> =
        roles.iter().map(|(name, key)| ((*name).to_owned(), account_of(key))).collect();
    Genesis { accounts: vec![], roles, economy, ..genesis_with(Parameters::default()) }
}

fn grants(world: &World, of: Beneficiary) -> Vec<Grant> {
    match world.ledger.query(&Query::Accounts(AccountsQuery::GrantsOf(of))) {
        Answer::Accounts(AccountsAnswer::Grants(grants)) => grants,
        other => panic!("{other:?}"),
    }
}

fn grants_of(world: &World, key: &SecretKey) -> Vec<Grant> {
    grants(world, Beneficiary::Account(account_of(key)))
}

fn vault(world: &World, vault: Vault) -> u128 {
    match world.ledger.query(&Query::Vault(vault)) {
        Answer::Vault(purse) => purse.tokens.0,
        other => panic!("{other:?}"),
    }
}

fn make(to: &SecretKey, amount: u128, terms: VestingTerms, revocable: bool) -> Action {
    let (to, amount) = (account_of(to), Tokens(amount));
    Action::Accounts(AccountsAction::MakeGrant { to, amount, terms, revocable })
}

fn claim(grant: u64) -> Action {
    Action::Accounts(AccountsAction::ClaimGrant { grant })
}

fn revoke(grant: u64) -> Action {
    Action::Accounts(AccountsAction::RevokeGrant { grant })
}

#[test]
fn a_genesis_mints_what_is_allocated_to_somebody() {
    let world = World::from_genesis(genesis(aethir(), &[("team", &alice())]));
    world.ledger.audit().unwrap();
    // Team 7,350, investors 4,935, ecosystem 3,360, treasury 2,730; emission and other nothing.
    assert_eq!(world.supply().minted, Tokens(18_375));
    assert_eq!(vault(&world, Vault::Vesting), 7_350 + 2_730);
    // Nobody is bound to the investors' part, so it is the treasury's.
    assert_eq!(vault(&world, Vault::Treasury), 4_935 + 3_360);
    let team = grants_of(&world, &alice()).remove(0);
    assert_eq!((team.amount, team.source), (Tokens(7_350), GrantSource::Allocation("team".into())));
    assert_eq!(grants(&world, Beneficiary::Treasury).len(), 1);
    let rules = &world.genesis.economy.token;
    assert_eq!(rules.allocated_to(Recipient::Emission), Tokens(21_000));
    let Answer::Accounts(AccountsAnswer::Allocations(parts)) =
        world.ledger.query(&Query::Accounts(AccountsQuery::Allocations))
    else {
        panic!("not the allocations")
    };
    assert_eq!(parts.iter().map(|part| part.amount.0).sum::<u128>(), 42_000);
    assert_eq!(parts[6].used.minted, Tokens::ZERO);
}

#[test]
fn a_genesis_that_mints_too_much_or_names_nobody_is_refused() {
    let error = |genesis: Genesis| Ledger::new(&genesis).unwrap_err();
    let path = |genesis: Genesis| match error(genesis) {
        GenesisError::Economy(rule) => rule.path,
        other => panic!("{other}"),
    };
    let mut typo = aethir();
    typo.token.allocations[1].share = Some(Share::percent(17));
    assert_eq!(path(genesis(typo, &[])), "token.allocations");
    assert_eq!(path(genesis(aethir(), &[("nobody", &alice())])), "roles.nobody");
    assert_eq!(path(genesis(aethir(), &[("treasury", &alice())])), "roles.treasury");
    let funded = Genesis {
        accounts: genesis_with(Parameters::default()).accounts,
        ..genesis(aethir(), &[])
    };
    assert_eq!(path(funded), "token.cap");
    let mut small = aethir();
    small.token.cap = Some(Tokens(41_999));
    assert_eq!(path(genesis(small, &[])), "token.total");
}

#[test]
fn the_team_waits_eighteen_months() {
    let mut world = World::from_genesis(genesis(aethir(), &[("team", &alice())]));
    let id = grants_of(&world, &alice())[0].id;
    world.now += MONTH.times(18).ms();
    assert_eq!(world.refused(&alice(), claim(id)), "vesting_nothing");
    let mut taken = Tokens::ZERO;
    for _ in 0..36 {
        world.now += MONTH.ms();
        world.done(&alice(), claim(id));
        let tokens = world.account(&alice()).tokens;
        // 7,350 in 36 parts, each rounded down as a whole.
        assert!((204..=205).contains(&(tokens.0 - taken.0)));
        taken = tokens;
    }
    assert_eq!(taken, Tokens(7_350));
    assert_eq!(world.refused(&alice(), claim(id)), "vesting_grant_unknown");
}

#[test]
fn anyone_may_free_what_is_the_treasurys() {
    let mut world = World::from_genesis(genesis(aethir(), &[]));
    let before = vault(&world, Vault::Treasury);
    let long = grants(&world, Beneficiary::Treasury);
    assert_eq!(long.len(), 2);
    world.now += MONTH.times(24).ms();
    world.done(&key(77), claim(long[1].id));
    assert_eq!(vault(&world, Vault::Treasury), before + 2_730 / 2);
    assert_eq!(world.account(&key(77)).tokens, Tokens::ZERO);
}

#[test]
fn an_account_grants_of_its_own() {
    let mut world = World::new();
    let terms = VestingTerms { parts: 4, ..VestingTerms::linear(Period(400)) };
    world.done(&alice(), make(&bob(), 402, terms, false));
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKENS - 402));
    assert_eq!(world.refused(&bob(), claim(0)), "vesting_nothing");
    world.now += 250;
    assert_eq!(world.refused(&alice(), claim(0)), "vesting_not_beneficiary");
    assert_eq!(world.refused(&alice(), revoke(0)), "vesting_not_revocable");
    world.done(&bob(), claim(0));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 201));
    assert_eq!(world.refused(&bob(), claim(0)), "vesting_nothing");
    world.now += u64::from(u32::MAX);
    world.done(&bob(), claim(0));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 402));
    assert_eq!(world.refused(&bob(), claim(0)), "vesting_grant_unknown");
}

#[test]
fn a_revoked_grant_is_split_at_its_time() {
    let mut world = World::new();
    let terms = VestingTerms::linear(Period(300));
    world.done(&alice(), make(&bob(), 100, terms, true));
    world.done(&alice(), make(&bob(), 100, terms, true));
    world.now += 200;
    assert_eq!(world.refused(&bob(), revoke(0)), "vesting_not_revocable");
    world.done(&alice(), revoke(0));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 66));
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKENS - 100 - 66));
    assert_eq!(world.refused(&alice(), revoke(0)), "vesting_grant_unknown");
    world.now += 100;
    world.done(&alice(), revoke(1));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 166));
    assert_eq!(vault(&world, Vault::Vesting), 0);
}

#[test]
fn grants_are_bounded() {
    let mut economy = Economy::default();
    economy.accounts.vesting.grants_per_grantor_max = 2;
    let mut world = World::with_economy(economy);
    let terms = VestingTerms::linear(Period(100));
    let code = |world: &mut World, amount, terms| {
        world.refused(&alice(), make(&bob(), amount, terms, false))
    };
    assert_eq!(code(&mut world, 0, terms), "zero_amount");
    assert_eq!(code(&mut world, TOKENS + 1, terms), "insufficient_tokens");
    assert_eq!(code(&mut world, u128::MAX, terms), "insufficient_tokens");
    assert_eq!(code(&mut world, 1, VestingTerms::default()), "vesting_terms");
    assert_eq!(code(&mut world, 1, VestingTerms { parts: 101, ..terms }), "vesting_terms");
    assert_eq!(code(&mut world, 1, VestingTerms::linear(Period(u64::MAX))), "vesting_terms");
    world.done(&alice(), make(&bob(), 1, terms, false));
    world.done(&alice(), make(&bob(), 1, terms, false));
    assert_eq!(code(&mut world, 1, terms), "vesting_grant_limit");
    // The limit is the grantor's: nobody else can use it up.
    world.done(&bob(), make(&alice(), 1, terms, false));
    world.now += 100;
    world.done(&bob(), claim(0));
    world.done(&alice(), make(&bob(), 1, terms, false));
}
