//! Certificates: who states what about whom, until when; and auditors with their bonds.

use std::collections::BTreeSet;

use remuda_types::{AccountId, TimestampMs};

use super::actions::check_attributes;
use super::{
    AUDIT_TIER_MAX, Auditor, Certificate, CertificateRules, DevicesError, Statement, Subject,
};
use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::money::{Holder, Vault};
use crate::state::{Row, State};

/// The most ended certificates that one block forgets; the others go in the next ones.
const FORGET_PER_BLOCK_MAX: usize = 512;

/// Where the bonds of auditors lie.
const BONDS: Holder = Holder::Vault(Vault::Auditors);

impl State {
    fn put_certificate(&mut self, certificate: Certificate) {
        let name = (certificate.issuer, certificate.serial);
        self.write(Row::Certificate(name, Some(certificate)));
    }

    /// The certificates about a subject, at most as many as the rules allow.
    pub(crate) fn certificates_about(
        &self,
        subject: &Subject,
    ) -> impl Iterator<Item = &Certificate> {
        let names = self.indexes.devices.certificates_about.get(subject).into_iter().flatten();
        names.filter_map(|name| self.tables.certificates.get(name))
    }

    /// The highest tier for which enough auditors vouch: an audit of a higher tier vouches for
    /// the lower ones too. 0: nobody does (L0).
    pub(crate) fn audit_tier(
        &self,
        subject: &Subject,
        now: TimestampMs,
        rules: &CertificateRules,
    ) -> u8 {
        let audits = self.certificates_about(subject).filter(|audit| audit.holds(now));
        let audits = audits.filter_map(|audit| Some((audit.issuer, audit.tier()?)));
        let audits: BTreeSet<(AccountId, u8)> = audits.collect();
        let agreed = |tier: u8| {
            let vouching = audits.iter().filter(|(_, found)| *found >= tier);
            let auditors: BTreeSet<_> = vouching.map(|(auditor, _)| *auditor).collect();
            let needed = rules.tier_auditors.get(usize::from(tier) - 1).copied();
            needed.is_some_and(|needed| auditors.len() >= needed as usize)
        };
        (1..=AUDIT_TIER_MAX).rev().find(|tier| agreed(*tier)).unwrap_or(0)
    }
}

/// An account states something about a subject.
pub(super) fn certify(
    state: &mut State,
    context: &Context<'_>,
    serial: u64,
    (subject, statement): (Subject, &Statement),
    valid_until: TimestampMs,
) -> Verdict {
    let rules = &context.economy.devices.certificates;
    let issuer = context.account();
    if state.tables.certificates.contains_key(&(issuer, serial)) {
        return Err(DevicesError::SerialTaken { serial }.into());
    }
    check_statement(state, context, &subject, statement)?;
    let latest = context.now.saturating_add(validity(rules, statement)?);
    if valid_until <= context.now || valid_until > latest {
        return Err(DevicesError::CertificateEnd { now: context.now, latest }.into());
    }
    if matches!(statement, Statement::Audit { .. }) {
        end_former_audit(state, issuer, &subject, context.now);
    }
    check_room(state, rules, &issuer, &subject)?;
    let mut certificate = Certificate {
        issuer,
        serial,
        subject,
        statement: statement.clone(),
        issued_at: context.now,
        valid_until,
        revoked_at: None,
        is_void: false,
    };
    certificate.is_void = void_disagreeing(state, &certificate, context.now, rules);
    state.put_certificate(certificate);
    Ok(Effects::default())
}

fn validity(rules: &CertificateRules, statement: &Statement) -> Result<u64, DevicesError> {
    let Statement::Audit { tier, .. } = statement else { return Ok(rules.validity_max.ms()) };
    let index = usize::from(*tier).checked_sub(1);
    let period = index.and_then(|index| rules.tier_validity.get(index));
    period.map(|period| period.ms()).ok_or(DevicesError::CertificateTier { most: AUDIT_TIER_MAX })
}

/// Whether the issuer may say this about the subject, and the subject is there.
fn check_statement(
    state: &State,
    context: &Context<'_>,
    subject: &Subject,
    statement: &Statement,
) -> Result<(), TransactionError> {
    let issuer = context.account();
    let owners = owners(state, subject)?;
    let holds = match statement {
        Statement::Transport { .. } => owners.contains(&issuer),
        Statement::Attestation { .. } => true,
        Statement::Audit { attributes, .. } => {
            check_attributes(attributes)?;
            check_auditor(state, context, &issuer)?;
            !owners.contains(&issuer)
        }
    };
    if holds { Ok(()) } else { Err(DevicesError::CertificateSubject.into()) }
}

/// The accounts that a subject is, or belongs to.
fn owners(state: &State, subject: &Subject) -> Result<[AccountId; 2], TransactionError> {
    let node = match subject {
        Subject::Account(account) => return Ok([*account; 2]),
        Subject::Node(node) => *node,
        Subject::Device(fingerprint) => {
            let device = state.tables.devices.get(fingerprint);
            device.ok_or(DevicesError::UnknownDevice)?.provider
        }
    };
    Ok([node.into(), state.reward_account(&node)])
}

fn check_auditor(
    state: &State,
    context: &Context<'_>,
    account: &AccountId,
) -> Result<(), DevicesError> {
    let needed = context.economy.devices.certificates.auditor_bond;
    let bonded = |auditor: &Auditor| auditor.free_at.is_none() && auditor.bond >= needed;
    if needed.is_zero() || state.tables.auditors.get(account).is_some_and(bonded) {
        return Ok(());
    }
    Err(DevicesError::NotAuditor)
}

/// An auditor's new audit of a subject takes the place of its former one.
fn end_former_audit(state: &mut State, issuer: AccountId, subject: &Subject, now: TimestampMs) {
    let former = state
        .certificates_about(subject)
        .filter(|former| former.issuer == issuer && former.tier().is_some() && former.holds(now));
    let former: Vec<Certificate> = former.cloned().collect();
    for certificate in former {
        state.put_certificate(Certificate { revoked_at: Some(now), ..certificate });
    }
}

fn check_room(
    state: &State,
    rules: &CertificateRules,
    issuer: &AccountId,
    subject: &Subject,
) -> Result<(), DevicesError> {
    let indexes = &state.indexes.devices;
    let about = indexes.certificates_about.get(subject).map_or(0, BTreeSet::len);
    let by = indexes.certificates_by.get(issuer).map_or(0, BTreeSet::len);
    for (count, most) in [(about, rules.per_subject_max), (by, rules.per_issuer_max)] {
        if is_full(count, most) {
            return Err(DevicesError::CertificateLimit { most });
        }
    }
    Ok(())
}

/// Where two auditors' tiers differ by more than the rules allow, both audits are void: at
/// least one of them is wrong, and the ledger cannot say which (AEP-86). Whether `new` is.
fn void_disagreeing(
    state: &mut State,
    new: &Certificate,
    now: TimestampMs,
    rules: &CertificateRules,
) -> bool {
    let Some(tier) = new.tier() else { return false };
    let most = rules.tier_disagreement_max;
    let disagrees = |other: &&Certificate| {
        other.holds(now) && other.tier().is_some_and(|found| found.abs_diff(tier) > most)
    };
    let others = state.certificates_about(&new.subject).filter(disagrees);
    let others: Vec<Certificate> = others.cloned().collect();
    let is_void = !others.is_empty();
    for other in others {
        state.put_certificate(Certificate { is_void: true, ..other });
    }
    is_void
}

/// An issuer takes a certificate back. It is remembered until it would have ended.
pub(super) fn revoke(state: &mut State, context: &Context<'_>, serial: u64) -> Verdict {
    let found = state.tables.certificates.get(&(context.account(), serial));
    let live = found.filter(|found| found.revoked_at.is_none()).cloned();
    let live = live.ok_or(DevicesError::UnknownCertificate { serial })?;
    state.put_certificate(Certificate { revoked_at: Some(context.now), ..live });
    Ok(Effects::default())
}

/// Every block: certificates that have ended are forgotten.
pub(crate) fn forget_expired(state: &mut State, cycle: &Cycle) -> Result<(), TransactionError> {
    let ended = state.indexes.devices.certificates_until.iter();
    let ended = ended.take_while(|(until, ..)| *until <= cycle.now).take(FORGET_PER_BLOCK_MAX);
    let ended: Vec<_> = ended.map(|(_, issuer, serial)| (*issuer, *serial)).collect();
    for name in ended {
        state.write(Row::Certificate(name, None));
    }
    Ok(())
}

/// An account locks the bond.
pub(super) fn become_auditor(state: &mut State, context: &Context<'_>) -> Verdict {
    let account = context.account();
    if state.tables.auditors.contains_key(&account) {
        return Err(DevicesError::AuditorExists.into());
    }
    let bond = context.economy.devices.certificates.auditor_bond;
    if bond.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    state.move_tokens(Holder::Account(account), BONDS, bond)?;
    state.write(Row::Auditor(account, Some(Auditor { bond, free_at: None })));
    Ok(Effects::default())
}

/// An auditor leaves.
pub(super) fn leave_auditors(state: &mut State, context: &Context<'_>) -> Verdict {
    let account = context.account();
    let auditor = state.tables.auditors.get(&account).filter(|auditor| auditor.free_at.is_none());
    let auditor = auditor.cloned().ok_or(DevicesError::NotAuditor)?;
    let cooldown = context.economy.devices.certificates.auditor_cooldown.ms();
    let free_at = Some(context.now.saturating_add(cooldown));
    state.write(Row::Auditor(account, Some(Auditor { free_at, ..auditor })));
    Ok(Effects::default())
}

/// A former auditor takes its bond.
pub(super) fn take_bond(state: &mut State, context: &Context<'_>) -> Verdict {
    let account = context.account();
    let auditor = state.tables.auditors.get(&account).cloned();
    let auditor = auditor.ok_or(DevicesError::NotAuditor)?;
    if auditor.free_at.is_none_or(|free_at| context.now < free_at) {
        return Err(DevicesError::AuditorBonded.into());
    }
    state.move_tokens(BONDS, Holder::Account(account), auditor.bond)?;
    state.write(Row::Auditor(account, None));
    Ok(Effects::default())
}
