//! What is assumed about people and markets: all that the ledger does not decide. The report
//! states each of these.

/// For how many devices alike, of owners alike, one simulated provider stands.
pub(crate) const DEVICES_PER_PROVIDER: f64 = 1_000.0;
/// How often a token changes hands in a year: the V of MV = PT.
pub(crate) const VELOCITY: f64 = 12.0;
/// Over so many days the price follows what MV = PT says.
pub(crate) const PRICE_DAYS: f64 = 14.0;
/// What a token costs before any exists, in dollars.
pub(crate) const FIRST_PRICE: f64 = 1.0;
/// The least price that an oracle can state, in dollars.
pub(crate) const PRICE_MIN: f64 = 0.000_001;
/// What buyers want at first, and at last, as parts of what all devices could serve.
pub(crate) const DEMAND_FIRST: f64 = 0.1;
/// See [`DEMAND_FIRST`].
pub(crate) const DEMAND_LAST: f64 = 0.8;
/// After so many days demand has grown up.
pub(crate) const DEMAND_DAYS: f64 = 3_650.0;
/// By how much one day's demand may differ from the next, up or down.
pub(crate) const DEMAND_NOISE: f64 = 0.15;
/// Of each class, the part of the providers that is there from the first day.
pub(crate) const ACTIVE_FIRST: f64 = 0.4;
/// Over so many days providers average what they earn.
pub(crate) const INCOME_DAYS: f64 = 60.0;
/// Over so many days the market remembers who had work.
pub(crate) const LOAD_DAYS: f64 = 30.0;
/// How often providers think about joining and leaving, in days.
pub(crate) const DECISION_DAYS: u32 = 30;
/// For so many days a newcomer stays, whatever it earns.
pub(crate) const PATIENCE_DAYS: u32 = 90;
/// How many times its costs a newcomer must expect to earn.
pub(crate) const JOIN_FACTOR: f64 = 1.1;
/// How often a provider is paid, claims, settles and sells, in days.
pub(crate) const TURN_DAYS: u32 = 7;
/// The most days of demand that the market holds in tokens.
pub(crate) const INVENTORY_DAYS: f64 = 14.0;
/// The most days of work that a provider lets a buyer owe it.
pub(crate) const OWED_DAYS: f64 = 21.0;
/// What early holders own where a profile has neither an emission nor an allocation: tokens.
pub(crate) const FOUNDED_TOKENS: f64 = 100_000_000.0;
/// How many accounts say what a token costs.
pub(crate) const POSTERS: usize = 5;
/// How many buyers there are.
pub(crate) const BUYERS: usize = 6;

/// A class of devices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// The part of all providers.
    pub(crate) part: f64,
    /// What reporters measure, in multiples of a consumer's device.
    pub(crate) score: f64,
    /// What buyers pay for a day of a device, in dollars.
    pub(crate) rate: f64,
    /// What a day of a device costs its owner, busy or not, in dollars.
    pub(crate) cost: f64,
    pub(crate) memory_mib: u32,
    /// Its tier and the factor of its model, where a profile asks for them.
    pub(crate) tier: f64,
    pub(crate) model: f64,
}

/// The classes, the smallest first.
pub(crate) const CLASSES: [Class; 4] = [
    Class {
        name: "edge",
        part: 0.25,
        score: 0.1,
        rate: 0.4,
        cost: 0.06,
        memory_mib: 6_144,
        tier: 0.2,
        model: 0.5,
    },
    Class {
        name: "consumer",
        part: 0.35,
        score: 1.0,
        rate: 4.0,
        cost: 1.2,
        memory_mib: 12_288,
        tier: 0.4,
        model: 0.6,
    },
    Class {
        name: "prosumer",
        part: 0.25,
        score: 2.0,
        rate: 9.0,
        cost: 3.0,
        memory_mib: 24_576,
        tier: 0.6,
        model: 0.8,
    },
    Class {
        name: "data centre",
        part: 0.15,
        score: 4.0,
        rate: 40.0,
        cost: 14.0,
        memory_mib: 81_920,
        tier: 0.8,
        model: 1.0,
    },
];

/// What the report says of all this.
pub(crate) fn stated() -> Vec<String> {
    vec![
        format!(
            "Price: MV = PT. The price of a token is what buyers want to spend in a year, in \
             dollars, over {VELOCITY} (how often a token changes hands in a year) times the \
             circulating supply (all tokens but those in vaults: treasury, vesting, stake, \
             rewards not yet taken, reserves). It follows that with a mean delay of \
             {PRICE_DAYS} days. Speculation is not modelled: nobody holds for a higher price."
        ),
        format!(
            "Market: dollars stay outside the ledger. Every holder offers what a velocity of \
             {VELOCITY} implies ({:.1} % of what it holds each week); buyers buy from it what \
             they need for their jobs, at the model's price and without a cost of trading. The \
             market holds at most {INVENTORY_DAYS} days of demand.",
            VELOCITY * 7.0 / 365.0 * 100.0
        ),
        format!(
            "Demand: dollars, not tokens. Buyers want {:.0} % of what all devices could serve \
             at first and {:.0} % after {:.0} years, along a smooth curve, with a noise of \
             {:.0} % a day. Work goes to the provider of the wanted class of whose \
             capacity the least was used in {LOAD_DAYS} days (so that names do not matter), \
             and to the next class when a class is full.",
            DEMAND_FIRST * 100.0,
            DEMAND_LAST * 100.0,
            DEMAND_DAYS / 365.0,
            DEMAND_NOISE * 100.0
        ),
        format!(
            "Providers: one stands for {DEVICES_PER_PROVIDER} owners alike with one device \
             each. Every {DECISION_DAYS} days one that earned less than its costs leaves (after \
             {PATIENCE_DAYS} days at least), and one that would earn {JOIN_FACTOR} times its \
             costs joins. Costs differ between owners by up to 40 %. It is paid, claims, \
             settles and sells once a week."
        ),
    ]
}
