//! The pool and the buy-back.

use super::*;

fn market() -> Rules {
    let (share, slippage) = (Share::percent(10), Share::percent(5));
    Rules {
        pool: PoolRules { enabled: true, fee: Share::percent(1) },
        buy_back: BuyBackRules { share, period: Period::DAY, slippage },
        ..rules()
    }
}

fn sell(tokens: u128, least: u64) -> Action {
    act(GovernanceAction::Sell { tokens: Tokens(tokens), least: Credits(least) })
}

/// A pool of 200 tokens and 4,000 credits.
fn seeded(rules: Rules) -> World {
    let mut world = world_with(rules);
    fund(&mut world, &alice(), 2, Denomination::Token);
    fund(&mut world, &bob(), 10, Denomination::Credit);
    let seed = |tokens, credits| ProposalKind::SeedPool {
        tokens: Tokens(tokens),
        credits: Credits(credits),
    };
    assert_eq!(world.refused(&bob(), propose(seed(200, 0))), "pool_sides");
    assert_eq!(world.refused(&bob(), propose(seed(201, 1))), "governance_spend_limit");
    world.done(&bob(), propose(seed(200, 4_000)));
    pass(&mut world, 0);
    world
}

#[test]
fn accounts_sell_tokens_for_earned_credits() {
    let mut world = seeded(Rules { buy_back: BuyBackRules::default(), ..market() });
    assert_eq!(vault(&world, Vault::Pool).credits, Credits(4_000));
    assert_eq!(world.refused(&bob(), sell(0, 0)), "zero_amount");
    // 100 less the fee of 1; 4,000 · 99 / 299 = 1,324.4.
    let quote = ask(&world, GovernanceQuery::Quote(Tokens(100)));
    assert_eq!(quote, GovernanceAnswer::Quote(Some(Credits(1_324))));
    assert_eq!(world.refused(&bob(), sell(100, 1_325)), "pool_price");
    assert_eq!(world.done(&bob(), sell(100, 1_324)).earned, Credits(1_324));
    assert_eq!(world.account(&bob()).earned, Credits(1_324));
    assert_eq!((pool(&world).tokens, pool(&world).credits), (Tokens(300), Credits(2_676)));
    assert_eq!(world.refused(&key(40), sell(100, 0)), "insufficient_tokens");
    let mut closed = world_with(rules());
    assert_eq!(closed.refused(&bob(), sell(1, 0)), "pool_closed");
}

/// Each day 10 % of the treasury's 6,000 credits, but at most 5 % of the pool's: 200, of which
/// 2 are the fee: 200 · 198 / 4,198 = 9.4 tokens are burned, the first on the day on which the
/// pool is seeded.
#[test]
fn the_buy_back_burns_what_it_buys() {
    let mut world = seeded(market());
    let found = pool(&world);
    assert_eq!((found.bought, found.spent), (Tokens(9), Credits(200)));
    assert_eq!((found.tokens, found.credits), (Tokens(191), Credits(4_200)));
    assert_eq!(flow(&world, Flow::BuyBack), Tokens(9));
    assert_eq!(world.supply().tokens, Tokens(2 * TOKENS - 9));
    assert_eq!(vault(&world, Vault::Treasury).credits, Credits(5_800));
    let newest = outflows(&world).remove(0);
    assert_eq!((newest.reason, newest.credits), (OutflowReason::BuyBack, Credits(200)));
    let at = world.now;
    to_next(&mut world);
    assert_eq!(world.now, at + DAY);
    // 5 % of 4,200 are 210: 191 · 207 / 4,407 = 8.9.
    assert_eq!((pool(&world).bought, pool(&world).spent), (Tokens(17), Credits(410)));
    // Missed periods are not made up for.
    wait(&mut world, 10 * DAY);
    assert_eq!(outflows(&world).len(), 4);
}
