//! Credits bought and settled in each mode.

mod oracle;

use remuda_ledger::accounts::{AccountsAction, VestingTerms};
use remuda_ledger::credits::{
    Breaker, BreakerRules, CreditsAction, CreditsAnswer, CreditsError, CreditsQuery, Mode,
    OracleRules, Rules, Status,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{
    Action, Answer, Economy, Flow, Genesis, GenesisAccount, Parameters, Query, Vault,
};
use remuda_types::{Credits, SecretKey, Tokens};

use crate::world::*;

/// One whole token in base units.
const TOKEN: u128 = 1_000_000_000;
/// What Alice and Bob hold in base units.
const HOLDING: u128 = 1_000_000 * TOKEN;
const LIFE: u64 = 1_000;

fn poster(index: u8) -> SecretKey {
    key(40 + index)
}

/// Three posters, and the median of the moment.
fn oracle() -> OracleRules {
    OracleRules {
        posters: (0..3).map(|index| account_of(&poster(index))).collect(),
        post_life: Period(LIFE),
        sample: Period(10),
        window: Period(0),
        ..OracleRules::default()
    }
}

fn rules(mode: Mode) -> Rules {
    Rules { mode, settle_share: Share::ALL, oracle: oracle(), ..Rules::default() }
}

/// Accounts that hold tokens and no credits.
fn world(credits: Rules) -> World {
    let economy = Economy { credits, ..Economy::default() };
    let funded = |key: SecretKey| GenesisAccount {
        account: account_of(&key),
        tokens: Tokens(HOLDING),
        credits: Credits::ZERO,
    };
    let accounts = vec![funded(alice()), funded(bob())];
    let genesis = Genesis { accounts, economy, ..genesis_with(Parameters::default()) };
    World::from_genesis(genesis)
}

fn act(action: CreditsAction) -> Action {
    Action::Credits(action)
}

fn post(price: u64) -> Action {
    act(CreditsAction::PostPrice { price: Credits(price) })
}

fn buy(tokens: u128, credits_min: u64) -> Action {
    let (tokens, credits_min) = (Tokens(tokens), Credits(credits_min));
    act(CreditsAction::BuyCredits { tokens, credits_min })
}

fn buy_exact(credits: u64, tokens_max: u128) -> Action {
    let (credits, tokens_max) = (Credits(credits), Tokens(tokens_max));
    act(CreditsAction::BuyExactCredits { credits, tokens_max })
}

fn settle(credits: u64, tokens_min: u128) -> Action {
    let (credits, tokens_min) = (Credits(credits), Tokens(tokens_min));
    act(CreditsAction::SettleEarned { credits, tokens_min })
}

fn refund(credits: u64, tokens_min: u128) -> Action {
    let (credits, tokens_min) = (Credits(credits), Tokens(tokens_min));
    act(CreditsAction::RefundCredits { credits, tokens_min })
}

impl World {
    fn credits_query(&self, query: CreditsQuery) -> CreditsAnswer {
        match self.ledger.query(&Query::Credits(query)) {
            Answer::Credits(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn price(&self) -> Option<u64> {
        match self.credits_query(CreditsQuery::Price) {
            CreditsAnswer::Price(price) => price.map(|price| price.0),
            other => panic!("{other:?}"),
        }
    }

    fn status(&self) -> Status {
        match self.credits_query(CreditsQuery::Status) {
            CreditsAnswer::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    fn vault(&self, vault: Vault) -> u128 {
        match self.ledger.query(&Query::Vault(vault)) {
            Answer::Vault(purse) => purse.tokens.0,
            other => panic!("{other:?}"),
        }
    }

    fn flow(&self, flow: Flow) -> u128 {
        match self.ledger.query(&Query::Flows) {
            Answer::Flows(flows) => {
                flows.iter().find(|(name, _)| *name == flow).map_or(0, |(_, sum)| sum.0)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Lets time pass with an empty block at its end.
    fn pass(&mut self, ms: u64) {
        self.now += ms;
        self.block(&[]);
    }

    fn set_price(&mut self, price: u64) {
        self.now += 1;
        self.done(&poster(0), post(price));
    }

    /// The payer has a provider earn `amount`.
    fn pay_provider(&mut self, payer: &SecretKey, amount: u64) {
        let channel = self.open(payer, amount);
        self.done(&node(), redeem(vec![voucher(payer, channel, amount)]));
    }
}

#[test]
fn without_a_market_nothing_is_traded() {
    let mut world = world(rules(Mode::Off));
    world.set_price(1_000_000);
    for action in [buy(TOKEN, 0), buy_exact(5, TOKEN), settle(5, 0)] {
        assert_eq!(world.refused(&alice(), action), "credits_market_off");
    }
    assert_eq!(world.refused(&alice(), refund(5, 0)), "credits_refunds_off");
    let fund = act(CreditsAction::FundReserve { tokens: Tokens(1) });
    assert_eq!(world.refused(&alice(), fund), "credits_market_off");
}

#[test]
fn without_a_price_nothing_is_traded() {
    let mut world = world(Rules { refunds: true, ..rules(Mode::Akash) });
    world.set_price(1_000_000);
    world.done(&alice(), buy(10 * TOKEN, 10_000_000));
    world.pay_provider(&alice(), 4_000_000);
    world.pass(LIFE);
    assert_eq!(world.status().breaker, Breaker::NoPrice);
    for action in [buy(TOKEN, 0), buy_exact(5, TOKEN), refund(5, 0)] {
        assert_eq!(world.refused(&alice(), action), "credits_no_price");
    }
    assert_eq!(world.refused(&node(), settle(5, 0)), "credits_no_price");
    let quote = world.credits_query(CreditsQuery::QuoteSettlement(Credits(5)));
    assert_eq!(quote, CreditsAnswer::NoQuote(CreditsError::NoPrice));
    let quote = world.credits_query(CreditsQuery::QuotePurchase(Tokens(5)));
    assert_eq!(quote, CreditsAnswer::NoQuote(CreditsError::NoPrice));
}

#[test]
fn trades_are_bounded_by_what_their_maker_accepts() {
    let mut world = world(Rules { refunds: true, ..rules(Mode::Direct) });
    world.set_price(2_000_000);
    assert_eq!(world.refused(&alice(), buy(0, 0)), "zero_amount");
    assert_eq!(world.refused(&alice(), buy_exact(0, 1)), "zero_amount");
    assert_eq!(world.refused(&alice(), buy(499, 0)), "credits_dust");
    assert_eq!(world.refused(&alice(), buy(TOKEN, 2_000_001)), "credits_too_few");
    assert_eq!(world.refused(&alice(), buy_exact(2_000_000, TOKEN - 1)), "credits_too_dear");
    assert_eq!(world.refused(&alice(), buy(HOLDING + 1, 0)), "insufficient_tokens");
    assert_eq!(world.refused(&alice(), buy(u128::MAX, 0)), "overflow");
    world.done(&alice(), buy(TOKEN, 2_000_000));
    world.done(&alice(), buy_exact(2_000_000, TOKEN));
    assert_eq!(world.refused(&alice(), refund(0, 0)), "zero_amount");
    assert_eq!(world.refused(&alice(), refund(1_000_000, TOKEN / 2 + 1)), "credits_too_few_tokens");
    assert_eq!(world.refused(&alice(), refund(4_000_001, 0)), "insufficient_credits");
    assert_eq!(world.refused(&alice(), settle(1, 0)), "insufficient_credits");
    world.done(&alice(), refund(4_000_000, 2 * TOKEN));
    assert_eq!(world.account(&alice()).tokens, Tokens(HOLDING));
    assert_eq!(world.status().outstanding, Credits::ZERO);
}

/// AEP-76's own example, through channels: 1,000 dollars at 1.14, settled at 1.50.
#[test]
fn akash_pays_from_the_reserve_first() {
    let mut world = world(rules(Mode::Akash));
    world.set_price(1_140_000);
    world.done(&alice(), buy_exact(1_000_000_000, 878 * TOKEN));
    let bought = HOLDING - world.account(&alice()).tokens.0;
    assert_eq!(bought, 877_192_982_457);
    assert_eq!(world.vault(Vault::CreditReserve), bought);
    world.pay_provider(&alice(), 1_000_000_000);
    world.set_price(1_500_000);
    world.done(&node(), settle(1_000_000_000, 0));
    assert_eq!(world.account(&node()).tokens, Tokens(666_666_666_666));
    // 210.526316 tokens stay out of circulation.
    assert_eq!(world.vault(Vault::CreditReserve), 210_526_315_791);
    assert_eq!((world.flow(Flow::Settlement), world.flow(Flow::CreditPurchase)), (0, 0));
    let status = world.status();
    assert_eq!((status.outstanding, status.ratio), (Credits::ZERO, None));
    assert_eq!(status.book.paid, Tokens(666_666_666_666));
}

/// The same, settled at 0.90: 233.918129 tokens are new.
#[test]
fn akash_mints_what_the_reserve_lacks() {
    let mut world = world(rules(Mode::Akash));
    world.set_price(1_140_000);
    world.done(&alice(), buy_exact(1_000_000_000, 878 * TOKEN));
    world.pay_provider(&alice(), 1_000_000_000);
    world.set_price(900_000);
    world.done(&node(), settle(1_000_000_000, 0));
    assert_eq!(world.account(&node()).tokens, Tokens(1_111_111_111_111));
    assert_eq!(world.vault(Vault::CreditReserve), 0);
    assert_eq!(world.flow(Flow::Settlement), 233_918_128_654);
}

#[test]
fn the_breaker_stops_buying_and_not_settling() {
    let breaker =
        BreakerRules { warned_purchase_min: Credits(50_000_000), ..BreakerRules::default() };
    let mut world = world(Rules { breaker, refunds: true, ..rules(Mode::Akash) });
    world.set_price(1_000_000);
    world.done(&alice(), buy(1_000 * TOKEN, 1_000_000_000));
    world.pay_provider(&alice(), 500_000_000);
    assert_eq!(world.status().breaker, Breaker::Healthy);
    world.set_price(940_000);
    let status = world.status();
    assert_eq!(status.breaker, Breaker::Warned);
    assert_eq!(status.ratio.unwrap().to_string(), "0.94");
    assert_eq!(world.refused(&bob(), buy(TOKEN, 0)), "credits_purchase_small");
    world.done(&bob(), buy(100 * TOKEN, 94_000_000));
    world.set_price(890_000);
    assert_eq!(world.status().breaker, Breaker::Halted);
    assert_eq!(world.refused(&bob(), buy(100 * TOKEN, 0)), "credits_halted");
    let quote = world.credits_query(CreditsQuery::QuoteExactPurchase(Credits(5)));
    assert_eq!(quote, CreditsAnswer::NoQuote(CreditsError::Halted));
    world.done(&node(), settle(1_000_000, 0));
    world.done(&alice(), refund(1_000_000, 0));
    // Above the halt but below the resume it stays stopped.
    world.set_price(920_000);
    assert_eq!(world.refused(&bob(), buy(100 * TOKEN, 0)), "credits_halted");
    let fund = act(CreditsAction::FundReserve { tokens: Tokens(20 * TOKEN) });
    world.done(&bob(), fund);
    assert_eq!(world.status().breaker, Breaker::Warned);
    world.done(&bob(), buy(100 * TOKEN, 0));
}

#[test]
fn a_fall_within_one_block_stops_buying_at_once() {
    let mut world = world(rules(Mode::Akash));
    world.set_price(1_000_000);
    world.done(&alice(), buy(1_000 * TOKEN, 0));
    let transactions = [world.sign(&poster(0), post(500_000)), world.sign(&bob(), buy(TOKEN, 0))];
    let applied = world.block(&transactions);
    assert_eq!(applied.block.outcomes[1].result().unwrap_err().code(), "credits_halted");
}

#[test]
fn the_spread_stays_in_the_reserve() {
    let spread = Share::new(2_500_000).unwrap();
    let mut world = world(Rules { spread, ..rules(Mode::Akash) });
    world.set_price(1_000_000);
    world.done(&alice(), buy(100 * TOKEN, 99_750_000));
    assert_eq!(world.account(&alice()).credits, Credits(99_750_000));
    assert_eq!(world.vault(Vault::CreditReserve), 100 * TOKEN);
    assert!(world.status().ratio.unwrap().to_string().starts_with("1.0025"));
}

/// RNP-001: a fee of 5 %, 95 % burned, and what is earned ends without payment.
#[test]
fn render_burns_for_good() {
    let rules =
        Rules { fee: Share::percent(5), fee_to_treasury: Share::ALL, ..rules(Mode::Render) };
    let mut world = world(rules);
    world.set_price(1_000_000);
    world.done(&alice(), buy(100 * TOKEN, 95_000_000));
    assert_eq!(world.flow(Flow::CreditPurchase), 95 * TOKEN);
    assert_eq!(world.vault(Vault::Treasury), 5 * TOKEN);
    world.pay_provider(&alice(), 95_000_000);
    assert_eq!(world.refused(&node(), settle(1, 1)), "credits_too_few_tokens");
    assert_eq!(world.refused(&node(), refund(1, 0)), "credits_refunds_off");
    world.done(&node(), settle(95_000_000, 0));
    assert_eq!(world.account(&node()), remuda_ledger::Account::EMPTY);
    assert_eq!(world.supply().retired, Credits(95_000_000));
    assert_eq!(world.flow(Flow::Settlement), 0);
}

#[test]
fn a_bonus_adds_credits() {
    let mut world = world(Rules { bonus: Share::percent(20), ..rules(Mode::Render) });
    world.set_price(1_000_000);
    world.done(&alice(), buy(TOKEN, 1_200_000));
    world.done(&alice(), buy_exact(1_200_000, TOKEN));
    assert_eq!(world.account(&alice()).credits, Credits(2_400_000));
}

#[test]
fn direct_settlement_keeps_the_cap() {
    let mut rules = rules(Mode::Direct);
    rules.oracle.posts_min = 1;
    let mut economy = Economy { credits: rules, ..Economy::default() };
    economy.token.cap = Some(Tokens(2 * HOLDING));
    let accounts = world(Rules::default()).genesis.accounts;
    let genesis = Genesis { accounts, economy, ..genesis_with(Parameters::default()) };
    let mut world = World::from_genesis(genesis);
    world.set_price(1_000_000);
    world.done(&alice(), buy(100 * TOKEN, 0));
    world.pay_provider(&alice(), 100_000_000);
    world.set_price(500_000);
    let earned = world.account(&node()).earned;
    assert_eq!(world.refused(&node(), settle(100_000_000, 0)), "supply_cap");
    assert_eq!(world.account(&node()).earned, earned);
    world.done(&node(), settle(50_000_000, 100 * TOKEN));
    assert_eq!(world.supply().tokens, Tokens(2 * HOLDING));
}

/// What is settled may vest, as Aethir's service fees do over 45 days.
#[test]
fn a_settlement_may_vest() {
    let settle_vesting = VestingTerms::linear(Period::DAY.times(45));
    let mut credits = rules(Mode::Direct);
    credits.settle_vesting = settle_vesting;
    credits.oracle.post_life = Period::DAY.times(90);
    let mut world = world(credits);
    world.set_price(1_000_000);
    world.done(&alice(), buy(100 * TOKEN, 0));
    world.pay_provider(&alice(), 90_000_000);
    world.done(&node(), settle(90_000_000, 90 * TOKEN));
    assert_eq!(world.account(&node()).tokens, Tokens::ZERO);
    assert_eq!(world.vault(Vault::Vesting), 90 * TOKEN);
    // Grants of one day begin together, at the day's end.
    let begin = world.now.next_multiple_of(Period::DAY.ms());
    world.now = begin + Period::DAY.times(15).ms();
    world.done(&node(), Action::Accounts(AccountsAction::ClaimGrant { grant: 0 }));
    assert_eq!(world.account(&node()).tokens, Tokens(30 * TOKEN));
}

/// In our own economy settlements never mint more than purchases burned, and each has its part
/// whoever comes first.
#[test]
fn remuda_pays_at_most_what_was_burned() {
    let mut world = world(rules(Mode::Remuda));
    world.set_price(1_000_000);
    world.done(&alice(), buy(1_000 * TOKEN, 0));
    world.pay_provider(&alice(), 600_000_000);
    // A second payer, whose credit is the last of the settlement below.
    world.done(&bob(), buy_exact(2, TOKEN));
    world.pay_provider(&bob(), 1);
    // The price halves: dollars would ask for twice as many tokens as there were.
    world.set_price(500_000);
    world.done(&node(), settle(300_000_000, 0));
    let first = world.account(&node()).tokens.0;
    world.done(&node(), settle(300_000_001, 0));
    let second = world.account(&node()).tokens.0 - first;
    assert!(second.abs_diff(first) < 1_000_000, "{first} then {second}");
    assert!(world.flow(Flow::Settlement) <= world.flow(Flow::CreditPurchase));
    // When it doubles, the dollars' worth is paid, and the rest stays burned.
    world.set_price(2_000_000);
    world.pay_provider(&alice(), 400_000_000);
    let before = world.account(&node()).tokens.0;
    world.done(&node(), settle(400_000_000, 0));
    assert_eq!(world.account(&node()).tokens.0 - before, 200 * TOKEN);
}

/// Whoever buys from itself loses the fee on each round.
#[test]
fn washing_loses_the_fee() {
    let rules = Rules {
        fee: Share::percent(1),
        fee_to_treasury: Share::percent(40),
        fee_to_checkers: Share::percent(40),
        ..rules(Mode::Remuda)
    };
    let mut world = world(rules);
    world.set_price(1_000_000);
    world.done(&alice(), buy(1_000 * TOKEN, 0));
    assert_eq!(world.vault(Vault::Treasury), 4 * TOKEN);
    assert_eq!(world.vault(Vault::CheckerFees), 4 * TOKEN);
    assert_eq!(world.flow(Flow::JobFee), 2 * TOKEN);
    world.pay_provider(&alice(), 990_000_000);
    world.done(&node(), settle(990_000_000, 0));
    assert_eq!(world.account(&node()).tokens, Tokens(990 * TOKEN));
}

/// Credits that were granted, not bought, have nothing behind them.
#[test]
fn remuda_pays_nothing_for_granted_credits() {
    let mut world = world(rules(Mode::Remuda));
    world.set_price(1_000_000);
    let to = account_of(&alice());
    world.done(&grantor(), Action::GrantCredits { to, amount: Credits(1_000) });
    world.pay_provider(&alice(), 1_000);
    assert_eq!(world.refused(&node(), settle(1_000, 0)), "credits_dust");
}

#[test]
fn a_quote_is_what_happens() {
    let mut world = world(Rules { fee: Share::percent(3), ..rules(Mode::Direct) });
    world.set_price(1_234_567);
    let tokens = Tokens(7 * TOKEN + 3);
    let CreditsAnswer::Purchase(quote) = world.credits_query(CreditsQuery::QuotePurchase(tokens))
    else {
        panic!("a quote")
    };
    world.done(&alice(), buy(tokens.0, quote.credits.0));
    assert_eq!(world.account(&alice()).credits, quote.credits);
    let wanted = Credits(5_000_001);
    let CreditsAnswer::Purchase(exact) =
        world.credits_query(CreditsQuery::QuoteExactPurchase(wanted))
    else {
        panic!("a quote")
    };
    world.done(&bob(), buy_exact(wanted.0, exact.tokens.0));
    assert_eq!(world.account(&bob()).tokens, Tokens(HOLDING - exact.tokens.0));
    world.pay_provider(&bob(), wanted.0);
    let CreditsAnswer::Settlement(paid) =
        world.credits_query(CreditsQuery::QuoteSettlement(wanted))
    else {
        panic!("a quote")
    };
    world.done(&node(), settle(wanted.0, paid.tokens.0));
    assert_eq!(world.account(&node()).tokens, paid.tokens);
}
