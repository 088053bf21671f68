//! Proposals, votes, spends and trades with the pool.

use remuda_ledger::governance::{
    BuyBackRules, Choice, Gate, GovernanceAction, GovernanceAnswer, GovernanceQuery,
    ParameterChange, PhaseRules, Pool, PoolRules, ProposalKind, Rules, TreasuryRules, UpgradePlan,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Action, Answer, Denomination, Query};
use remuda_types::{AccountId, Credits, SecretKey, Tokens};

use crate::world::{World, account_of, alice, bob, grantor, key};

/// Short times and a low quorum, so that histories meet every end of a proposal.
pub(super) fn rules() -> Rules {
    Rules {
        enabled: true,
        deposit: Tokens(15),
        open_max: 4,
        voting: Period(60),
        timelock: Period(20),
        grace: Period(50),
        quorum: Share::percent(1),
        voter_cap: Share::percent(20),
        phases: PhaseRules {
            growth: Gate { age: Period(300), ..Gate::default() },
            maturity: Gate { age: Period(700), providers: 1, ..Gate::default() },
        },
        treasury: TreasuryRules {
            proposal_share: Share::percent(60),
            council: Some(account_of(&grantor())),
            council_cap: Tokens(40),
            council_period: Period(200),
            council_timelock: Period(30),
            council_acts: 3,
        },
        pool: PoolRules { enabled: true, fee: Share::percent(1) },
        buy_back: BuyBackRules {
            share: Share::percent(20),
            period: Period::SECOND,
            slippage: Share::percent(30),
        },
        ..Rules::default()
    }
}

/// What somebody tries, and who is mostly entitled to it.
pub(super) fn action(what: u8, amount: u64, to: AccountId) -> (SecretKey, Action) {
    let holder = key([1, 2][usize::from(what / 16) % 2]);
    let (proposal, tokens) = (amount % 3, Tokens((amount % 200).into()));
    let (signer, action) = match what % 16 {
        0..=3 => {
            let (title, text) = ("t".into(), "t".into());
            (holder, GovernanceAction::Propose { title, text, kind: kind(what, amount, to) })
        }
        4 => (holder, GovernanceAction::LockVotes { amount: tokens }),
        5 => (holder, GovernanceAction::UnlockVotes { amount: tokens }),
        6 => (holder, GovernanceAction::Vote { proposal, choice: Choice::No }),
        7 => (holder, GovernanceAction::Vote { proposal, choice: Choice::Veto }),
        8 => (holder, GovernanceAction::Vote { proposal, choice: Choice::Abstain }),
        9 => (holder, GovernanceAction::Execute { proposal }),
        10 => {
            let (amount, memo) = (Tokens((amount % 30).into()), "m".into());
            (grantor(), GovernanceAction::CouncilSpend { to, amount, memo })
        }
        11 if amount.is_multiple_of(4) => (grantor(), GovernanceAction::CouncilVeto { proposal }),
        11 if amount % 4 == 1 => (grantor(), GovernanceAction::CouncilPass { proposal }),
        11 => (grantor(), GovernanceAction::CouncilCancel { spend: amount % 3 }),
        12 => (holder, GovernanceAction::Sell { tokens, least: Credits(amount % 3) }),
        _ => (holder, GovernanceAction::Vote { proposal, choice: Choice::Yes }),
    };
    (signer, Action::Governance(Box::new(action)))
}

fn kind(what: u8, amount: u64, to: AccountId) -> ProposalKind {
    let part = amount % 40;
    match what / 32 {
        0 => ProposalKind::Text,
        1 | 2 => ProposalKind::SeedPool { tokens: Tokens(part.into()), credits: Credits(part) },
        3 => {
            let unit = [Denomination::Token, Denomination::Credit][usize::from(what % 2)];
            ProposalKind::Spend { to, amount: part.into(), denomination: unit }
        }
        4 => ProposalKind::Burn { amount: Tokens(part.into()) },
        5 => {
            let plan = UpgradePlan { name: "2".into(), height: amount % 50 };
            ProposalKind::Upgrade { plan }
        }
        6 => change("governance.deposit", &format!("\"0.0000000{part:02}\"")),
        _ => change("governance.threshold", &format!("\"{}%\"", amount % 110)),
    }
}

fn change(path: &str, value: &str) -> ProposalKind {
    let change = ParameterChange { path: path.into(), value: value.into() };
    ProposalKind::Change { changes: vec![change] }
}

/// What goes forward only.
pub(super) struct Measures {
    pool: Pool,
    phase: u8,
    outflows: u64,
}

/// The measures of now.
pub(super) fn measure(world: &World) -> Measures {
    let ask = |query| match world.ledger.query(&Query::Governance(query)) {
        Answer::Governance(answer) => *answer,
        other => panic!("{other:?}"),
    };
    let GovernanceAnswer::Pool(pool) = ask(GovernanceQuery::Pool) else { panic!("no pool") };
    let GovernanceAnswer::State(state) = ask(GovernanceQuery::State) else { panic!("no state") };
    let (phase, outflows) = state.map_or((0, 0), |state| (state.phase, state.next_outflow));
    Measures { pool, phase, outflows }
}

impl Measures {
    /// Checks what came after. The pool's product never falls: the pool only trades, and is
    /// only added to.
    pub(super) fn check(&self, next: &Self) {
        let product = |pool: &Pool| pool.tokens.0 * u128::from(pool.credits.0);
        assert!(product(&self.pool) <= product(&next.pool), "{:?} {:?}", self.pool, next.pool);
        assert!(self.pool.sold <= next.pool.sold && self.pool.paid <= next.pool.paid);
        assert!(self.pool.bought <= next.pool.bought && self.pool.spent <= next.pool.spent);
        assert!(self.phase <= next.phase && self.outflows <= next.outflows);
    }
}

/// Bob pays into the treasury, so that there is something to vote about, and a provider is
/// there from the start. Nodes can pay their fees.
pub(super) fn funding() -> [(SecretKey, Action); 5] {
    let buy = |count, denomination| {
        let (most, whitelisted, referrer) = (u128::MAX, false, None);
        let order = remuda_ledger::devices::DevicesAction::BuyLicences {
            count,
            denomination,
            most,
            whitelisted,
            referrer,
        };
        Action::Devices(Box::new(order))
    };
    let register = Action::RegisterProvider { reward: account_of(&bob()), name: "p".into() };
    let (tokens, credits) = (buy(20, Denomination::Token), buy(10, Denomination::Credit));
    let send = |to: u8| Action::Transfer { to: account_of(&key(to)), amount: Tokens(150) };
    [
        (bob(), tokens),
        (bob(), credits),
        (alice(), send(20)),
        (alice(), send(21)),
        (key(20), register),
    ]
}
