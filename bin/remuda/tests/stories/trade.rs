//! What people do in several stories alike: sell by the part, lease by the tick, report, and
//! say what a token costs.

use remuda_ledger::escrow::{EscrowId, order_id};
use remuda_types::{AccountId, Hash, NodeId, OrderId};
use serde_json::{Value, json};

use crate::story::{Person, Story};

/// One dollar in micro-dollars.
pub(crate) const DOLLAR: u64 = 1_000_000;
/// One token in base units.
pub(crate) const TOKEN: u64 = 1_000_000_000;

/// The nonce of somebody's order or lease by its number.
const fn nonce(number: u8) -> [u8; 32] {
    [number; 32]
}

/// A digest that stands for some work.
fn digest() -> Hash {
    Hash([7; 32])
}

/// `--set PATH=JSON` of `network init`.
pub(crate) fn set(path: &str, value: &Value) -> [String; 2] {
    ["--set".into(), format!("{path}={value}")]
}

/// `--fund`, `--credit` or `--role` of `network init`.
#[allow(clippy::needless_pass_by_value, reason = "callers give what they have, shown once")]
pub(crate) fn give(option: &str, left: impl ToString, right: impl ToString) -> [String; 2] {
    [option.into(), format!("{}={}", left.to_string(), right.to_string())]
}

impl Person {
    /// The account of the provider's node key.
    pub(crate) fn node_account(&self) -> AccountId {
        self.node.into()
    }

    /// The account as an argument.
    pub(crate) fn id(&self) -> String {
        self.account.to_string()
    }

    /// The node as an argument.
    pub(crate) fn node_id(&self) -> String {
        self.node.to_string()
    }
}

/// Providers, and orders in parts.
impl Story {
    /// Enters somebody's node as a provider that earns for the wallet.
    pub(crate) fn register(&self, person: &Person, name: &str) {
        let action = json!({ "register_provider": { "reward": person.account, "name": name } });
        self.submit_as_node(person, &action);
    }

    /// Opens an order of equal parts, each due a day after it is taken.
    pub(crate) fn open_order(
        &self,
        buyer: &Person,
        number: u8,
        denomination: &str,
        (parts, part_price): (u16, u64),
    ) -> OrderId {
        let open = json!({
            "nonce": nonce(number), "denomination": denomination, "parts": parts,
            "part_price": part_price, "part_time": "1d", "provider": null, "work": digest(),
        });
        self.submit(buyer, &json!({ "order": { "open": open } }));
        order_id(&buyer.account, &nonce(number))
    }

    /// Takes a part of an order on.
    pub(crate) fn take(&self, seller: &Person, order: OrderId, part: u16) {
        self.submit_as_node(seller, &take(order, part));
    }

    /// Takes a part on, which is refused; the refusal's code.
    pub(crate) fn take_refused(&self, seller: &Person, order: OrderId, part: u16) -> String {
        let action = take(order, part).to_string();
        self.refused(seller, &["ledger", "submit", "--node", "provider", &action])
    }

    /// Delivers a part of an order.
    pub(crate) fn deliver(&self, seller: &Person, order: OrderId, part: u16) {
        let deliver = json!({ "order": order, "part": part, "output": digest() });
        self.submit_as_node(seller, &json!({ "order": { "deliver": deliver } }));
    }

    /// Approves a delivered part.
    pub(crate) fn approve(&self, buyer: &Person, order: OrderId, part: u16) {
        let approve = json!({ "order": order, "parts": [part] });
        self.submit(buyer, &json!({ "order": { "approve": approve } }));
    }

    /// Rejects a delivered part: for another attempt, or for the money (`refund`).
    pub(crate) fn reject(&self, buyer: &Person, order: OrderId, part: u16, refund: bool) {
        let reject = json!({ "order": order, "part": part, "refund": refund });
        self.submit(buyer, &json!({ "order": { "reject": reject } }));
    }

    /// An order of one part, from the asking to the approval.
    pub(crate) fn sell(
        &self,
        (seller, buyer): (&Person, &Person),
        number: u8,
        denomination: &str,
        price: u64,
    ) {
        let order = self.open_order(buyer, number, denomination, (1, price));
        self.take(seller, order, 0);
        self.deliver(seller, order, 0);
        self.approve(buyer, order, 0);
    }

    /// What became of each part of an order that was taken.
    pub(crate) fn part_states(&self, anyone: &Person, order: OrderId) -> Vec<String> {
        let answer = self.ask(anyone, &json!({ "escrow": { "parts": order } }));
        let parts = answer["escrow"]["parts"].as_array().unwrap();
        parts.iter().map(|part| part["state"].as_str().unwrap().to_owned()).collect()
    }
}

fn take(order: OrderId, part: u16) -> Value {
    json!({ "order": { "take": { "order": order, "parts": [part] } } })
}

/// Leases.
impl Story {
    /// Opens an escrow account that asks for bids of at most `rate_max` a tick.
    pub(crate) fn open_escrow(
        &self,
        owner: &Person,
        number: u8,
        denomination: &str,
        (deposit, rate_max): (u64, u64),
    ) -> EscrowId {
        let open = json!({
            "nonce": nonce(number), "denomination": denomination, "deposit": deposit,
            "rate_max": rate_max, "spec": digest(),
        });
        self.submit(owner, &json!({ "lease": { "open": open } }));
        EscrowId::derive(&owner.account, &nonce(number))
    }

    /// Bids on an escrow account.
    pub(crate) fn bid(&self, seller: &Person, escrow: EscrowId, rate: u64) {
        let bid = json!({ "escrow": escrow, "rate": rate });
        self.submit_as_node(seller, &json!({ "lease": { "place_bid": bid } }));
    }

    /// Accepts a bid: a lease begins.
    pub(crate) fn accept(&self, owner: &Person, escrow: EscrowId, provider: NodeId) {
        let accept = json!({ "escrow": escrow, "provider": provider });
        self.submit(owner, &json!({ "lease": { "accept_bid": accept } }));
    }

    /// Closes an escrow account.
    pub(crate) fn close_escrow(&self, owner: &Person, escrow: EscrowId) {
        self.submit(owner, &json!({ "lease": { "close": { "escrow": escrow } } }));
    }

    /// An escrow account as it was settled last.
    pub(crate) fn escrow(&self, anyone: &Person, escrow: EscrowId) -> Value {
        self.ask(anyone, &json!({ "escrow": { "escrow": escrow } }))["escrow"]["escrow"].clone()
    }
}

/// Reports, prices, and the treasury.
impl Story {
    /// Says what score a provider's only device has, and that it stood ready all the time. A
    /// score of zero takes the device out.
    pub(crate) fn report_capacity(&self, reporter: &Person, provider: NodeId, score: &str) {
        let device = Hash([0; 32]);
        let entry = json!({ "provider": provider, "device": device, "facts": { "score": score } });
        let report = json!({ "report_capacity": { "entries": [entry] } });
        self.submit(reporter, &json!({ "epochs": report }));
        if score != "0" {
            let entry = json!({ "provider": provider, "device": device, "uptime": "100%" });
            let report = json!({ "report_uptime": { "entries": [entry] } });
            self.submit(reporter, &json!({ "epochs": report }));
        }
    }

    /// What the treasury holds: tokens in base units, credits in micro-dollars.
    pub(crate) fn treasury(&self, anyone: &Person) -> (u64, u64) {
        let shown = self.run(anyone, &["treasury", "show"]);
        let vault = &shown["vault"];
        (vault["tokens"].as_u64().unwrap(), vault["credits"].as_u64().unwrap())
    }

    /// One of the sums of `wallet supply`.
    pub(crate) fn supply(&self, anyone: &Person, sum: &str) -> u64 {
        self.run(anyone, &["wallet", "supply"])[sum].as_u64().unwrap()
    }

    /// What an account may claim of epochs.
    pub(crate) fn rewards(&self, person: &Person) -> u64 {
        self.run(person, &["epoch", "rewards"])["epochs"]["rewards"].as_u64().unwrap()
    }

    /// The tokens of any account.
    pub(crate) fn tokens_of(&self, anyone: &Person, account: AccountId) -> u64 {
        let shown = self.run(anyone, &["wallet", "show", &account.to_string()]);
        shown["tokens"].as_str().unwrap().parse().unwrap()
    }

    /// Block time, in milliseconds.
    pub(crate) fn now(&self, anyone: &Person) -> u64 {
        self.run(anyone, &["clock", "show"])["time_ms"].as_u64().unwrap()
    }

    /// Moves block time on to a time.
    pub(crate) fn advance_until(&self, anyone: &Person, time: u64) {
        let left = time.checked_sub(self.now(anyone)).unwrap();
        self.advance(anyone, &format!("{left}ms"));
    }
}
