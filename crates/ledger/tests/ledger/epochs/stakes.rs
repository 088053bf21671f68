//! Rewards of those behind whom stake stands.

use remuda_ledger::stake::{self, Role, RoleRules, StakeAction, Subject};

use super::*;

fn act(action: StakeAction) -> Action {
    Action::Stake(Box::new(action))
}

/// A world in which a role is open, whose node is enrolled by Alice and has Bob's stake.
fn staked(role: Role, change: impl FnOnce(&mut Economy)) -> (World, Subject) {
    let open = RoleRules { open: true, minimum: Tokens(50), ..RoleRules::default() };
    let mut rules = stake::Rules { delegation: true, ..stake::Rules::default() };
    match role {
        Role::Provider => rules.provider = open,
        _ => rules.validator = open,
    }
    let mut economy =
        Economy { epochs: self::rules(vec![stream()]), stake: rules, ..Economy::default() };
    change(&mut economy);
    let mut world = World::with_economy(economy);
    world.block(&[]);
    let subject = Subject { role, operator: node().public() };
    let (owner, commission) = (account_of(&alice()), Share::ZERO);
    world.done(&node(), act(StakeAction::Enroll { role, owner, commission }));
    world.done(&alice(), act(StakeAction::Bond { subject, amount: Tokens(100) }));
    world.done(&bob(), act(StakeAction::Delegate { subject, amount: Tokens(300) }));
    (world, subject)
}

#[test]
fn capacity_is_shared_with_those_who_staked_and_weighs_only_in_good_standing() {
    let (mut world, subject) = staked(Role::Provider, |_| {});
    // The other node has no stake at all.
    world.epoch_report(report(vec![capacity(&node(), 0, "1"), capacity(&key(21), 0, "1")]));
    world.sleep(Period::HOUR);
    assert_eq!((world.epoch_owed(&node()), world.epoch_owed(&key(21))), (0, 0));
    assert_eq!(world.epoch_vault(Vault::StakeRewards), 1_000);
    world.done(&bob(), act(StakeAction::Claim { subject }));
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS - 300 + 750));
}

#[test]
fn work_counts_by_the_efficiency_of_its_provider() {
    let (mut world, _) = staked(Role::Provider, |economy| {
        economy.stake.ramp.full = Tokens(800);
        let split = Split { work: Share::ALL, ..Split::default() };
        economy.epochs.streams[0].split = split;
    });
    let channel = world.open(&alice(), 500);
    world.done(&node(), redeem(vec![voucher(&alice(), channel, 300)]));
    world.sleep(Period::HOUR);
    // 400 of 800 staked: half of 300.
    assert_eq!(world.epoch_splits("main")[0].parts[0].weight, 150);
    assert_eq!(world.epoch_vault(Vault::StakeRewards), 1_000);
}

#[test]
fn validators_weigh_by_the_stake_behind_them() {
    let split = Split {
        validators: Share::percent(40),
        delegators: Share::percent(60),
        ..Split::default()
    };
    let (mut world, _) = staked(Role::Validator, |economy| {
        economy.epochs.by_stake = true;
        economy.epochs.streams[0].split = split;
    });
    world.sleep(Period::HOUR);
    assert_eq!(world.epoch_vault(Vault::StakeRewards), 1_000);
    let weights: Vec<u128> =
        world.epoch_splits("main")[0].parts.iter().map(|part| part.weight).collect();
    assert_eq!(weights, [400, 400]);
}
