//! `remuda points`, `team`, `chest` and `licence`.

use anyhow::Result;
use remuda_ledger::devices::{DevicesAction, DevicesQuery};
use remuda_ledger::points::{PointsAction, PointsQuery};
use remuda_ledger::{Action, Denomination, Query};

use super::{Step, account_or_own};
use crate::cli::{ChestCommand, LicenceCommand, PointsCommand, TeamCommand};
use crate::home::Home;

fn act(action: PointsAction) -> Step {
    Step::Act(Action::Points(action))
}

fn ask(query: PointsQuery) -> Step {
    Step::ask(Query::Points(query))
}

/// What `points` comes to.
pub(crate) fn plan(home: &Home, command: &PointsCommand) -> Result<Step> {
    Ok(match command {
        PointsCommand::Show { account } => {
            ask(PointsQuery::Account(account_or_own(home, *account)?))
        }
        PointsCommand::Book => ask(PointsQuery::Book),
        PointsCommand::Certificate => act(PointsAction::ClaimCertificate),
        PointsCommand::Invited { by } => act(PointsAction::NameInviter { inviter: *by }),
        PointsCommand::Claim => act(PointsAction::ClaimTokens),
    })
}

/// What `team` comes to.
pub(crate) fn team(command: TeamCommand) -> Step {
    match command {
        TeamCommand::Create { name } => act(PointsAction::CreateTeam { name }),
        TeamCommand::Join { team } => act(PointsAction::JoinTeam { team }),
        TeamCommand::Leave => act(PointsAction::LeaveTeam),
        TeamCommand::Ls => ask(PointsQuery::Teams),
    }
}

/// What `chest` comes to.
pub(crate) fn chest(home: &Home, command: &ChestCommand) -> Result<Step> {
    Ok(match command {
        ChestCommand::Show { account } => ask(PointsQuery::Chests(account_or_own(home, *account)?)),
        ChestCommand::Open { count } => act(PointsAction::OpenChests { count: *count }),
        ChestCommand::Odds => ask(PointsQuery::Odds),
    })
}

/// What `licence` comes to.
pub(crate) fn licence(home: &Home, command: &LicenceCommand) -> Result<Step> {
    let act = |action| Step::Act(Action::Devices(Box::new(action)));
    Ok(match *command {
        LicenceCommand::Price => Step::ask(Query::Devices(DevicesQuery::LicenceSale)),
        LicenceCommand::Buy { count, tokens, dollars, referrer } => {
            let (denomination, most) = match dollars {
                Some(dollars) => (Denomination::Credit, dollars.0.into()),
                None => (Denomination::Token, tokens.unwrap_or_default().0),
            };
            let whitelisted = false;
            act(DevicesAction::BuyLicences { count, denomination, most, whitelisted, referrer })
        }
        LicenceCommand::Ls { account } => {
            let account = account_or_own(home, account)?;
            Step::ask(Query::Devices(DevicesQuery::LicencesOf(account)))
        }
        LicenceCommand::Delegate { number, operator } => {
            act(DevicesAction::Delegate { number, operator })
        }
        LicenceCommand::Transfer { number, to } => {
            act(DevicesAction::TransferLicence { number, to })
        }
        LicenceCommand::Return { number } => act(DevicesAction::GiveBack { number }),
    })
}
