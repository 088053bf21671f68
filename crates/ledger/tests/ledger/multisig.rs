//! Accounts of several keys.

use remuda_ledger::accounts::{
    AccountsAction, AccountsAnswer, AccountsQuery, Multisig, MultisigPolicy, MultisigProposal,
    MultisigProposalId, MultisigStatus, SealedAction,
};
use remuda_ledger::{Action, Answer, Economy, Query};
use remuda_types::{AccountId, SecretKey, TimestampMs, Tokens};

use crate::world::*;

/// What the account holds at the start.
const FUNDS: u128 = 500;

fn carol() -> SecretKey {
    key(3)
}

fn policy(threshold: u16) -> MultisigPolicy {
    MultisigPolicy::new([alice(), bob(), carol()].map(|key| key.public()), threshold)
}

fn create(policy: &MultisigPolicy) -> Action {
    Action::Accounts(AccountsAction::CreateMultisig { policy: policy.clone() })
}

fn propose(account: AccountId, action: &Action, expires_at: TimestampMs) -> Action {
    let action = SealedAction::seal(action).unwrap();
    Action::Accounts(AccountsAction::Propose { account, action, expires_at })
}

fn approve(account: AccountId, number: u64) -> Action {
    let proposal = MultisigProposalId { account, number };
    Action::Accounts(AccountsAction::Approve { proposal })
}

fn cancel(account: AccountId, number: u64) -> Action {
    let proposal = MultisigProposalId { account, number };
    Action::Accounts(AccountsAction::Cancel { proposal })
}

fn pay(amount: u128) -> Action {
    Action::Transfer { to: account_of(&key(40)), amount: Tokens(amount) }
}

fn proposals(world: &World, account: AccountId) -> Vec<MultisigProposal> {
    match world.ledger.query(&Query::Accounts(AccountsQuery::Proposals(account))) {
        Answer::Accounts(AccountsAnswer::Proposals(proposals)) => proposals,
        other => panic!("{other:?}"),
    }
}

fn multisigs_of(world: &World, member: &SecretKey) -> Vec<Multisig> {
    match world.ledger.query(&Query::Accounts(AccountsQuery::MultisigsOf(member.public()))) {
        Answer::Accounts(AccountsAnswer::Multisigs(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn tokens(world: &World, account: AccountId) -> u128 {
    match world.ledger.query(&Query::Account(account)) {
        Answer::Account(account) => account.tokens.0,
        other => panic!("{other:?}"),
    }
}

/// A funded two-of-three account.
fn shared(economy: Economy) -> (World, AccountId) {
    let mut world = World::with_economy(economy);
    let account = policy(2).account();
    // It can be paid before it is registered.
    world.done(&alice(), Action::Transfer { to: account, amount: Tokens(FUNDS) });
    world.done(&bob(), create(&policy(2)));
    (world, account)
}

#[test]
fn the_threshold_executes() {
    let (mut world, account) = shared(Economy::default());
    let end = world.now + 1_000;
    world.done(&alice(), propose(account, &pay(200), end));
    assert_eq!(tokens(&world, account), FUNDS);
    world.done(&carol(), approve(account, 0));
    assert_eq!(tokens(&world, account), FUNDS - 200);
    assert_eq!(world.account(&key(40)).tokens, Tokens(200));
    let executed = proposals(&world, account).remove(0);
    assert!(matches!(executed.status, MultisigStatus::Executed(_)));
    assert_eq!(executed.action.open(), Ok(pay(200)));
    assert_eq!(executed.approvals, [alice().public(), carol().public()]);
    assert_eq!(multisigs_of(&world, &carol()).len(), 1);
    assert!(multisigs_of(&world, &key(40)).is_empty());
}

#[test]
fn approvals_count_once_and_are_members() {
    let (mut world, account) = shared(Economy::default());
    let end = world.now + 1_000;
    world.done(&alice(), propose(account, &pay(200), end));
    assert_eq!(world.refused(&alice(), approve(account, 0)), "multisig_already_approved");
    assert_eq!(world.refused(&key(40), approve(account, 0)), "multisig_not_member");
    assert_eq!(world.refused(&key(40), propose(account, &pay(1), end)), "multisig_not_member");
    assert_eq!(world.refused(&bob(), approve(account, 1)), "multisig_proposal_unknown");
    let unknown = policy(3).account();
    assert_eq!(world.refused(&bob(), approve(unknown, 0)), "multisig_unknown");
    assert_eq!(world.refused(&bob(), propose(unknown, &pay(1), end)), "multisig_unknown");
    world.done(&bob(), approve(account, 0));
    assert_eq!(world.refused(&carol(), approve(account, 0)), "multisig_proposal_ended");
    assert_eq!(tokens(&world, account), FUNDS - 200);
}

#[test]
fn a_policy_has_one_name_and_bounds() {
    let mut world = World::new();
    let members = policy(2).members;
    let wrong = |members: Vec<remuda_types::PublicKey>, threshold| {
        create(&MultisigPolicy { members, threshold })
    };
    let reversed: Vec<_> = members.iter().rev().copied().collect();
    let twice = vec![members[0], members[0]];
    let many: Vec<_> = MultisigPolicy::new((50..90).map(|n| key(n).public()), 1).members;
    for action in [
        wrong(members.clone(), 0),
        wrong(members, 4),
        wrong(vec![], 0),
        wrong(reversed, 2),
        wrong(twice, 1),
        wrong(many, 1),
    ] {
        assert_eq!(world.refused(&alice(), action), "multisig_policy");
    }
    world.done(&key(77), create(&policy(2)));
    assert_eq!(world.refused(&alice(), create(&policy(2))), "multisig_exists");
    assert_ne!(policy(2).account(), policy(3).account());
}

#[test]
fn what_fails_is_recorded_and_not_tried_again() {
    let (mut world, account) = shared(Economy::default());
    let end = world.now + 1_000;
    world.done(&alice(), propose(account, &pay(FUNDS + 1), end));
    world.done(&bob(), approve(account, 0));
    let failed = proposals(&world, account).remove(0);
    let MultisigStatus::Failed(error) = failed.status else { panic!("{failed:?}") };
    assert_eq!(error.code(), "insufficient_tokens");
    assert_eq!(tokens(&world, account), FUNDS);
    world.done(&alice(), Action::Transfer { to: account, amount: Tokens(10) });
    assert_eq!(world.refused(&carol(), approve(account, 0)), "multisig_proposal_ended");
}

#[test]
fn a_single_approval_may_be_enough() {
    let mut world = World::new();
    let account = policy(1).account();
    world.done(&bob(), create(&policy(1)));
    world.done(&bob(), Action::Transfer { to: account, amount: Tokens(9) });
    let end = world.now + 1;
    world.done(&carol(), propose(account, &pay(9), end));
    assert_eq!(world.account(&key(40)).tokens, Tokens(9));
}

#[test]
fn proposals_end() {
    let (mut world, account) = shared(Economy::default());
    let (now, life) = (world.now, Economy::default().accounts.multisig.life_max.ms());
    for end in [0, now, now + life + 1, u64::MAX] {
        assert_eq!(
            world.refused(&alice(), propose(account, &pay(1), end)),
            "multisig_proposal_end"
        );
    }
    world.done(&alice(), propose(account, &pay(1), now + 100));
    world.done(&alice(), propose(account, &pay(2), now + life));
    assert_eq!(world.refused(&bob(), cancel(account, 0)), "multisig_not_proposer");
    world.now += 100;
    // The block in which it is over refuses approvals, and ends it.
    let late = world.send(&bob(), approve(account, 0)).unwrap_err();
    assert_eq!(late.code(), "multisig_proposal_ended");
    assert_eq!(proposals(&world, account)[0].status, MultisigStatus::Expired);
    world.done(&alice(), cancel(account, 1));
    assert_eq!(proposals(&world, account)[1].status, MultisigStatus::Cancelled);
    assert_eq!(world.refused(&alice(), cancel(account, 1)), "multisig_proposal_ended");
    assert_eq!(tokens(&world, account), FUNDS);
}

#[test]
fn open_and_remembered_proposals_are_bounded() {
    let mut economy = Economy::default();
    economy.accounts.multisig.open_max = 2;
    economy.accounts.multisig.history_max = 3;
    let (mut world, account) = shared(economy);
    let end = world.now + 1_000;
    world.done(&alice(), propose(account, &pay(1), end));
    world.done(&alice(), propose(account, &pay(1), end));
    assert_eq!(world.refused(&bob(), propose(account, &pay(1), end)), "multisig_proposal_limit");
    for number in 1..6 {
        world.done(&bob(), approve(account, number));
        world.done(&alice(), propose(account, &pay(1), end));
    }
    let kept: Vec<u64> = proposals(&world, account).iter().map(|p| p.id.number).collect();
    assert_eq!(kept, [0, 3, 4, 5, 6]);
    assert_eq!(world.refused(&carol(), approve(account, 1)), "multisig_proposal_unknown");
}

#[test]
fn approvals_do_not_nest() {
    let account = policy(2).account();
    let inner = propose(account, &pay(1), 5);
    let keys = [
        inner.clone(),
        approve(account, 0),
        cancel(account, 0),
        create(&policy(1)),
        open_channel([0; 32], &node(), 5, 9),
        Action::DeregisterProvider,
    ];
    for action in &keys {
        let error = SealedAction::seal(action).unwrap_err();
        assert_eq!(error.code(), "multisig_not_proposable");
    }
    let name = "x".repeat(5_000);
    let (manifest, licence) = (Default::default(), "MIT".into());
    let long = Action::RegisterModel { name, manifest, kinds: vec![], licence };
    assert_eq!(SealedAction::seal(&long).unwrap_err().code(), "multisig_not_proposable");

    // Sealed by hand, it is refused by the ledger.
    let (mut world, account) = shared(Economy::default());
    let bytes = borsh::to_vec(&borsh::to_vec(&inner).unwrap()).unwrap();
    let garbage = borsh::to_vec(&vec![255_u8; 9]).unwrap();
    for bytes in [bytes, garbage] {
        let action: SealedAction = borsh::from_slice(&bytes).unwrap();
        let expires_at = world.now + 5;
        let action = Action::Accounts(AccountsAction::Propose { account, action, expires_at });
        assert_eq!(world.refused(&alice(), action), "multisig_not_proposable");
    }
}

/// Reading goes one level deep, however deep the bytes nest.
#[test]
fn deep_nesting_is_read_flat() {
    let mut bytes = borsh::to_vec(&pay(1)).unwrap();
    for _ in 0..20_000 {
        let action: SealedAction = borsh::from_slice(&borsh::to_vec(&bytes).unwrap()).unwrap();
        let account = policy(2).account();
        let outer = AccountsAction::Propose { account, action, expires_at: 5 };
        bytes = borsh::to_vec(&Action::Accounts(outer)).unwrap();
        if bytes.len() > 1 << 20 {
            break;
        }
    }
    let action: Action = borsh::from_slice(&bytes).unwrap();
    assert!(format!("{action:?}").len() > bytes.len());
}

#[test]
fn it_acts_as_any_account_does() {
    let (mut world, account) = shared(Economy::default());
    let end = world.now + 1_000;
    let session = create_session(&session_key(), 5, world.now + 500);
    world.done(&alice(), propose(account, &session, end));
    world.done(&bob(), approve(account, 0));
    assert_eq!(world.session(&session_key()).unwrap().account, account);
    // A member alone has no power over what belongs to the account.
    let revoke = Action::RevokeSession { session: session_key().public() };
    assert_eq!(world.refused(&alice(), revoke.clone()), "not_session_owner");
    world.done(&carol(), propose(account, &revoke, end));
    world.done(&bob(), approve(account, 1));
    assert!(world.session(&session_key()).unwrap().revoked);
    // And the account has none over what belongs to a member.
    let grant = Action::GrantCredits { to: account, amount: remuda_types::Credits(5) };
    world.done(&alice(), propose(account, &grant, end));
    world.done(&bob(), approve(account, 2));
    let last = proposals(&world, account).pop().unwrap();
    assert!(matches!(last.status, MultisigStatus::Failed(error) if error.code() == "not_grantor"));
}
