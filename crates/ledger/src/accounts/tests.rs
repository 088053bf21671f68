//! What other rooms call: grants by the network's own rules, and conversion.

use std::sync::Arc;

use remuda_types::{AccountId, Hash, Tokens};

use super::*;
use crate::economy::{Economy, TokenRules};
use crate::math::{Period, Share};
use crate::money::{Flow, Vault};

const NOW: u64 = 1_000;

fn account(index: u8) -> AccountId {
    AccountId(Hash([index; 32]))
}

fn state_with(economy: Economy) -> State {
    economy.validate().unwrap();
    let mut state = State::default();
    state.write(Row::Economy((), Some(Arc::new(economy))));
    state.mint_tokens(Holder::Vault(Vault::Fees), Tokens(1_000), Flow::Emission).unwrap();
    state
}

fn conversion(participants_max: u32) -> Economy {
    let activity = Allocation {
        name: "activity".into(),
        share: Some(Share::percent(100)),
        amount: None,
        to: Recipient::Conversion,
        vesting: VestingTerms::linear(Period(1_000)),
        participants_max: Some(participants_max),
    };
    let total = Some(Tokens(100));
    let token = TokenRules { total, allocations: vec![activity], ..TokenRules::default() };
    Economy { token, ..Economy::default() }
}

fn code<T>(result: Result<T, TransactionError>) -> &'static str {
    result.map(|_| ()).unwrap_err().code()
}

#[test]
fn what_a_rule_pays_with_a_delay_begins_on_the_grid_as_one_grant() {
    let mut state = state_with(Economy::default());
    let (from, terms) = (Holder::Vault(Vault::Fees), VestingTerms::linear(Period::DAY.times(45)));
    for _ in 0..3 {
        state.vest(account(1), Tokens(30), terms, NOW, from).unwrap();
    }
    state.vest(account(1), Tokens(30), terms, Period::DAY.ms() + 1, from).unwrap();
    let grants: Vec<Grant> = state.tables.grants.values().cloned().collect();
    assert_eq!(grants.len(), 2);
    assert_eq!((grants[0].amount, grants[0].starts_at), (Tokens(90), Period::DAY.ms()));
    assert_eq!((grants[1].amount, grants[1].starts_at), (Tokens(30), 2 * Period::DAY.ms()));
    assert_eq!(grants[0].claimable(NOW), Tokens::ZERO);
    assert_eq!(grants[0].claimable(Period::DAY.times(16).ms()), Tokens(30));
    audit(&state).unwrap();
}

#[test]
fn finished_grants_are_paid_on_the_way() {
    let mut state = state_with(Economy::default());
    let (from, terms) = (Holder::Vault(Vault::Fees), VestingTerms::linear(Period::DAY));
    for day in 0..20 {
        state.vest(account(1), Tokens(10), terms, Period::DAY.times(day).ms() + 1, from).unwrap();
    }
    assert!(state.tables.grants.len() <= 2, "{}", state.tables.grants.len());
    assert_eq!(state.account(&account(1)).tokens, Tokens(180));
    audit(&state).unwrap();
}

#[test]
fn terms_that_are_over_at_once_need_no_grant() {
    let mut state = state_with(Economy::default());
    let (from, terms) = (Holder::Vault(Vault::Fees), VestingTerms::default());
    state.vest(account(1), Tokens(10), terms, NOW, from).unwrap();
    assert_eq!(state.account(&account(1)).tokens, Tokens(10));
    assert!(state.tables.grants.is_empty());
    let long = VestingTerms::linear(Period::DAY);
    let short = state.vest(account(1), Tokens(5_000), long, NOW, from);
    assert_eq!(code(short), "insufficient_tokens");
}

#[test]
fn conversion_keeps_its_bounds() {
    let mut state = state_with(conversion(2));
    state.convert("activity", account(1), Tokens(40), NOW).unwrap();
    state.convert("activity", account(1), Tokens(10), NOW).unwrap();
    state.convert("activity", account(2), Tokens(20), NOW).unwrap();
    assert_eq!(code(state.convert("activity", account(3), Tokens(1), NOW)), "allocation_full");
    assert_eq!(code(state.convert("activity", account(2), Tokens(31), NOW)), "allocation_spent");
    assert_eq!(code(state.convert("other", account(2), Tokens(1), NOW)), "allocation_unknown");
    assert_eq!(code(state.convert("activity", account(2), Tokens(0), NOW)), "zero_amount");
    state.convert("activity", account(2), Tokens(30), NOW).unwrap();
    assert_eq!(code(state.convert("activity", account(2), Tokens(1), NOW)), "allocation_spent");
    assert_eq!(state.flow(Flow::Conversion), Tokens(100));
    let used = state.allocation_use("activity");
    assert_eq!(used, AllocationUse { minted: Tokens(100), participants: 2 });
    audit(&state).unwrap();
}

#[test]
fn the_first_ten_thousand_share_the_activity_allocation() {
    let mut economy = conversion(10_000);
    economy.token.total = Some(Tokens(100_000));
    let mut state = state_with(economy);
    let number = |index: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&index.to_le_bytes());
        AccountId(Hash(bytes))
    };
    for index in 0..10_000 {
        state.convert("activity", number(index), Tokens(1), NOW).unwrap();
    }
    let late = state.convert("activity", number(10_000), Tokens(1), NOW);
    assert_eq!(code(late), "allocation_full");
    audit(&state).unwrap();
}

#[test]
fn the_audit_sees_a_grant_that_nothing_backs() {
    let mut state = state_with(Economy::default());
    let terms = VestingTerms::linear(Period::DAY);
    state.vest(account(1), Tokens(10), terms, NOW, Holder::Vault(Vault::Fees)).unwrap();
    let mut grant = state.grant(0).unwrap();
    grant.amount = Tokens(11);
    state.write(Row::Grant(0, Some(grant)));
    assert!(audit(&state).is_err());
}
