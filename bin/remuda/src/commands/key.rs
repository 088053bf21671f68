//! `remuda key`: API keys, which are seeds of capped session keys.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use remuda_chain::{LedgerClientExt, Signer};
use remuda_ledger::{Action, Session};
use remuda_types::{Credits, PublicKey, SecretKey, TimestampMs};
use serde_json::json;

use super::wallet::dollars_of;
use crate::cli::KeyCommand;
use crate::exit::{Exit, coded};
use crate::ledger_access::LedgerAccess;
use crate::output::Output;

/// A day in seconds.
const DAY_SECONDS: u64 = 86_400;

/// Runs a key command.
pub(crate) async fn run(access: &LedgerAccess, command: &KeyCommand, output: Output) -> Result<()> {
    match command {
        KeyCommand::Create { cap, days, seconds } => {
            let life = seconds.map_or(u64::from(*days) * DAY_SECONDS, u64::from);
            print_new(access, dollars_of(cap)?, life, output).await
        }
        KeyCommand::Ls => list(access, output).await,
        KeyCommand::Revoke { key } => revoke(access, key, output).await,
    }
}

/// Makes a session key of the home's wallet and returns it.
pub(crate) async fn create(
    access: &LedgerAccess,
    cap: Credits,
    life_seconds: u64,
) -> Result<(SecretKey, TimestampMs)> {
    let key = SecretKey::generate();
    let expires_at = now_ms() + life_seconds * 1000;
    let signer = Signer::new(access.ledger.clone(), access.home.wallet()?);
    let action = Action::CreateSession { session: key.public(), cap, expires_at };
    signer.send(action).await.context("the ledger did not take the new key")?;
    Ok((key, expires_at))
}

async fn print_new(
    access: &LedgerAccess,
    cap: Credits,
    life_seconds: u64,
    output: Output,
) -> Result<()> {
    let (key, expires_at) = create(access, cap, life_seconds).await?;
    let value = json!({
        "api_key": key.to_api_key(),
        "session": key.public(),
        "cap_micro_dollars": cap,
        "expires_at_ms": expires_at,
    });
    output.result(&value, || key.to_api_key());
    output.note(&format!(
        "This key can spend {cap} at most. It is shown once: keep it where only you read."
    ));
    Ok(())
}

async fn list(access: &LedgerAccess, output: Output) -> Result<()> {
    let account = access.home.wallet()?.public().into();
    let sessions = access.ledger.sessions_of(account).await?;
    output.result(&sessions, || sessions.iter().map(describe).collect::<Vec<_>>().join("\n"));
    Ok(())
}

fn describe(session: &Session) -> String {
    let state = if session.revoked {
        "revoked"
    } else if session.expires_at <= now_ms() {
        "expired"
    } else {
        "valid"
    };
    format!(
        "{}  {state}  spent {} of {}, in channels {}",
        session.session, session.spent, session.cap, session.locked
    )
}

async fn revoke(access: &LedgerAccess, key: &str, output: Output) -> Result<()> {
    let session = match SecretKey::from_api_key(key) {
        Ok(secret) => secret.public(),
        Err(_) => key.parse::<PublicKey>().map_err(|_| {
            coded(Exit::Failed, "name the key itself, or its public half from `remuda key ls`")
        })?,
    };
    let signer = Signer::new(access.ledger.clone(), access.home.wallet()?);
    let included = signer.send(Action::RevokeSession { session }).await?;
    let value = json!({ "session": session, "height": included.height });
    output.result(&value, || format!("{session} is revoked since block {}", included.height));
    Ok(())
}

/// The machine's clock in milliseconds.
pub(crate) fn now_ms() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
