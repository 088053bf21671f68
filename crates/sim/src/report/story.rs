//! A simulation as files.

use super::page::{escape, page};
use super::{Chart, Series, Table, number, short};
use crate::attacks::{Attack, FALLS, PLEDGES, Sweep, Verdict};
use crate::simulation::Simulation;

/// Days of a year, which is what charts count in.
const YEAR: f64 = 365.0;

impl Simulation {
    /// Every file by its name: tables, and a report that needs nothing beside it.
    #[must_use]
    pub fn files(&self) -> Vec<(String, String)> {
        let tables = &self.tables;
        let named = [
            ("supply.csv", &tables.supply),
            ("mint.csv", &tables.mint),
            ("burn.csv", &tables.burn),
            ("price.csv", &tables.price),
            ("income.csv", &tables.income),
            ("fairness.csv", &tables.fairness),
            ("treasury.csv", &tables.treasury),
        ];
        let mut files: Vec<(String, String)> =
            named.iter().map(|(name, table)| ((*name).to_owned(), table.csv())).collect();
        files.push(("attacks.csv".into(), attacks_csv(&self.attacks)));
        files.push(("spiral.csv".into(), spiral_csv(&self.spiral)));
        files.push(("report.html".into(), self.html()));
        files
    }

    fn html(&self) -> String {
        let settings = &self.settings;
        let refused: Vec<String> =
            self.refused.iter().map(|(code, count)| format!("{count} {code}")).collect();
        let refused = if refused.is_empty() { "none".into() } else { refused.join(", ") };
        let lead = [
            format!(
                "{} years of the profile \"{}\", seed {}, {} providers, steps of {} day(s): {} \
                 blocks, {} transactions that took effect, refused: {refused}. At the end the \
                 ledger was audited: it adds up.",
                settings.years,
                self.profile,
                settings.seed,
                settings.providers,
                settings.step_days,
                self.blocks,
                self.applied,
            ),
            self.changes.join(" "),
        ];
        let after = format!(
            "{}{}{}",
            attacks_html(&self.attacks),
            spiral_html(&self.spiral),
            list("What is assumed", &self.assumptions)
        );
        page(&format!("The economy of {}", self.profile), &lead, &self.charts(), &after)
    }

    fn charts(&self) -> Vec<Chart> {
        let tables = &self.tables;
        let symbol = &self.symbol;
        let chart = |title: &str, unit: &str, note: &str, series: Vec<Series>| Chart {
            title: title.into(),
            unit: unit.into(),
            note: note.into(),
            series,
        };
        let supply = lines(&tables.supply, &[1, 2, 3, 4]);
        let fairness = &tables.fairness;
        vec![
            chart("Supply", symbol, "All tokens, and where they are.", supply),
            chart(
                "Mint",
                &format!("{symbol} a day"),
                "By reason; settlement is what providers were paid for credits.",
                lines(&tables.mint, &[2, 3, 4]),
            ),
            chart(
                "Burn",
                &format!("{symbol} a day"),
                "By reason.",
                busy(&tables.burn, &[1, 2, 3, 4, 5]),
            ),
            chart(
                "Price",
                "dollars a token",
                "MV = PT, and what the oracle says. The first year is left out: while few \
                 tokens exist, each is worth a large part of all trade.",
                after_year(lines(&tables.price, &[1, 2])),
            ),
            chart(
                "Trade",
                "dollars a day",
                "What buyers wanted to pay, and what they paid with what tokens they found.",
                lines(&tables.price, &[3, 4]),
            ),
            chart(
                "Income by class",
                "dollars a device and day",
                "At the price of the day. The first year is left out, as above.",
                after_year(lines(&tables.income, &[1, 2, 3, 4])),
            ),
            chart("Providers", "active", "By class.", lines(&tables.income, &[5, 6, 7, 8])),
            chart(
                "Gini of incomes",
                "0 to 1",
                "Among active providers; classes differ a hundredfold in what they cost.",
                lines(fairness, &[1]),
            ),
            chart(
                "Wait for work",
                "days",
                "The longest and the middle wait of active providers.",
                lines(fairness, &[2, 3]),
            ),
            chart("Treasury", symbol, "What it holds.", lines(&tables.treasury, &[1])),
            chart(
                "Treasury in dollars",
                "dollars",
                "At the price of the day, with its credits.",
                after_year(lines(&tables.treasury, &[3])),
            ),
        ]
    }
}

/// Columns over the first one, which is days, in years.
fn lines(table: &Table, columns: &[usize]) -> Vec<Series> {
    let line = |&column: &usize| {
        let points = table.points(0, column);
        let points = points.into_iter().map(|(day, value)| (day / YEAR, value)).collect();
        let name = table.columns.get(column).map(|name| name.replace('_', " "));
        Series::new(name.unwrap_or_default(), points)
    };
    columns.iter().map(line).collect()
}

/// The columns that are not empty throughout; the first if all are.
fn busy(table: &Table, columns: &[usize]) -> Vec<Series> {
    let mut series = lines(table, columns);
    let first = series.first().cloned();
    series.retain(|series| series.points.iter().any(|point| point.1 > 0.0));
    if series.is_empty() { first.into_iter().collect() } else { series }
}

/// What comes after the first year, where there is anything.
fn after_year(series: Vec<Series>) -> Vec<Series> {
    let later = |series: &Series| {
        let points = series.points.iter().copied().filter(|point| point.0 >= 1.0).collect();
        Series::new(series.name.clone(), points)
    };
    let cut: Vec<Series> = series.iter().map(later).collect();
    if cut.iter().all(|series| series.points.len() < 2) { series } else { cut }
}

fn attacks_csv(attacks: &[Attack]) -> String {
    let mut text = String::from("attack,put_in,honest,attacking,gain,verdict\n");
    for attack in attacks {
        text += &format!(
            "\"{}\",{},{},{},{},{}\n",
            attack.name,
            number(attack.put_in),
            number(attack.honest),
            number(attack.attacking),
            number(attack.gain),
            attack.verdict.text()
        );
    }
    text
}

fn spiral_csv(sweep: &Sweep) -> String {
    let mut text = String::from("fall,pledged,left,price,spiral\n");
    for outcome in &sweep.outcomes {
        text += &format!(
            "{},{},{},{},{}\n",
            number(outcome.fall),
            number(outcome.pledged),
            number(outcome.left),
            number(outcome.price),
            outcome.spiral
        );
    }
    text
}

fn attacks_html(attacks: &[Attack]) -> String {
    if attacks.is_empty() {
        return String::new();
    }
    let rows: String = attacks.iter().map(attack_row).collect();
    format!(
        "<h2>Attacks</h2><p>Each is played twice from the same moment of the same network: once \
         the attacker is honest with the same means, once it attacks. Gain: the difference of \
         its wealth at the end, in dollars at the model's price, as a part of what it put \
         in.</p><table><tr><th>Attack</th><th>Put in</th><th>Honest</th><th>Attacking</th>\
         <th>Gain</th><th>Verdict</th><th>What it does</th></tr>{rows}</table>\n"
    )
}

fn attack_row(attack: &Attack) -> String {
    let class = match attack.verdict {
        Verdict::Loses => "loses",
        Verdict::Profits => "profits",
        Verdict::GainsLittle | Verdict::NotPossible => "",
    };
    let figures = match attack.verdict {
        Verdict::NotPossible => "<td></td><td></td><td></td><td></td>".to_owned(),
        _ => format!(
            "<td>${}</td><td>${}</td><td>${}</td><td>{:.1} %</td>",
            short(attack.put_in),
            short(attack.honest),
            short(attack.attacking),
            attack.gain * 100.0
        ),
    };
    format!(
        "<tr><td>{}</td>{figures}<td class=\"{class}\">{}</td><td class=\"words\">{}</td></tr>",
        escape(attack.name),
        attack.verdict.text(),
        escape(attack.what)
    )
}

fn spiral_html(sweep: &Sweep) -> String {
    let head: String = PLEDGES.iter().map(|p| format!("<th>{:.0} %</th>", p * 100.0)).collect();
    let row = |fall: &f64| {
        let cells: String = sweep
            .outcomes
            .iter()
            .filter(|outcome| outcome.fall.total_cmp(fall).is_eq())
            .map(|outcome| {
                let class = if outcome.spiral { "profits" } else { "loses" };
                let (left, price) = (outcome.left * 100.0, outcome.price * 100.0);
                format!("<td class=\"{class}\">{left:.0} % / {price:.0} %</td>")
            })
            .collect();
        format!("<tr><td>{:.0} %</td>{cells}</tr>", fall * 100.0)
    };
    let rows: String = FALLS.iter().map(row).collect();
    format!(
        "<h2>Death spiral of pledges</h2><p>A model beside the ledger. Rows: by how much demand, \
         and with it the price, falls. Columns: the part of the supply that providers had to \
         pledge. Cells: providers left / price, of what they were, after two years; red where a \
         tenth fewer providers are left than without a pledge. Here {:.0} % of what providers \
         earn is minted, and a pledge comes free after {:.0} days.</p>\
         <table><tr><th>Fall</th>{head}</tr>{rows}</table>\n",
        sweep.minted * 100.0,
        sweep.cooldown
    )
}

fn list(title: &str, items: &[String]) -> String {
    let items: String = items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect();
    format!("<h2>{title}</h2><ul>{items}</ul>\n")
}
