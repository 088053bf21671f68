//! `remuda dao` and `treasury`.

use anyhow::Result;
use remuda_ledger::accounts::AccountsAction;
use remuda_ledger::governance::{
    Choice, GovernanceAction, GovernanceQuery, ParameterChange, ProposalKind,
};
use remuda_ledger::{Action, Denomination, Query, Vault};

use super::{Step, tokens::proposal_id};
use crate::cli::{Answer, DaoCommand, Proposal, TreasuryCommand};
use crate::exit::{Exit, coded};

fn act(action: GovernanceAction) -> Step {
    Step::Act(Action::Governance(Box::new(action)))
}

fn ask(query: GovernanceQuery) -> Query {
    Query::Governance(query)
}

/// What `dao` comes to.
pub(crate) fn plan(command: DaoCommand) -> Result<Step> {
    Ok(match command {
        DaoCommand::Propose { title, text, what } => {
            let text = text.unwrap_or_else(|| title.clone());
            act(GovernanceAction::Propose { title, text, kind: kind(what)? })
        }
        DaoCommand::Vote { proposal, answer } => {
            act(GovernanceAction::Vote { proposal, choice: choice(answer) })
        }
        DaoCommand::Lock { amount } => act(GovernanceAction::LockVotes { amount }),
        DaoCommand::Unlock { amount } => act(GovernanceAction::UnlockVotes { amount }),
        DaoCommand::Sign { proposal } => {
            let proposal = proposal_id(&proposal)?;
            Step::Act(Action::Accounts(AccountsAction::Approve { proposal }))
        }
        DaoCommand::Execute { proposal } => act(GovernanceAction::Execute { proposal }),
        DaoCommand::Ls => Step::ask(ask(GovernanceQuery::Proposals { before: None })),
        DaoCommand::Show { proposal } => Step::Ask(vec![
            ask(GovernanceQuery::Proposal(proposal)),
            ask(GovernanceQuery::Votes { proposal, after: None }),
        ]),
    })
}

fn choice(answer: Answer) -> Choice {
    match answer {
        Answer::Yes => Choice::Yes,
        Answer::No => Choice::No,
        Answer::Abstain => Choice::Abstain,
        Answer::Veto => Choice::Veto,
    }
}

fn kind(what: Proposal) -> Result<ProposalKind> {
    Ok(match what {
        Proposal::Text => ProposalKind::Text,
        Proposal::Change { changes } => ProposalKind::Change {
            changes: changes.iter().map(|text| change(text)).collect::<Result<_>>()?,
        },
        Proposal::Spend { to, amount } => {
            ProposalKind::Spend { to, amount: amount.0, denomination: Denomination::Token }
        }
        Proposal::Burn { amount } => ProposalKind::Burn { amount },
    })
}

fn change(text: &str) -> Result<ParameterChange> {
    let wrong = || coded(Exit::Failed, format!("{text} is not PATH=JSON"));
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    Ok(ParameterChange { path: path.into(), value: value.into() })
}

/// What `treasury` comes to.
pub(crate) fn treasury(command: &TreasuryCommand) -> Step {
    match command {
        TreasuryCommand::Show => Step::ask(Query::Vault(Vault::Treasury)),
        TreasuryCommand::Outflows => Step::ask(ask(GovernanceQuery::Outflows { before: None })),
        TreasuryCommand::Pool => Step::ask(ask(GovernanceQuery::Pool)),
    }
}
