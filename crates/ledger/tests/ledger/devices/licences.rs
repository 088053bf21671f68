//! Node licences.

use remuda_ledger::devices::*;
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Action, Answer, Denomination, Purse, Query, Vault};
use remuda_types::{Credits, SecretKey, Tokens};

use super::{act, ask, fixed, rules, wait, world_with};
use crate::world::*;

/// Ten licences in two tiers, at 10 and 20 base units of either denomination.
fn licences() -> LicenceRules {
    let tier = |count, price: &str| LicenceTier { count, price: fixed(price) };
    LicenceRules {
        series: 10,
        tiers: vec![tier(4, "1"), tier(6, "2")],
        unit_tokens: Tokens(10),
        unit_credits: Credits(100),
        opens: Period(1_000),
        per_account_max: 5,
        whitelister: Some(account_of(&grantor())),
        whitelist: vec![WhitelistTier { opens: Period(0), allotment: 3, per_account_max: 2 }],
        referral_discount: Share::percent(10),
        treasury_share: Share::percent(4),
        referral_reward: Share::percent(5),
        buy_back_after: Some(Period(500)),
        buy_back_fee: Share::percent(10),
        transfer_after: Period(200),
    }
}

fn shop() -> World {
    let mut world = world_with(Rules { licences: licences(), ..rules() });
    world.block(&[]);
    world
}

fn buy(count: u32, most: u128) -> DevicesAction {
    DevicesAction::BuyLicences {
        count,
        denomination: Denomination::Token,
        most,
        whitelisted: false,
        referrer: None,
    }
}

fn whitelisted(count: u32) -> Action {
    act(DevicesAction::BuyLicences {
        count,
        denomination: Denomination::Token,
        most: u128::MAX,
        whitelisted: true,
        referrer: None,
    })
}

fn whitelist(account: &SecretKey, tier: Option<u8>) -> Action {
    act(DevicesAction::Whitelist { account: account_of(account), tier })
}

fn vault(world: &World, vault: Vault) -> Purse {
    match world.ledger.query(&Query::Vault(vault)) {
        Answer::Vault(purse) => purse,
        other => panic!("{other:?}"),
    }
}

fn licence(world: &World, number: u32) -> Option<Licence> {
    match ask(world, DevicesQuery::Licence(number)) {
        DevicesAnswer::Licence(licence) => licence,
        other => panic!("{other:?}"),
    }
}

/// Five licences cost 4 · 10 + 20 = 60.
#[test]
fn a_purchase_goes_through_the_tiers() {
    let mut world = shop();
    assert_eq!(world.refused(&alice(), act(buy(1, 100))), "licence_sale_closed");
    wait(&mut world, 1_000);
    assert_eq!(world.refused(&alice(), act(buy(0, 100))), "licence_count");
    assert_eq!(world.refused(&alice(), act(buy(65, 100))), "licence_count");
    assert_eq!(world.refused(&alice(), act(buy(6, 100))), "licence_limit");
    assert_eq!(world.refused(&alice(), act(buy(5, 59))), "licence_price");
    world.done(&alice(), act(buy(5, 60)));
    assert_eq!(world.refused(&alice(), act(buy(1, 100))), "licence_limit");
    assert_eq!(world.account(&alice()).tokens, Tokens(TOKENS - 60));
    assert_eq!(licence(&world, 3).unwrap().paid, 10);
    assert_eq!(licence(&world, 4).unwrap().paid, 20);
    // Of each 10, 4 % and 5 % are less than one unit; of 20, 5 % is 1, without a referrer the
    // treasury's.
    assert_eq!(vault(&world, Vault::Treasury).tokens, Tokens(1));
    assert_eq!(vault(&world, Vault::Licences).tokens, Tokens(59));
    assert_eq!(world.refused(&key(40), act(buy(1, 100))), "insufficient_tokens");
    world.done(&bob(), act(buy(5, 100)));
    assert_eq!(world.refused(&key(40), act(buy(1, 100))), "licence_limit");
    match ask(&world, DevicesQuery::LicenceSale) {
        DevicesAnswer::LicenceSale(Some(sale)) => assert_eq!(sale.sold, 10),
        other => panic!("{other:?}"),
    }
}

#[test]
fn credits_pay_too_and_a_referrer_earns() {
    let mut world = shop();
    wait(&mut world, 1_000);
    let referred = |referrer: &SecretKey| {
        act(DevicesAction::BuyLicences {
            count: 1,
            denomination: Denomination::Credit,
            most: 1_000,
            whitelisted: false,
            referrer: Some(account_of(referrer)),
        })
    };
    assert_eq!(world.refused(&bob(), referred(&alice())), "licence_referrer");
    world.done(&alice(), act(buy(1, 100)));
    assert_eq!(world.refused(&alice(), referred(&alice())), "licence_referrer");
    world.done(&bob(), referred(&alice()));
    // 100 less 10 %; of the 90, 5 % (4) are the referrer's and 4 % (3) the treasury's.
    assert_eq!(licence(&world, 1).unwrap().paid, 90);
    assert_eq!(world.account(&bob()).credits, Credits(CREDITS - 90));
    assert_eq!(world.account(&alice()).earned, Credits(4));
    assert_eq!(vault(&world, Vault::Treasury).credits, Credits(3));
    assert_eq!(vault(&world, Vault::Licences).credits, Credits(83));
    let none = LicenceRules { unit_credits: Credits::ZERO, ..licences() };
    let mut world = world_with(Rules { licences: none, ..rules() });
    wait(&mut world, 1_000);
    world.done(&alice(), act(buy(1, 100)));
    assert_eq!(world.refused(&bob(), referred(&alice())), "licence_denomination");
}

#[test]
fn the_whitelist_buys_before_the_others() {
    let mut world = shop();
    assert_eq!(world.refused(&alice(), whitelist(&alice(), Some(0))), "licence_not_whitelister");
    assert_eq!(world.refused(&grantor(), whitelist(&alice(), Some(1))), "licence_not_whitelister");
    assert_eq!(world.refused(&alice(), whitelisted(1)), "licence_sale_closed");
    world.done(&grantor(), whitelist(&alice(), Some(0)));
    world.done(&grantor(), whitelist(&bob(), Some(0)));
    assert_eq!(world.refused(&alice(), whitelisted(3)), "licence_limit");
    world.done(&alice(), whitelisted(2));
    // The tier has one left.
    assert_eq!(world.refused(&bob(), whitelisted(2)), "licence_limit");
    world.done(&bob(), whitelisted(1));
    world.done(&grantor(), whitelist(&key(40), Some(0)));
    world.done(&grantor(), whitelist(&key(40), None));
    assert_eq!(world.refused(&key(40), whitelisted(1)), "licence_sale_closed");
    wait(&mut world, 1_000);
    world.done(&alice(), act(buy(5, 100)));
}

#[test]
fn a_licence_is_delegated_moved_and_given_back() {
    let mut world = shop();
    wait(&mut world, 1_000);
    world.done(&alice(), act(buy(5, 60)));
    let operator = Some(node().public());
    let delegate = || act(DevicesAction::Delegate { number: 4, operator });
    assert_eq!(world.refused(&bob(), delegate()), "licence_unknown");
    world.done(&alice(), delegate());
    let of_operator = || DevicesQuery::LicencesOfOperator(node().public());
    assert!(matches!(ask(&world, of_operator()), DevicesAnswer::Licences(l) if l.len() == 1));
    let transfer =
        |to: &SecretKey| act(DevicesAction::TransferLicence { number: 4, to: account_of(to) });
    assert_eq!(world.refused(&alice(), transfer(&bob())), "licence_bound");
    wait(&mut world, 200);
    world.done(&alice(), transfer(&bob()));
    assert_eq!(ask(&world, of_operator()), DevicesAnswer::Licences(vec![]));
    let give_back = || act(DevicesAction::GiveBack { number: 4 });
    assert_eq!(world.refused(&bob(), give_back()), "licence_bound");
    wait(&mut world, 300);
    assert_eq!(world.refused(&alice(), give_back()), "licence_unknown");
    world.done(&bob(), give_back());
    // 20 less 10 %; the reserve held 19, so that 1 more goes to the treasury.
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS + 18));
    assert_eq!(vault(&world, Vault::Treasury).tokens, Tokens(2));
    assert_eq!(vault(&world, Vault::Licences).tokens, Tokens(40));
    assert_eq!(licence(&world, 4), None);
    let of_owner = ask(&world, DevicesQuery::LicencesOf(account_of(&alice())));
    assert!(matches!(of_owner, DevicesAnswer::Licences(found) if found.len() == 4));
    let never = LicenceRules { buy_back_after: None, ..licences() };
    let mut world = world_with(Rules { licences: never, ..rules() });
    wait(&mut world, 1_000);
    world.done(&alice(), act(buy(1, 60)));
    let give_back = act(DevicesAction::GiveBack { number: 0 });
    assert_eq!(world.refused(&alice(), give_back), "licence_no_buy_back");
}
