//! What the histories meet.

use std::collections::BTreeMap;

use proptest::prelude::*;
use remuda_types::Credits;

use super::moves::history;
use super::{Run, economy};

/// What random histories must meet, or they would show little.
const MET: &[&str] = &[
    "applied",
    "paid",
    "returned",
    "wrong_nonce",
    "bad_signature",
    "wrong_network",
    "voucher_forged",
    "voucher_beyond_deposit",
    "channel_closed",
    "session_cap",
    "session_expired",
    "session_revoked",
    "session_limit",
    "insufficient_credits",
    "channel_limit",
    "channel_exists",
    "channel_not_over",
    "channel_ending",
    "fee_unpayable",
    "multisig_proposal_limit",
    "multisig_proposal_ended",
    "multisig_already_approved",
    "vesting_nothing",
    "vesting_not_revocable",
    "vesting_grant_limit",
    "credits_no_price",
    "credits_too_few",
    "credits_too_dear",
    "credits_refunds_off",
    "oracle_not_poster",
    "epoch_not_reporter",
    "epoch_unknown_device",
    "epoch_fact",
    "epoch_not_reported",
    "epoch_nothing_to_claim",
    "device_taken",
    "device_unknown",
    "certificate_end",
    "certificate_subject",
    "auditor_unknown",
    "licence_unknown",
    "licence_bound",
    "licence_price",
    "reward_owned",
    "governance_no_votes",
    "governance_proposal_state",
    "governance_council_phase",
    "governance_rule_broken",
    "pool_sides",
    "pool_closed",
    "points_in_team",
    "points_no_chest",
    "points_self_referral",
    "points_ended",
    "stake_nothing_to_claim",
    "stake_insufficient",
    "stake_not_jailed",
    "stake_move_between",
    "stake_no_co_stake",
    "stake_enrolled",
    "stake_not_owner",
    "stake_unknown_unbonding",
];

/// The generator reaches what the invariants are about: without this, the test above could
/// pass on histories in which everything is refused.
#[test]
fn histories_are_lively() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..1_000 {
        let history = history().new_tree(&mut runner).unwrap().current();
        let mut run = Run::new(false, economy(history.len()));
        for (pause, moves) in history {
            run.world.now += pause;
            let block = run.sign(&moves);
            for outcome in run.world.ledger.apply(run.world.now, &block).unwrap().block.outcomes {
                let name = match outcome.result() {
                    Ok(effects) if effects.earned > Credits(0) => "paid",
                    Ok(effects) if effects.returned > Credits(0) => "returned",
                    Ok(_) => "applied",
                    Err(error) => error.code(),
                };
                *seen.entry(name.into()).or_default() += 1;
            }
        }
    }
    for name in MET.iter().copied() {
        assert!(seen.contains_key(name), "never met: {name}; met: {seen:?}");
    }
}
