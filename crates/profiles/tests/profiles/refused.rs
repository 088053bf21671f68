//! Wrong profiles are refused with the line and the reason. Each case is a profile that comes
//! along with one place changed.

use remuda_profiles::{builtin, parse};

/// One change that no profile survives.
struct Case {
    /// The profile.
    profile: &'static str,
    /// The text that is changed; it stands once.
    from: &'static str,
    /// What it becomes.
    to: &'static str,
    /// What begins the line that is named.
    line: &'static str,
    /// Which occurrence of that line, from 1.
    nth: usize,
    /// The rule, when one is at fault.
    path: Option<&'static str>,
    /// A part of the reason.
    reason: &'static str,
}

const fn case(
    profile: &'static str,
    (from, to): (&'static str, &'static str),
    (line, nth): (&'static str, usize),
    path: Option<&'static str>,
    reason: &'static str,
) -> Case {
    Case { profile, from, to, line, nth, path, reason }
}

fn check(case: &Case) {
    let Case { profile, from, to, line, nth, path, reason } = *case;
    let text = builtin(profile).unwrap().text;
    assert_eq!(text.matches(from).count(), 1, "{profile}: {from:?} must stand once");
    let text = text.replace(from, to);
    let lines = text.lines().enumerate().filter(|(_, text)| text.starts_with(line));
    let expected = lines.map(|(index, _)| index + 1).nth(nth - 1);
    assert!(expected.is_some(), "{profile}: no line {line:?}");
    let error = parse(&text).expect_err(to);
    let found = (error.line, error.path.as_deref());
    assert_eq!(found, (expected, path), "{profile}: {to}: {error}");
    assert!(error.reason.contains(reason), "{profile}: {to}: {error}");
    assert!(error.to_string().starts_with(&format!("line {}: ", expected.unwrap())));
    assert_eq!(error.code(), if path.is_some() { "profile_rule" } else { "profile_text" });
}

/// The typo of the founding document: compute nodes with 5 %.
#[test]
fn dekube_with_five_percent_for_compute_nodes_comes_to_less_than_the_whole() {
    check(&case(
        "dekube",
        ("share = \"7.5%\"\nto = \"emission\"", "share = \"5%\"\nto = \"emission\""),
        ("[[token.allocations]]", 1),
        Some("token.allocations"),
        "the shares come to 97.5%",
    ));
}

const TEXTS: &[Case] = &[
    case("remuda", ("refunds = true", "refunds = yes"), ("refunds", 1), None, ""),
    case("remuda", ("settle_share =", "settle_shares ="), ("settle_shares", 1), None, "unknown"),
    case(
        "akash",
        ("[credits.breaker]", "[credits.braker]"),
        ("[credits.braker]", 1),
        None,
        "unknown",
    ),
    case(
        "ionet",
        ("[stake.co_stake]", "[stakes.co_stake]"),
        ("[stakes.co_stake]", 1),
        None,
        "unknown",
    ),
    case("render", ("fee = \"5%\"", "fee = \"105%\""), ("fee = ", 1), None, "not a share"),
    case("render", ("fee = \"5%\"", "fee = 5"), ("fee = ", 1), None, "expected"),
    case(
        "heurist",
        ("cooldown = \"30d\"", "cooldown = \"30 days\""),
        ("cooldown", 1),
        None,
        "not a period",
    ),
    case("phala", ("cap = \"1000000000\"", "cap = \"1e9\""), ("cap", 1), None, "not an amount"),
    case("gensyn", ("cap = \"none\"", "cap = \"-1\""), ("cap", 1), None, "not an amount"),
    case("akash", ("mode = \"akash\"", "mode = \"acash\""), ("mode", 1), None, "unknown variant"),
    case("aethir", ("parts = [\"1/3\"]", "parts = [\"4/3\"]"), ("parts", 1), None, "not a part"),
];

#[test]
fn texts_that_mean_nothing_are_refused() {
    TEXTS.iter().for_each(check);
}

const BOUNDS: &[Case] = &[
    case(
        "iotex",
        ("symbol = \"IOTX\"", "symbol = \"\""),
        ("symbol", 1),
        Some("token.symbol"),
        "1 to 64 bytes",
    ),
    case(
        "akash",
        ("resume = \"93%\"", "resume = \"96%\""),
        ("resume", 1),
        Some("credits.breaker.resume"),
        "between halt and warn",
    ),
    case(
        "ocean",
        ("spread = \"0.1%\"", "bonus = \"1%\""),
        ("bonus", 1),
        Some("credits.bonus"),
        "0% unless",
    ),
    case(
        "render",
        ("{ burn = \"95%\", treasury = \"5%\" }", "{ burn = \"95%\", treasury = \"6%\" }"),
        ("token = {", 1),
        Some("escrow.fees.token"),
        "at most 100%",
    ),
    case(
        "heurist",
        ("floor = \"10000\"", "floor = \"100000\""),
        ("floor = \"100000\"", 1),
        Some("stake.ramp.floor"),
        "less than stake.ramp.full",
    ),
    case(
        "helium",
        ("ratio = \"0.8\"", "ratio = \"1.8\""),
        ("ratio", 1),
        Some("epochs.capacity.ratio"),
        "from 0 to 1",
    ),
    case(
        "dekube",
        ("odds = \"14%\"", "odds = \"13%\""),
        ("[[points.chests.prizes]]", 1),
        Some("points.chests.prizes"),
        "come to 100%",
    ),
    case(
        "aethir",
        ("series = 100000", "series = 99999"),
        ("tiers = [", 1),
        Some("devices.licences.tiers"),
        "sum to the series",
    ),
    case(
        "remuda",
        ("threshold = \"50%\"", "threshold = \"49%\""),
        ("threshold", 1),
        Some("governance.threshold"),
        "at least 50%",
    ),
    case(
        "gensyn",
        ("arity = 16", "arity = 1"),
        ("arity", 1),
        Some("disputes.arity"),
        "from 2 to 64",
    ),
];

#[test]
fn rules_out_of_bounds_are_refused() {
    BOUNDS.iter().for_each(check);
}

const PERIODS: &[Case] = &[
    case(
        "ionet",
        ("length = \"1h\"", "length = \"0s\""),
        ("length", 1),
        Some("epochs.streams[0].length"),
        "longer than nothing",
    ),
    case(
        "aethir",
        ("cooldown = \"180d\"", "cooldown = \"3651d\""),
        ("cooldown", 1),
        Some("stake.cooldown"),
        "at most ten years",
    ),
    case(
        "dekube",
        ("step = \"730h\"", "step = \"8761h\""),
        ("step", 1),
        Some("points.conversion.step"),
        "must not exceed",
    ),
    case(
        "akash",
        ("window = \"30m\"", "window = \"30d\""),
        ("window", 1),
        Some("credits.oracle.window"),
        "at most 512 samples",
    ),
    case(
        "heurist",
        ("hold = \"6h\"", "hold = \"5h\""),
        ("hold", 1),
        Some("escrow.hold"),
        "disputes.window",
    ),
];

#[test]
fn periods_out_of_bounds_are_refused() {
    PERIODS.iter().for_each(check);
}

const CAPS: &[Case] = &[
    // The schedule alone comes to 600 millionths of a token more than it may.
    case(
        "ionet",
        ("cap = \"300000000\"", "cap = \"300000001\""),
        ("cap = \"300000001\"", 1),
        Some("epochs.streams[0].cap"),
        "emission",
    ),
    case(
        "heurist",
        ("pool = \"50000000\"", "pool = \"50000001\""),
        ("pool", 1),
        Some("points.conversion.pool"),
        "conversion",
    ),
    case(
        "helium",
        (
            "cap = \"223000000\"                     # [B] the most",
            "cap = \"222000000\" # the most",
        ),
        ("cap = \"223000000\"", 1),
        Some("epochs.streams[0].cap"),
        "what there is for emission",
    ),
    case(
        "render",
        ("total = \"644245094\"", "total = \"644245095\""),
        ("[[token.allocations]]", 1),
        Some("token.allocations"),
        "exactly 100%",
    ),
    case(
        "ionet",
        ("total = \"800000000\"", "total = \"900000000\""),
        ("[[token.allocations]]", 1),
        Some("token.allocations"),
        "exactly 100%",
    ),
];

#[test]
fn more_than_the_cap_is_refused() {
    CAPS.iter().for_each(check);
}

#[test]
fn shares_of_an_epoch_come_to_the_whole() {
    check(&case(
        "phala",
        (
            "{ capacity = \"80%\", treasury = \"20%\" }",
            "{ capacity = \"80%\", treasury = \"19%\" }",
        ),
        ("split = {", 1),
        Some("epochs.streams[0].split"),
        "come to 100%",
    ));
}
