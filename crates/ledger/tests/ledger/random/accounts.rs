//! What the actors of a random history try with accounts of several keys and with grants.

use proptest::prelude::*;
use remuda_ledger::accounts::{
    AccountsAction, AccountsAnswer, AccountsQuery, Allocation, MultisigPolicy, MultisigProposal,
    MultisigProposalId, Recipient, SealedAction, VestingTerms,
};
use remuda_ledger::math::{Period, Share};
use remuda_ledger::{Action, Answer, Economy, Query, SignedTransaction};
use remuda_types::{AccountId, ChannelId, Credits, SecretKey, Tokens};

use super::actor;
use crate::world::*;

/// What somebody tries. Numbers pick accounts, proposals and grants, modulo how many there are.
#[derive(Clone, Debug)]
pub(super) enum Attempt {
    Fund { policy: u8, amount: u128 },
    Create { policy: u8 },
    Propose { policy: u8, inner: u8, amount: u128, life: u64 },
    Approve { policy: u8, which: u8 },
    Cancel { policy: u8, which: u8 },
    MakeGrant { to: u8, amount: u128, terms: VestingTerms, revocable: bool },
    Claim { grant: u8 },
    Revoke { grant: u8 },
}

/// The rules with which random histories run.
pub(super) fn switch_on(economy: &mut Economy) {
    let fees = &mut economy.accounts.fees;
    (fees.target_weight, fees.burned) = (6_000, Share::percent(80));
    fees.token_price = Credits::DOLLAR;
    let multisig = &mut economy.accounts.multisig;
    (multisig.open_max, multisig.history_max) = (1, 2);
    multisig.life_max = Period(300);
    economy.accounts.vesting.grants_per_grantor_max = 1;
    let part = |name: &str, amount, to| Allocation {
        name: name.into(),
        share: None,
        amount: Some(amount),
        to,
        vesting: VestingTerms::default(),
        participants_max: None,
    };
    let vesting = VestingTerms { cliff: Period(40), parts: 7, ..VestingTerms::linear(Period(200)) };
    let caps = economy.epochs.streams.iter().map(|stream| stream.cap.0).sum();
    let parts = vec![
        Allocation { vesting, ..part("team", Tokens(1_001), Recipient::Account) },
        part("mined", Tokens(caps), Recipient::Emission),
        part("points", economy.points.conversion.pool, Recipient::Conversion),
    ];
    let total = parts.iter().filter_map(|part| part.amount).map(|amount| amount.0).sum();
    (economy.token.total, economy.token.allocations) = (Some(Tokens(total)), parts);
}

/// Two accounts of several keys, one of them with tokens.
pub(super) fn beginning(world: &World) -> Vec<SignedTransaction> {
    let fund = Action::Transfer { to: policy(1).account(), amount: Tokens(300) };
    let create = |index| Action::Accounts(AccountsAction::CreateMultisig { policy: policy(index) });
    let actions = [create(0), create(1), fund].into_iter();
    let nonce = world.nonce(&bob());
    (nonce..).zip(actions).map(|(nonce, action)| world.sign_at(&bob(), nonce, action)).collect()
}

fn members() -> [SecretKey; 3] {
    [alice(), bob(), key(50)]
}

fn policy(index: u8) -> MultisigPolicy {
    MultisigPolicy::new(members().map(|key| key.public()), u16::from(index % 3) + 1)
}

fn amount() -> impl Strategy<Value = u128> {
    prop_oneof![8 => 0..400_u128, 1 => Just(u128::MAX)]
}

fn terms() -> impl Strategy<Value = VestingTerms> {
    let numbers = (0..100_u64, 0..200_u64, 0..12_u32, 0..=100_u64);
    numbers.prop_map(|(cliff, duration, parts, percent)| VestingTerms {
        at_once: Share::percent(percent),
        cliff: Period(cliff),
        duration: Period(duration),
        parts,
    })
}

pub(super) fn attempt() -> impl Strategy<Value = Attempt> {
    let any = proptest::arbitrary::any::<u8>;
    prop_oneof![
        2 => (any(), amount()).prop_map(|(policy, amount)| Attempt::Fund { policy, amount }),
        2 => any().prop_map(|policy| Attempt::Create { policy }),
        5 => (any(), any(), amount(), 0..400_u64).prop_map(|(policy, inner, amount, life)| {
            Attempt::Propose { policy, inner, amount, life }
        }),
        4 => (any(), any()).prop_map(|(policy, which)| Attempt::Approve { policy, which }),
        1 => (any(), any()).prop_map(|(policy, which)| Attempt::Cancel { policy, which }),
        3 => (any(), amount(), terms(), prop::bool::ANY).prop_map(|(to, amount, terms, revocable)| {
            Attempt::MakeGrant { to, amount, terms, revocable }
        }),
        3 => any().prop_map(|grant| Attempt::Claim { grant }),
        1 => any().prop_map(|grant| Attempt::Revoke { grant }),
    ]
}

fn open_proposals(world: &World, account: AccountId) -> Vec<MultisigProposal> {
    match world.ledger.query(&Query::Accounts(AccountsQuery::Proposals(account))) {
        Answer::Accounts(AccountsAnswer::Proposals(proposals)) => proposals,
        other => panic!("{other:?}"),
    }
}

/// One of the kept proposals, and mostly a member who has not approved it.
fn proposal(world: &World, policy_index: u8, which: u8) -> (MultisigProposalId, SecretKey) {
    let account = policy(policy_index).account();
    let kept = open_proposals(world, account);
    let Some(proposal) = kept.get(usize::from(which) % kept.len().max(1)) else {
        return (MultisigProposalId { account, number: which.into() }, alice());
    };
    let once_more = which.is_multiple_of(3);
    let waits =
        members().into_iter().find(|key| proposal.approvals.contains(&key.public()) == once_more);
    (proposal.id, waits.unwrap_or_else(alice))
}

fn inner(kind: u8, amount: u128) -> Action {
    let to = account_of(&actor(kind));
    let (amount, grant) = (Tokens(amount), u64::from(kind));
    let action = match kind % 4 {
        0 | 1 => return Action::Transfer { to, amount },
        2 => AccountsAction::ClaimGrant { grant: grant % 8 },
        _ => return Action::ExpireChannel { channel: ChannelId::default() },
    };
    Action::Accounts(action)
}

fn grant(world: &World, pick: u8) -> u64 {
    match world.ledger.query(&Query::Accounts(AccountsQuery::Vesting)) {
        Answer::Accounts(AccountsAnswer::Vesting(all)) => u64::from(pick) % (all.grants + 1),
        other => panic!("{other:?}"),
    }
}

/// The action of an attempt, and who is entitled to it.
pub(super) fn action(world: &World, attempt: &Attempt) -> (Option<SecretKey>, Action) {
    let of_this = Action::Accounts;
    match attempt.clone() {
        Attempt::Fund { policy: index, amount } => {
            let (to, amount) = (policy(index).account(), Tokens(amount));
            (Some(alice()), Action::Transfer { to, amount })
        }
        Attempt::Create { policy: index } => {
            (Some(bob()), of_this(AccountsAction::CreateMultisig { policy: policy(index) }))
        }
        Attempt::Propose { policy: index, inner: kind, amount, life } => {
            let action = SealedAction::seal(&inner(kind, amount)).unwrap();
            let (account, expires_at) = (policy(index).account(), world.now + life);
            let propose = AccountsAction::Propose { account, action, expires_at };
            (Some(alice()), of_this(propose))
        }
        Attempt::Approve { policy, which } => {
            let (proposal, member) = proposal(world, policy, which);
            (Some(member), of_this(AccountsAction::Approve { proposal }))
        }
        Attempt::Cancel { policy, which } => {
            let (proposal, _) = proposal(world, policy, which);
            (Some(alice()), of_this(AccountsAction::Cancel { proposal }))
        }
        Attempt::MakeGrant { to, amount, terms, revocable } => {
            let (to, amount) = (account_of(&actor(to)), Tokens(amount));
            (Some(bob()), of_this(AccountsAction::MakeGrant { to, amount, terms, revocable }))
        }
        Attempt::Claim { grant: pick } => {
            (None, of_this(AccountsAction::ClaimGrant { grant: grant(world, pick) }))
        }
        Attempt::Revoke { grant: pick } => {
            (Some(bob()), of_this(AccountsAction::RevokeGrant { grant: grant(world, pick) }))
        }
    }
}
