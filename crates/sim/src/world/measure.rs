//! What a step brought, written down.

use std::collections::BTreeMap;

use remuda_ledger::{Flow, Vault};
use remuda_types::Tokens;

use super::World;
use crate::amounts::{from_credits, from_tokens};
use crate::assumptions::{CLASSES, DEVICES_PER_PROVIDER, TURN_DAYS};
use crate::report::Table;
use crate::statistics::{gini, quantile};

/// The reasons for which tokens are made.
const MINTS: [(Flow, &str); 4] = [
    (Flow::Genesis, "genesis"),
    (Flow::Emission, "emission"),
    (Flow::Settlement, "settlement"),
    (Flow::Conversion, "conversion"),
];
/// The reasons for which tokens end.
const BURNS: [(Flow, &str); 6] = [
    (Flow::CreditPurchase, "credit_purchase"),
    (Flow::JobFee, "job_fee"),
    (Flow::BaseFee, "base_fee"),
    (Flow::Slash, "slash"),
    (Flow::BuyBack, "buy_back"),
    (Flow::Offering, "offering"),
];

/// All that was written down, one table a subject.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) supply: Table,
    pub(crate) mint: Table,
    pub(crate) burn: Table,
    pub(crate) price: Table,
    pub(crate) income: Table,
    pub(crate) fairness: Table,
    pub(crate) treasury: Table,
    /// What had flowed when the last row was written.
    flows: BTreeMap<Flow, Tokens>,
    /// When that was.
    noted: f64,
    /// What buyers paid since then, in dollars.
    paid: f64,
}

impl History {
    pub(crate) fn new() -> Self {
        let named = |first: &[&str], rest: &[(Flow, &str)]| {
            let rest = rest.iter().map(|(_, name)| *name);
            Table::new(&first.iter().copied().chain(rest).collect::<Vec<_>>())
        };
        let classes = CLASSES.iter().map(|class| class.name.replace(' ', "_"));
        let income: Vec<String> = ["day".to_owned()]
            .into_iter()
            .chain(classes.clone().map(|name| format!("{name}_dollars_a_device_day")))
            .chain(classes.map(|name| format!("{name}_active")))
            .collect();
        Self {
            supply: Table::new(&["day", "supply", "circulating", "reserve", "vesting"]),
            mint: named(&["day"], &MINTS),
            burn: named(&["day"], &BURNS),
            price: Table::new(&["day", "price", "oracle", "wanted", "paid"]),
            income: Table { columns: income, rows: Vec::new() },
            fairness: Table::new(&["day", "gini", "longest_wait", "median_wait", "active"]),
            treasury: Table::new(&["day", "tokens", "credits", "dollars"]),
            flows: BTreeMap::new(),
            noted: 0.0,
            paid: 0.0,
        }
    }
}

impl World {
    /// Notes incomes, and once in a turn adds a row to each table.
    pub(super) fn measure(&mut self) {
        self.note_incomes();
        self.history.paid += self.paid * f64::from(self.days);
        let turn = TURN_DAYS.max(self.days);
        if self.day / turn == (self.day - self.days) / turn {
            return;
        }
        let day = f64::from(self.day);
        self.measure_supply(day);
        self.measure_income(day);
        let treasury = self.play.vault(Vault::Treasury);
        let (held, credits) = (from_tokens(treasury.tokens), from_credits(treasury.credits));
        let worth = held * self.price + credits;
        self.history.treasury.rows.push(vec![day, held, credits, worth]);
        let oracle = self.play.market().and_then(|status| status.price);
        let oracle = oracle.map_or(f64::NAN, from_credits);
        let paid = std::mem::take(&mut self.history.paid) / f64::from(turn);
        self.history.price.rows.push(vec![day, self.price, oracle, self.wanted, paid]);
    }

    /// What a provider's tokens grew by, and what it sold, is what it earned.
    fn note_incomes(&mut self) {
        let (days, price, settles) = (f64::from(self.days), self.price, self.is_market());
        for index in 0..self.providers.len() {
            let account = self.providers[index].actor.account;
            let held = self.play.account(account);
            let owed = from_tokens(self.play.rewards(account));
            let actor = self.providers[index].actor.clone();
            let bound = self.play.staked(account) + self.granted(&actor);
            let mut has = from_tokens(held.tokens) + owed + bound;
            if !settles {
                // Credits that stay credits are income as they are.
                has = from_credits(held.earned) / price;
            }
            let provider = &mut self.providers[index];
            let gained = has - provider.before + provider.sold;
            (provider.before, provider.sold) = (has, 0.0);
            if provider.active {
                provider.note_income(gained * price, days);
            }
        }
    }

    fn measure_supply(&mut self, day: f64) {
        let supply = self.play.supply().map_or(0.0, |supply| from_tokens(supply.tokens));
        let vault = |vault| from_tokens(self.play.vault(vault).tokens);
        let (reserve, vesting) = (vault(Vault::CreditReserve), vault(Vault::Vesting));
        let circulating = self.circulating();
        self.history.supply.rows.push(vec![day, supply, circulating, reserve, vesting]);
        let flows = self.play.flows();
        let days = day - self.history.noted;
        self.history.noted = day;
        let rate = |flow: &Flow| {
            let total =
                |flows: &BTreeMap<Flow, Tokens>| flows.get(flow).copied().map_or(0.0, from_tokens);
            (total(&flows) - total(&self.history.flows)) / days
        };
        let row = |reasons: &[(Flow, &str)]| -> Vec<f64> {
            [day].into_iter().chain(reasons.iter().map(|(flow, _)| rate(flow))).collect()
        };
        let (mint, burn) = (row(&MINTS), row(&BURNS));
        self.history.mint.rows.push(mint);
        self.history.burn.rows.push(burn);
        self.history.flows = flows;
    }

    fn measure_income(&mut self, day: f64) {
        let ours = || self.providers.iter().filter(|provider| provider.active && !provider.hostile);
        let mut means = Vec::new();
        let mut counts = Vec::new();
        for class in 0..CLASSES.len() {
            let of = ours().filter(|provider| provider.class == class);
            let (count, sum) = of.fold((0.0, 0.0), |(n, sum), p| (n + 1.0, sum + p.income));
            let mean = if count > 0.0 { sum / count / DEVICES_PER_PROVIDER } else { f64::NAN };
            means.push(mean);
            counts.push(count);
        }
        self.history.income.rows.push([day].into_iter().chain(means).chain(counts).collect());
        let incomes: Vec<f64> = ours().map(|provider| provider.income.max(0.0)).collect();
        let waits: Vec<f64> = ours().map(|provider| provider.idle).collect();
        let row = vec![
            day,
            gini(&incomes),
            quantile(&waits, 1.0),
            quantile(&waits, 0.5),
            incomes.len() as f64,
        ];
        self.history.fairness.rows.push(row);
    }
}
