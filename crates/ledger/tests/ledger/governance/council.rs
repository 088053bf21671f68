//! Phases, and the council.

use remuda_ledger::accounts::{AccountsAction, MultisigPolicy, MultisigProposalId, SealedAction};
use remuda_ledger::governance::*;
use remuda_ledger::math::Period;
use remuda_ledger::{Account, Action, Denomination};
use remuda_types::{SecretKey, Tokens};

use super::*;

fn founders(phases: PhaseRules) -> Rules {
    let treasury = TreasuryRules {
        council: Some(account_of(&council())),
        council_cap: Tokens(150),
        council_acts: 2,
        ..TreasuryRules::default()
    };
    Rules { phases, treasury, ..rules() }
}

fn gate(providers: u32, days: u64) -> Gate {
    Gate { providers, age: Period::DAY.times(days), ..Gate::default() }
}

fn council_spend(amount: u128) -> Action {
    let to = account_of(&key(40));
    act(GovernanceAction::CouncilSpend { to, amount: Tokens(amount), memo: "work".into() })
}

#[test]
fn phases_follow_the_ledger_s_own_measures() {
    let phases = PhaseRules { growth: gate(1, 0), maturity: gate(2, 10) };
    let mut world = world_with(Rules { phases, ..rules() });
    assert_eq!(governance(&world).phase, 1);
    let register = || Action::RegisterProvider { reward: account_of(&bob()), name: "p".into() };
    world.done(&node(), register());
    wait(&mut world, DAY);
    assert_eq!(governance(&world).phase, 2);
    assert_eq!(governance(&world).phase_since, START + DAY);
    // A phase that was reached is never left.
    world.done(&node(), Action::DeregisterProvider);
    wait(&mut world, 20 * DAY);
    assert_eq!(governance(&world).phase, 2);
    world.done(&node(), register());
    world.done(&key(21), register());
    wait(&mut world, 1);
    assert_eq!(governance(&world).phase, 3);
}

#[test]
fn the_council_vetoes_and_passes_in_the_first_phase_only() {
    let phases = PhaseRules { growth: gate(0, 60), maturity: gate(0, 90) };
    let mut world = world_with(founders(phases));
    fund(&mut world, &alice(), 2, Denomination::Token);
    let veto = |proposal| act(GovernanceAction::CouncilVeto { proposal });
    let pass = |proposal| act(GovernanceAction::CouncilPass { proposal });
    world.done(&bob(), propose(ProposalKind::Text));
    world.done(&bob(), propose(change("devices.waiting", "\"1h\"")));
    world.done(&bob(), propose(spend(&bob(), 1)));
    world.done(&bob(), propose(change("governance.voting", "\"1d\"")));
    assert_eq!(world.refused(&alice(), veto(0)), "governance_not_council");
    assert_eq!(world.refused(&council(), veto(9)), "governance_unknown_proposal");
    world.done(&council(), veto(0));
    assert_eq!(status(&world, 0), ProposalStatus::CouncilVetoed);
    assert_eq!(world.account(&bob()).tokens, Tokens(TOKENS - 300));
    assert_eq!(world.refused(&council(), pass(2)), "governance_council_phase");
    assert_eq!(world.refused(&council(), pass(3)), "governance_council_phase");
    assert_eq!(world.refused(&council(), pass(0)), "governance_proposal_state");
    world.done(&council(), pass(1));
    assert_eq!(world.refused(&council(), veto(2)), "governance_council_cap");
    assert_eq!(world.ledger.next_due(), Some(START + 2 * DAY));
    to_next(&mut world);
    assert_eq!(world.ledger.economy().devices.waiting, Period::HOUR);
    wait(&mut world, 60 * DAY);
    world.done(&bob(), propose(ProposalKind::Text));
    assert_eq!(world.refused(&council(), veto(4)), "governance_council_phase");
}

/// A spend of the council waits two days in public; its period's cap is 150.
#[test]
fn the_council_spends_within_its_bounds() {
    let phases = PhaseRules { growth: gate(0, 0), maturity: gate(0, 90) };
    let mut world = world_with(founders(phases));
    fund(&mut world, &alice(), 2, Denomination::Token);
    assert_eq!(governance(&world).phase, 2);
    assert_eq!(world.refused(&alice(), council_spend(1)), "governance_not_council");
    assert_eq!(world.refused(&council(), council_spend(0)), "zero_amount");
    assert_eq!(world.refused(&council(), council_spend(151)), "governance_council_cap");
    world.done(&council(), council_spend(100));
    assert_eq!(world.refused(&council(), council_spend(51)), "governance_council_cap");
    world.done(&council(), council_spend(50));
    let cancel = |spend| act(GovernanceAction::CouncilCancel { spend });
    assert_eq!(world.refused(&alice(), cancel(1)), "governance_not_council");
    world.done(&council(), cancel(1));
    assert_eq!(world.refused(&council(), cancel(1)), "governance_unknown_spend");
    assert_eq!(world.account(&key(40)), Account::EMPTY);
    assert_eq!(world.ledger.next_due(), Some(START + 2 * DAY));
    to_next(&mut world);
    assert_eq!(world.account(&key(40)).tokens, Tokens(100));
    assert_eq!(outflows(&world)[0].reason, OutflowReason::Council(0));
    wait(&mut world, 28 * DAY);
    // The next period; but the treasury holds 100 only.
    world.done(&council(), council_spend(101));
    to_next(&mut world);
    match ask(&world, GovernanceQuery::CouncilSpends { before: None }) {
        GovernanceAnswer::CouncilSpends(spends) => {
            let found: Vec<_> = spends.iter().map(|spend| spend.status).collect();
            let expected = [SpendStatus::Failed, SpendStatus::Cancelled, SpendStatus::Paid];
            assert_eq!(found, expected);
        }
        other => panic!("{other:?}"),
    }
    wait(&mut world, 90 * DAY);
    assert_eq!(world.refused(&council(), council_spend(1)), "governance_council_phase");
}

/// Two of three founders spend together, after the council's timelock.
#[test]
fn a_council_of_several_keys_spends_together() {
    let founders = [key(41), key(42), key(43)];
    let policy = MultisigPolicy::new(founders.each_ref().map(SecretKey::public), 2);
    let account = policy.account();
    let phases = PhaseRules { growth: gate(0, 0), maturity: gate(0, 90) };
    let mut rules = self::founders(phases);
    rules.treasury.council = Some(account);
    let mut world = world_with(rules);
    fund(&mut world, &alice(), 2, Denomination::Token);
    world.done(&key(41), Action::Accounts(AccountsAction::CreateMultisig { policy }));
    let action = SealedAction::seal(&council_spend(100)).unwrap();
    let expires_at = world.now + DAY;
    let ask_all = AccountsAction::Propose { account, action, expires_at };
    world.done(&key(41), Action::Accounts(ask_all));
    assert_eq!(world.refused(&key(41), council_spend(100)), "governance_not_council");
    let proposal = MultisigProposalId { account, number: 0 };
    world.done(&key(42), Action::Accounts(AccountsAction::Approve { proposal }));
    assert_eq!(world.ledger.next_due(), Some(START + 2 * DAY));
    to_next(&mut world);
    assert_eq!(world.account(&key(40)).tokens, Tokens(100));
}
