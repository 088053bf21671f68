//! What offences cost, and where it goes.

use remuda_types::{AccountId, Credits, NodeId, TimestampMs, Tokens};

use super::{Conviction, SlashRules};
use crate::cycle::Cycle;
use crate::error::TransactionError;
use crate::math::{Share, split_by_shares};
use crate::money::{Denomination, Flow, Holder, Vault};
use crate::stake::{Charge, Offence, Risk, Role, Standing, Subject};
use crate::state::{Row, State};

/// What an offence costs of held payouts; `again` when the node was convicted not long ago.
const fn held_share(offence: Offence, rules: &SlashRules, again: bool) -> Share {
    match offence {
        Offence::StatisticalFailure if again => rules.statistical_again,
        Offence::StatisticalFailure => rules.statistical,
        Offence::FakeHardware => rules.hardware,
        _ => rules.objective,
    }
}

/// A node that is to be punished: in which role, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offender {
    pub(super) node: NodeId,
    pub(super) role: Role,
    pub(super) offence: Offence,
}

/// Who gains by a punishment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gainers {
    pub(super) reporter: Option<AccountId>,
    pub(super) affected: Option<AccountId>,
}

type Done = Result<(), TransactionError>;

impl State {
    /// Whether a node may never sell or check again.
    pub(crate) fn is_ejected(&self, node: &NodeId) -> bool {
        let ejected = |role| {
            let pool = self.tables.stake_pools.get(&Subject { role, operator: *node });
            pool.is_some_and(|pool| pool.standing == Standing::Ejected)
        };
        self.tables.convictions.get(node).is_some_and(|conviction| conviction.ejected)
            || ejected(Role::Provider)
            || ejected(Role::Checker)
    }

    /// Punishes a node for an offence, and remembers it: it loses of its held payouts, and of
    /// its stake. What costs all that is held also ejects.
    pub(super) fn punish(
        &mut self,
        offender: Offender,
        gainers: Gainers,
        now: TimestampMs,
    ) -> Done {
        let Offender { node, offence, .. } = offender;
        let economy = self.economy();
        let rules = &economy.disputes.slash;
        let before = self.tables.convictions.get(&node).cloned();
        let again = before
            .as_ref()
            .is_some_and(|before| now < before.last_at.saturating_add(rules.repeat.ms()));
        let share = held_share(offence, rules, again);
        let ejected = share == Share::ALL || before.as_ref().is_some_and(|before| before.ejected);
        let count = before.map_or(0, |before| before.count).saturating_add(1);
        self.slash_held(&node, share, gainers)?;
        self.slash_stake(offender, gainers, now)?;
        let conviction = Conviction { offence, count, last_at: now, ejected };
        self.write(Row::Conviction(node, Some(conviction)));
        if ejected && self.tables.providers.contains_key(&node) {
            self.write(Row::Provider(node, None));
        }
        Ok(())
    }

    /// Takes of a node's stake what the rules of stake say; nothing where it has none.
    fn slash_stake(&mut self, offender: Offender, gainers: Gainers, now: TimestampMs) -> Done {
        let Offender { node, role, offence } = offender;
        let subject = Subject { role, operator: node };
        if !self.tables.stake_pools.contains_key(&subject) {
            return Ok(());
        }
        let affected: Vec<(AccountId, u128)> =
            gainers.affected.into_iter().map(|account| (account, 1)).collect();
        let (at_risk, reporter) = (Risk::All, gainers.reporter);
        let affected = affected.as_slice();
        self.slash(&Charge { subject, offence, at_risk, reporter, affected, now })?;
        Ok(())
    }

    /// Takes a share of a node's held payouts.
    fn slash_held(&mut self, node: &NodeId, share: Share, gainers: Gainers) -> Done {
        let (credits, tokens) = self.cut_held(node, |amount| share.of(amount))?;
        let cuts = [(u128::from(credits.0), Denomination::Credit), (tokens.0, Denomination::Token)];
        for (amount, denomination) in cuts {
            let from = Holder::Vault(Vault::Held);
            self.split_cut(from, amount, denomination, gainers)?;
        }
        Ok(())
    }

    /// Splits a penalty: one share burns, one goes to who reported, the rest and all dust to
    /// who was harmed. The part of one who is not there burns.
    fn split_cut(
        &mut self,
        from: Holder,
        amount: u128,
        denomination: Denomination,
        Gainers { reporter, affected }: Gainers,
    ) -> Done {
        let economy = self.economy();
        let rules = &economy.disputes.slash;
        let (parts, rest) = split_by_shares(amount, &[rules.burn, rules.reporter])?;
        self.end_amount(from, parts[0], denomination, Flow::Slash)?;
        for (part, to) in
            [(parts[1], reporter.map(Holder::Earner)), (rest, affected.map(Holder::Account))]
        {
            match to {
                Some(to) => self.move_amount(from, to, part, denomination)?,
                None => self.end_amount(from, part, denomination, Flow::Slash)?,
            }
        }
        Ok(())
    }

    /// What a provider loses that took work and did not deliver it, to its buyer's good. It is
    /// no conviction.
    pub(crate) fn punish_undelivered(
        &mut self,
        node: &NodeId,
        buyer: &AccountId,
        cycle: &Cycle,
    ) -> Done {
        let share = cycle.economy.disputes.slash.undelivered;
        let gainers = Gainers { reporter: None, affected: Some(*buyer) };
        self.slash_held(node, share, gainers)?;
        let offender = Offender { node: *node, role: Role::Provider, offence: Offence::Timeout };
        self.slash_stake(offender, gainers, cycle.now)
    }

    /// Takes a share of a checker's bond, and of its stake what the rules of stake say. Of the
    /// bond one part burns, the rest goes to `winner`, or burns with it.
    pub(super) fn slash_checker(
        &mut self,
        node: &NodeId,
        offence: Offence,
        winner: Option<AccountId>,
        now: TimestampMs,
    ) -> Done {
        let economy = self.economy();
        let rules = &economy.disputes.slash;
        let share = match offence {
            Offence::MissedCheck => rules.checker_absent,
            Offence::PoisonPassed => rules.checker_poisoned,
            _ => rules.checker_lazy,
        };
        let offender = Offender { node: *node, role: Role::Checker, offence };
        self.slash_stake(offender, Gainers { reporter: None, affected: winner }, now)?;
        let Some(mut checker) = self.tables.checkers.get(node).cloned() else { return Ok(()) };
        let cut = Tokens(share.of(checker.bond.0));
        checker.bond = checker.bond.excess_over(cut);
        checker.missed = checker.missed.saturating_add(1);
        self.write(Row::Checker(*node, Some(checker)));
        self.forfeit(cut, winner)
    }

    /// A lost deposit of the vault of disputes: the winner's share, and the rest burns.
    pub(super) fn forfeit(&mut self, bond: Tokens, winner: Option<AccountId>) -> Done {
        let from = Holder::Vault(Vault::Disputes);
        let economy = self.economy();
        let share = winner.map_or(Share::ZERO, |_| economy.disputes.bond_to_winner);
        let won = Tokens(share.of(bond.0));
        if let Some(winner) = winner {
            self.move_tokens(from, Holder::Account(winner), won)?;
        }
        self.burn_tokens(from, bond.excess_over(won), Flow::Slash)
    }

    /// Pays out of the vault of disputes what was frozen: to the provider, or back.
    pub(super) fn release_frozen(
        &mut self,
        frozen: Credits,
        accused: &NodeId,
        refund: Option<AccountId>,
    ) -> Done {
        let from = Holder::Vault(Vault::Disputes);
        match refund {
            Some(payer) => self.move_credits(from, Holder::Account(payer), frozen),
            None => self.pay_earner(from, accused, frozen.0.into(), Denomination::Credit),
        }
    }
}
