//! Accounts of several keys: a member proposes, others approve, and the approval that reaches
//! the threshold executes the action in the account's name.
//!
//! What was executed stays readable, the newest of it: every outflow is public. An approved
//! action that is refused ends its proposal all the same; nothing is ever tried again.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Hash, PublicKey, TimestampMs};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::actions::AccountsAction;
use super::records::{Multisig, MultisigProposal, MultisigProposalId, MultisigStatus};
use super::{AccountsError, Done};
use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::execute::execute;
use crate::state::{Row, State};
use crate::transaction::Action;

/// The most bytes of a proposed action.
pub const SEALED_BYTES_MAX: usize = 4_096;
/// The most proposals that one block lets expire; the rest follows in the next ones.
const EXPIRE_PER_BLOCK_MAX: usize = 256;

const ACCOUNT_DOMAIN: &str = "remuda/multisig-account/1";

/// Who may act for an account: `threshold` of the members together.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultisigPolicy {
    /// The members' keys in ascending order, each once: one policy has one name.
    pub members: Vec<PublicKey>,
    /// How many of them it takes.
    pub threshold: u16,
}

impl MultisigPolicy {
    /// A policy over these members in any order.
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = PublicKey>, threshold: u16) -> Self {
        let mut members: Vec<PublicKey> = members.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        Self { members, threshold }
    }

    /// The account that this policy rules. No key can be found that signs for it.
    #[must_use]
    pub fn account(&self) -> AccountId {
        let mut bytes = self.threshold.to_le_bytes().to_vec();
        bytes.extend(self.members.iter().flat_map(|member| member.0));
        AccountId(Hash::derive(ACCOUNT_DOMAIN, &bytes))
    }

    fn check(&self, most: u16) -> Result<(), AccountsError> {
        let members = u16::try_from(self.members.len()).unwrap_or(u16::MAX);
        let ascending = self.members.windows(2).all(|pair| pair[0] < pair[1]);
        let enough = (1..=members).contains(&self.threshold);
        if members <= most && ascending && enough {
            return Ok(());
        }
        Err(AccountsError::MultisigPolicy { most })
    }
}

/// An action inside another, as bytes: however deep somebody nests them, reading a transaction
/// goes one level deep. In JSON it is hexadecimal digits.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedAction(Vec<u8>);

impl SealedAction {
    /// Encodes an action.
    ///
    /// # Errors
    /// [`AccountsError::NotProposable`] as [`SealedAction::open`] says.
    pub fn seal(action: &Action) -> Result<Self, AccountsError> {
        let bytes = borsh::to_vec(action).map_err(|_| not_proposable("it does not encode"))?;
        let sealed = Self(bytes);
        sealed.open()?;
        Ok(sealed)
    }

    /// The action.
    ///
    /// # Errors
    /// [`AccountsError::NotProposable`] when it is too long, malformed, or one that an account
    /// of several keys cannot do.
    pub fn open(&self) -> Result<Action, AccountsError> {
        if self.0.len() > SEALED_BYTES_MAX {
            return Err(not_proposable("it has more than 4096 bytes"));
        }
        let action = borsh::from_slice(&self.0).map_err(|_| not_proposable("it is malformed"))?;
        check_kind(&action)?;
        Ok(action)
    }
}

impl fmt::Debug for SealedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open() {
            Ok(action) => action.fmt(f),
            Err(_) => f.write_str(&hex::encode(&self.0)),
        }
    }
}

impl Serialize for SealedAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for SealedAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = <String as Deserialize>::deserialize(deserializer)?;
        hex::decode(digits).map(Self).map_err(de::Error::custom)
    }
}

fn not_proposable(reason: &str) -> AccountsError {
    AccountsError::NotProposable { reason: reason.into() }
}

/// An account of several keys neither acts for another one, nor has it a key that could sign
/// vouchers or serve as a node.
fn check_kind(action: &Action) -> Result<(), AccountsError> {
    let nested = matches!(
        action,
        Action::Accounts(
            AccountsAction::CreateMultisig { .. }
                | AccountsAction::Propose { .. }
                | AccountsAction::Approve { .. }
                | AccountsAction::Cancel { .. }
        )
    );
    let of_a_key = matches!(
        action,
        Action::OpenChannel { .. }
            | Action::TopUpChannel { .. }
            | Action::Redeem { .. }
            | Action::CloseChannel { .. }
            | Action::RegisterProvider { .. }
            | Action::DeregisterProvider
    );
    match (nested, of_a_key) {
        (true, _) => Err(not_proposable("approvals do not nest")),
        (_, true) => Err(not_proposable("it takes a key of one's own")),
        _ => Ok(()),
    }
}

impl State {
    fn multisig(&self, account: AccountId) -> Result<Multisig, AccountsError> {
        let found = self.tables.multisigs.get(&account).cloned();
        found.ok_or(AccountsError::UnknownMultisig { account })
    }

    fn multisig_proposal(&self, id: MultisigProposalId) -> Result<MultisigProposal, AccountsError> {
        let MultisigProposalId { account, number } = id;
        let found = self.tables.multisig_proposals.get(&id).cloned();
        found.ok_or(AccountsError::UnknownMultisigProposal { account, number })
    }

    /// The proposals of an account, oldest first.
    pub(crate) fn proposals_of(
        &self,
        account: AccountId,
    ) -> impl Iterator<Item = &MultisigProposal> {
        let id = |number| MultisigProposalId { account, number };
        let range = self.tables.multisig_proposals.range(id(0)..=id(u64::MAX));
        range.map(|(_, proposal)| proposal)
    }

    fn put_proposal(&mut self, proposal: MultisigProposal) {
        self.write(Row::MultisigProposal(proposal.id, Some(proposal)));
    }

    /// Ends a proposal, and forgets the oldest ended one beyond what is remembered.
    fn end_proposal(
        &mut self,
        mut proposal: MultisigProposal,
        status: MultisigStatus,
        now: TimestampMs,
    ) {
        let account = proposal.id.account;
        (proposal.status, proposal.ended_at) = (status, Some(now));
        self.put_proposal(proposal);
        let most = self.economy().accounts.multisig.history_max as usize;
        let ended = |proposal: &&MultisigProposal| proposal.ended_at.is_some();
        let ended: Vec<_> =
            self.proposals_of(account).filter(ended).map(|proposal| proposal.id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(most)) {
            self.write(Row::MultisigProposal(*id, None));
        }
    }
}

/// Anyone registers an account.
pub(crate) fn create(state: &mut State, context: &Context<'_>, policy: &MultisigPolicy) -> Verdict {
    policy.check(context.economy.accounts.multisig.members_max)?;
    let account = policy.account();
    if state.tables.multisigs.contains_key(&account) {
        return Err(AccountsError::MultisigExists { account }.into());
    }
    let (policy, registered_at) = (policy.clone(), context.height);
    let multisig = Multisig { account, policy, registered_at, proposals: 0 };
    state.write(Row::Multisig(account, Some(multisig)));
    Ok(Effects::default())
}

/// A member proposes, and approves by that.
pub(crate) fn propose(
    state: &mut State,
    context: &Context<'_>,
    account: AccountId,
    action: &SealedAction,
    expires_at: TimestampMs,
) -> Verdict {
    let mut multisig = state.multisig(account)?;
    check_member(&multisig, context)?;
    action.open()?;
    check_proposable(state, context, account, expires_at)?;
    let id = MultisigProposalId { account, number: multisig.proposals };
    multisig.proposals = id.number.checked_add(1).ok_or(TransactionError::Overflow)?;
    state.write(Row::Multisig(account, Some(multisig.clone())));
    let proposal = MultisigProposal {
        id,
        proposer: context.signer,
        action: action.clone(),
        approvals: Vec::new(),
        opened_at: context.now,
        expires_at,
        ended_at: None,
        status: MultisigStatus::Open,
    };
    add_approval(state, context, &multisig, proposal)
}

fn check_member(multisig: &Multisig, context: &Context<'_>) -> Result<(), AccountsError> {
    match multisig.policy.members.binary_search(&context.signer) {
        Ok(_) => Ok(()),
        Err(_) => Err(AccountsError::NotMember { account: multisig.account }),
    }
}

fn check_proposable(
    state: &State,
    context: &Context<'_>,
    account: AccountId,
    expires_at: TimestampMs,
) -> Result<(), AccountsError> {
    let (now, rules) = (context.now, &context.economy.accounts.multisig);
    let latest = now.saturating_add(rules.life_max.ms());
    if expires_at <= now || expires_at > latest {
        return Err(AccountsError::ProposalEnd { now, latest });
    }
    let open = state.proposals_of(account).filter(|proposal| proposal.ended_at.is_none());
    if is_full(open.count(), rules.open_max) {
        return Err(AccountsError::ProposalLimit { most: rules.open_max });
    }
    Ok(())
}

/// Another member approves.
pub(crate) fn approve(state: &mut State, context: &Context<'_>, id: MultisigProposalId) -> Verdict {
    let multisig = state.multisig(id.account)?;
    check_member(&multisig, context)?;
    let proposal = open_proposal(state, context, id)?;
    if proposal.approvals.contains(&context.signer) {
        return Err(AccountsError::AlreadyApproved { number: id.number }.into());
    }
    add_approval(state, context, &multisig, proposal)
}

/// A proposal that can still be approved or taken back.
fn open_proposal(
    state: &State,
    context: &Context<'_>,
    id: MultisigProposalId,
) -> Result<MultisigProposal, AccountsError> {
    let proposal = state.multisig_proposal(id)?;
    if proposal.ended_at.is_some() || context.now >= proposal.expires_at {
        return Err(AccountsError::ProposalEnded { number: id.number });
    }
    Ok(proposal)
}

/// Counts the signer's approval, and executes at the threshold.
fn add_approval(
    state: &mut State,
    context: &Context<'_>,
    multisig: &Multisig,
    mut proposal: MultisigProposal,
) -> Verdict {
    proposal.approvals.push(context.signer);
    if proposal.approvals.len() < usize::from(multisig.policy.threshold) {
        state.put_proposal(proposal);
        return Ok(Effects::default());
    }
    let action = proposal.action.open()?;
    let mark = state.mark();
    let verdict = execute(state, &context.acting_as(multisig.account), &action);
    let status = match verdict {
        Ok(effects) => MultisigStatus::Executed(effects),
        Err(error) => {
            state.roll_back(mark);
            MultisigStatus::Failed(error)
        }
    };
    let effects = match &status {
        MultisigStatus::Executed(effects) => *effects,
        _ => Effects::default(),
    };
    state.end_proposal(proposal, status, context.now);
    Ok(effects)
}

/// The proposer takes its proposal back.
pub(crate) fn cancel(state: &mut State, context: &Context<'_>, id: MultisigProposalId) -> Verdict {
    let proposal = open_proposal(state, context, id)?;
    if proposal.proposer != context.signer {
        return Err(AccountsError::NotProposer { number: id.number }.into());
    }
    state.end_proposal(proposal, MultisigStatus::Cancelled, context.now);
    Ok(Effects::default())
}

/// Ends the proposals whose time is over, the earliest first.
pub(crate) fn expire(state: &mut State, cycle: &Cycle) -> Done {
    let over: Vec<_> = state
        .indexes
        .accounts
        .proposals_by_end
        .iter()
        .take(EXPIRE_PER_BLOCK_MAX)
        .take_while(|(expires_at, _)| *expires_at <= cycle.now)
        .map(|(_, id)| *id)
        .collect();
    for id in over {
        let proposal = state.multisig_proposal(id)?;
        state.end_proposal(proposal, MultisigStatus::Expired, cycle.now);
    }
    Ok(())
}
