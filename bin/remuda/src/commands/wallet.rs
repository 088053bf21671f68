//! `remuda wallet`: an account's balances and transfers.

use anyhow::Result;
use remuda_chain::{LedgerClientExt, Signer};
use remuda_ledger::Action;
use remuda_types::{AccountId, Credits, Tokens};
use serde_json::json;

use crate::cli::WalletCommand;
use crate::commands::economy;
use crate::decimal::parse_decimal;
use crate::exit::{Exit, coded};
use crate::ledger_access::LedgerAccess;
use crate::output::Output;

/// Runs a wallet command.
pub(crate) async fn run(
    access: &LedgerAccess,
    command: WalletCommand,
    output: Output,
) -> Result<()> {
    match command {
        WalletCommand::Show { account } => {
            let account = match account {
                Some(account) => account,
                None => access.home.wallet()?.public().into(),
            };
            show(access, account, output).await
        }
        WalletCommand::Send { to, tokens } => {
            let amount = Tokens(parse_decimal(&tokens, 9)?);
            send(access, Action::Transfer { to, amount }, output).await
        }
        WalletCommand::Grant { to, dollars } => {
            let amount = dollars_of(&dollars)?;
            send(access, Action::GrantCredits { to, amount }, output).await
        }
        WalletCommand::Supply => supply(access, output).await,
        other => {
            let now = access.ledger.head().await?.time;
            let step = economy::tokens::wallet(&access.home, other, now)?;
            economy::run(access, step, output).await
        }
    }
}

/// A sum of dollars in words, as credits.
pub(crate) fn dollars_of(text: &str) -> Result<Credits> {
    let micro = u64::try_from(parse_decimal(text, 6)?)
        .map_err(|_| coded(Exit::Failed, format!("{text} dollars are more than there can be")))?;
    Ok(Credits(micro))
}

async fn show(access: &LedgerAccess, account: AccountId, output: Output) -> Result<()> {
    let balance = access.ledger.account(account).await?;
    let value = json!({
        "account": account,
        "tokens": balance.tokens.0.to_string(),
        "credits_micro_dollars": balance.credits,
        "earned_micro_dollars": balance.earned,
    });
    output.result(&value, || {
        format!(
            "account  {account}\ncredits  {}\nearned   {}\ntokens   {}",
            balance.credits, balance.earned, balance.tokens
        )
    });
    Ok(())
}

async fn send(access: &LedgerAccess, action: Action, output: Output) -> Result<()> {
    let signer = Signer::new(access.ledger.clone(), access.home.wallet()?);
    let included = signer.send(action).await?;
    let value = json!({ "height": included.height });
    output.result(&value, || format!("done in block {}", included.height));
    Ok(())
}

async fn supply(access: &LedgerAccess, output: Output) -> Result<()> {
    let supply = access.ledger.supply().await?;
    output.result(&supply, || {
        format!(
            "tokens   {}\n= minted {} - burned {}\ncredits  {}\n= to spend {} + in channels {} + \
             in vaults {} + earned {} + ended {}",
            supply.tokens,
            supply.minted,
            supply.burned,
            supply.granted,
            supply.credits,
            supply.locked,
            supply.vaulted,
            supply.earned,
            supply.retired
        )
    });
    Ok(())
}
