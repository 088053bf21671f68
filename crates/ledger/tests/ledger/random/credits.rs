//! Prices, and trades of credits and tokens.

use remuda_ledger::Action;
use remuda_ledger::credits::{
    Breaker, CreditsAction, CreditsAnswer, CreditsQuery, Mode, OracleRules, Rules, Status,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Answer, Query};
use remuda_types::{Credits, SecretKey, Tokens};

use crate::world::{World, account_of, key};

/// Who posts prices.
const POSTERS: [u8; 3] = [1, 2, 20];

/// The rules of a history: one of the modes, and short times so that histories meet them.
pub(super) fn rules(variant: usize) -> Rules {
    let modes = [Mode::Akash, Mode::Remuda, Mode::Direct, Mode::Render];
    let mode = modes[variant % modes.len()];
    let oracle = OracleRules {
        posters: POSTERS.map(|index| account_of(&key(index))).into(),
        post_life: Period(200),
        posts_min: 1,
        outlier: Share::percent(40),
        step: Share::percent(60),
        sample: Period(10),
        window: Period(50),
        ..OracleRules::default()
    };
    Rules {
        mode,
        fee: Share::percent(3),
        fee_to_treasury: Share::percent(30),
        fee_to_checkers: Share::percent(30),
        spread: Share::percent(1),
        refunds: mode != Mode::Render,
        settle_share: Share::percent(90),
        oracle,
        ..Rules::default()
    }
}

/// What somebody tries, and who is entitled to it. A base unit of a token is worth about a
/// micro-dollar, so that small amounts trade.
pub(super) fn action(what: u8, amount: u64) -> (SecretKey, Action) {
    let (credits, tokens) = (Credits(amount), Tokens(amount.into()));
    let holder = key([1, 2][usize::from(what) % 2]);
    let (signer, action) = match what % 8 {
        0..=2 => {
            let price = Credits(500_000_000 + amount % 1_500 * 1_000_000);
            (key(POSTERS[usize::from(what / 8) % 3]), CreditsAction::PostPrice { price })
        }
        3 => {
            let credits_min = Credits(amount * u64::from(what / 8 % 2));
            (holder, CreditsAction::BuyCredits { tokens, credits_min })
        }
        4 => (holder, CreditsAction::BuyExactCredits { credits, tokens_max: Tokens(5_000) }),
        5 => {
            let earner = key([20, 21, 1, 2][usize::from(what / 8) % 4]);
            let credits = Credits(amount % 200);
            (earner, CreditsAction::SettleEarned { credits, tokens_min: Tokens::ZERO })
        }
        6 => (holder, CreditsAction::RefundCredits { credits, tokens_min: Tokens::ZERO }),
        _ => (holder, CreditsAction::FundReserve { tokens: Tokens(tokens.0 % 50) }),
    };
    (signer, Action::Credits(action))
}

/// The state of burning and minting.
pub(super) fn status(world: &World) -> Status {
    match world.ledger.query(&Query::Credits(CreditsQuery::Status)) {
        Answer::Credits(CreditsAnswer::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

/// In our own economy nothing is minted beyond what was burned, and a breaker breaks only where
/// there is one.
pub(super) fn check(world: &World) {
    let (status, economy) = (status(world), world.ledger.economy());
    let mode = economy.credits.mode;
    if mode == Mode::Remuda {
        let most = economy.credits.settle_share.of(status.burned.0);
        assert!(status.minted.0 <= most, "{status:?}");
    }
    if mode == Mode::Render {
        assert_eq!(status.minted, Tokens::ZERO);
    }
    if mode != Mode::Akash {
        assert!(matches!(status.breaker, Breaker::Healthy | Breaker::NoPrice), "{status:?}");
    }
}
