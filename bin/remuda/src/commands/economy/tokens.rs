//! `remuda oracle` and `epoch`, and what `wallet` does with credits, grants and several keys.

use anyhow::Result;
use remuda_ledger::accounts::{
    AccountsAction, AccountsQuery, Beneficiary, MultisigPolicy, MultisigProposalId, SealedAction,
};
use remuda_ledger::credits::{CreditsAction, CreditsQuery};
use remuda_ledger::epochs::{EpochAction, EpochQuery};
use remuda_ledger::{Action, Query};
use remuda_types::{AccountId, TimestampMs};

use super::{Step, account_or_own, from_json};
use crate::cli::{EpochCommand, MultisigCommand, OracleCommand, WalletCommand};
use crate::exit::{Exit, coded};
use crate::home::Home;

/// One day in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// What `oracle` comes to.
pub(crate) fn oracle(command: &OracleCommand) -> Step {
    match command {
        OracleCommand::Post { price } => {
            Step::Act(Action::Credits(CreditsAction::PostPrice { price: *price }))
        }
        OracleCommand::Show => {
            let queries = [CreditsQuery::Status, CreditsQuery::Posts];
            Step::Ask(queries.into_iter().map(Query::Credits).collect())
        }
    }
}

/// What `epoch` comes to.
pub(crate) fn epoch(home: &Home, command: EpochCommand) -> Result<Step> {
    let ask = |query| Step::ask(Query::Epochs(query));
    Ok(match command {
        EpochCommand::Show => ask(EpochQuery::Streams),
        EpochCommand::Forecast { stream, count } => ask(EpochQuery::Forecast { stream, count }),
        EpochCommand::Splits { stream, count } => ask(EpochQuery::Splits { stream, count }),
        EpochCommand::Rewards { account } => {
            ask(EpochQuery::Rewards(account_or_own(home, account)?))
        }
        EpochCommand::Claim => Step::Act(Action::Epochs(EpochAction::ClaimRewards)),
    })
}

/// What the part of `wallet` comes to that is one action or question.
pub(crate) fn wallet(home: &Home, command: WalletCommand, now: TimestampMs) -> Result<Step> {
    let act = |action| Step::Act(Action::Accounts(action));
    Ok(match command {
        WalletCommand::Buy { tokens, least: credits_min } => {
            Step::Act(Action::Credits(CreditsAction::BuyCredits { tokens, credits_min }))
        }
        WalletCommand::Settle { dollars: credits, least: tokens_min } => {
            Step::Act(Action::Credits(CreditsAction::SettleEarned { credits, tokens_min }))
        }
        WalletCommand::Grants { account } => {
            let beneficiary = Beneficiary::Account(account_or_own(home, account)?);
            Step::ask(Query::Accounts(AccountsQuery::GrantsOf(beneficiary)))
        }
        WalletCommand::ClaimGrant { grant } => act(AccountsAction::ClaimGrant { grant }),
        WalletCommand::Multisig(command) => multisig(command, now)?,
        other => unreachable!("`wallet` runs {other:?} itself"),
    })
}

fn multisig(command: MultisigCommand, now: TimestampMs) -> Result<Step> {
    let act = |action| Step::Act(Action::Accounts(action));
    Ok(match command {
        MultisigCommand::Create { members, threshold } => {
            let policy = MultisigPolicy::new(members, threshold.into());
            act(AccountsAction::CreateMultisig { policy })
        }
        MultisigCommand::Propose { account, action, days } => {
            let action: Action = from_json("action", &action)?;
            let action = SealedAction::seal(&action)?;
            let expires_at = now.saturating_add(u64::from(days) * DAY_MS);
            act(AccountsAction::Propose { account, action, expires_at })
        }
        MultisigCommand::Show { account } => {
            let queries = [AccountsQuery::Multisig(account), AccountsQuery::Proposals(account)];
            Step::Ask(queries.into_iter().map(Query::Accounts).collect())
        }
    })
}

/// Reads `ACCOUNT/NUMBER`.
pub(super) fn proposal_id(text: &str) -> Result<MultisigProposalId> {
    let wrong = || coded(Exit::Failed, format!("{text} is not ACCOUNT/NUMBER"));
    let (account, number) = text.split_once('/').ok_or_else(wrong)?;
    let account: AccountId = account.parse().map_err(|_| wrong())?;
    Ok(MultisigProposalId { account, number: number.parse().map_err(|_| wrong())? })
}
