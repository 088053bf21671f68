//! The ledger: clock, reward account, registration.

use std::time::Duration;

use remuda_chain::{LedgerClient, LedgerClientExt as _};
use remuda_ledger::Provider;
use remuda_types::{AccountId, NodeId};
use tokio::time::timeout;

use super::{Checkup, Finding};
use crate::shared::now_ms;

/// How long each question may take.
const ASK_WAIT: Duration = Duration::from_secs(5);
/// A clock that is behind block time by more than this is wrong.
const BEHIND_MS_MAX: u64 = 2_000;
/// Block time stands still while nothing happens; older than this says nothing of our clock.
const QUIET_MS_MAX: u64 = 10 * 60 * 1_000;

pub(super) async fn check(checkup: &Checkup) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(node), Some(reward)) = (checkup.node, checkup.reward) {
        findings.push(reward_account(node, reward));
    }
    let Some(ledger) = &checkup.ledger else {
        let detail = "no validator is configured, so nothing can be earned";
        let finding = Finding::error("ledger", "No ledger", detail);
        findings.push(finding.fix("name one: --validator <key>@<ip>:<port>"));
        return findings;
    };
    findings.push(clock(ledger.as_ref()).await);
    if let (Some(node), Some(reward)) = (checkup.node, checkup.reward) {
        findings.push(registration(ledger.as_ref(), node, reward).await);
    }
    findings
}

fn reward_account(node: NodeId, reward: AccountId) -> Finding {
    let detail = format!("earnings go to {reward}");
    if AccountId::from(node) == reward {
        let title = "The reward account is the node key";
        return Finding::warning("reward", title, detail).fix(
            "make a wallet elsewhere (`remuda wallet new`) and start with --reward ACCOUNT: \
             whoever copies this disk has the node key, and would have the earnings too",
        );
    }
    Finding::ok("reward", "Reward account", detail)
}

async fn clock(ledger: &dyn LedgerClient) -> Finding {
    let asked = timeout(ASK_WAIT, ledger.head()).await;
    let head = match asked {
        Ok(Ok(head)) => head,
        Ok(Err(error)) => return unreachable_ledger(&error.to_string()),
        Err(_) => return unreachable_ledger("no answer in time"),
    };
    clock_against(now_ms(), head.time, head.height)
}

fn clock_against(now: u64, block: u64, height: u64) -> Finding {
    let behind = block.saturating_sub(now);
    if behind > BEHIND_MS_MAX {
        let detail = format!("this machine is {behind} ms behind the time of block {height}");
        return Finding::error("clock", "The clock is wrong", detail)
            .fix("set the clock by network time: timedatectl set-ntp true");
    }
    let ahead = now.saturating_sub(block);
    if ahead > QUIET_MS_MAX {
        let detail =
            format!("block {height} is {} min old: nothing to compare with", ahead / 60_000);
        return Finding::info("clock", "The clock was not checked", detail);
    }
    let detail = format!("not behind block {height}, which is {ahead} ms old");
    Finding::ok("clock", "Clock", detail)
}

fn unreachable_ledger(reason: &str) -> Finding {
    Finding::error("ledger", "The ledger does not answer", reason)
        .fix("check the address of the validator (--validator) and that it runs")
}

async fn registration(ledger: &dyn LedgerClient, node: NodeId, reward: AccountId) -> Finding {
    match timeout(ASK_WAIT, ledger.provider(node)).await {
        Ok(Ok(known)) => registered(known.as_ref(), reward),
        Ok(Err(error)) => unreachable_ledger(&error.to_string()),
        Err(_) => unreachable_ledger("no answer in time"),
    }
}

fn registered(known: Option<&Provider>, reward: AccountId) -> Finding {
    match known {
        Some(known) if known.reward == reward => {
            let detail = format!("as {:?} since block {}", known.name, known.registered_at);
            Finding::ok("registration", "Registered", detail)
        }
        Some(known) => {
            let detail =
                format!("the ledger pays {}, the configuration says {reward}", known.reward);
            Finding::warning("registration", "Registered with another reward account", detail)
                .fix("start it (`remuda provider run`): it renews its registration by itself")
        }
        None => {
            let detail = "the ledger does not know this node yet";
            Finding::info("registration", "Not registered", detail)
                .fix("start it (`remuda provider run`): it registers by itself")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn a_clock_behind_block_time_is_an_error() {
        assert_eq!(clock_against(1_000, 9_000, 1).severity, Severity::Error);
        assert_eq!(clock_against(9_000, 9_500, 1).severity, Severity::Ok);
        assert_eq!(clock_against(9_000_000, 1_000, 1).severity, Severity::Info);
    }

    #[test]
    fn the_node_key_should_not_earn() {
        let node = remuda_types::SecretKey::from_seed([1; 32]).public();
        assert_eq!(reward_account(node, node.into()).severity, Severity::Warning);
        let other = remuda_types::SecretKey::from_seed([2; 32]).public();
        assert_eq!(reward_account(node, other.into()).severity, Severity::Ok);
    }
}
