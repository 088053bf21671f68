//! `remuda stake`, `delegate` and `bribe`.

use anyhow::Result;
use remuda_ledger::stake::{Role, StakeAction, StakeQuery, Subject};
use remuda_ledger::{Action, Query};
use remuda_types::{NodeId, PublicKey};

use super::{Step, account_or_own};
use crate::cli::{BribeCommand, DelegateArgs, StakeCommand, StakeRole};
use crate::home::Home;

impl StakeRole {
    /// The ledger's word, and the folder of its node key.
    fn known(self) -> (Role, &'static str) {
        match self {
            Self::Provider => (Role::Provider, "provider"),
            Self::Validator => (Role::Validator, "validator"),
            Self::Checker => (Role::Checker, "checker"),
            Self::Indexer => (Role::Indexer, "indexer"),
            Self::Gateway => (Role::Gateway, "gateway"),
        }
    }

    fn subject(self, operator: PublicKey) -> Subject {
        Subject { role: self.known().0, operator }
    }
}

fn act(action: StakeAction) -> Result<Step> {
    Ok(Step::Act(Action::Stake(Box::new(action))))
}

/// What `stake` comes to.
pub(crate) fn plan(home: &Home, command: &StakeCommand) -> Result<Step> {
    match *command {
        StakeCommand::Enroll { role, commission } => {
            let (role, folder) = role.known();
            let owner = home.wallet()?.public().into();
            let action = StakeAction::Enroll { role, owner, commission };
            Ok(Step::ActAsNode(folder.into(), Action::Stake(Box::new(action))))
        }
        StakeCommand::Bond { role, operator, amount } => {
            act(StakeAction::Bond { subject: role.subject(operator), amount })
        }
        StakeCommand::Unbond { role, operator, amount } => {
            act(StakeAction::Unbond { subject: role.subject(operator), amount })
        }
        StakeCommand::Claim { role, operator } => {
            act(StakeAction::Claim { subject: role.subject(operator) })
        }
        StakeCommand::Unjail { role, operator } => {
            act(StakeAction::Unjail { subject: role.subject(operator) })
        }
        StakeCommand::Show { account } => {
            let account = account_or_own(home, account)?;
            let queries = [StakeQuery::PositionsOf(account), StakeQuery::UnbondingsOf(account)];
            Ok(Step::Ask(queries.into_iter().map(Query::Stake).collect()))
        }
        StakeCommand::Ls { role } => {
            Ok(Step::ask(Query::Stake(StakeQuery::Subjects(role.known().0))))
        }
    }
}

/// What `delegate` comes to.
pub(crate) fn delegate(args: &DelegateArgs) -> Result<Step> {
    let subject = args.role.subject(args.operator);
    act(StakeAction::Delegate { subject, amount: args.amount })
}

/// What `bribe` comes to.
pub(crate) fn bribe(command: &BribeCommand) -> Result<Step> {
    let provider = |operator: NodeId| StakeRole::Provider.subject(operator);
    match *command {
        BribeCommand::Set { operator, share } => {
            act(StakeAction::SetBribe { subject: provider(operator), share })
        }
        BribeCommand::Move { from, to, amount } => {
            act(StakeAction::Move { from: provider(from), to: provider(to), amount })
        }
    }
}
