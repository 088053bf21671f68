//! Points from work, teams, invitations, chests, certificates, and what points become.

use remuda_ledger::math::{Fixed, Period, Share};
use remuda_ledger::points::{
    CertificateRules, ChestRules, ChestStatus, Content, ConversionRules, DRAWS_PER_BLOCK_MAX,
    Phase, Points, PointsAccount, PointsAction, PointsAnswer, PointsBook, PointsQuery, Prize,
    Rates, ReferralRules, Rules, Season, TeamRules, draw,
};
use remuda_ledger::{Action, Answer, Economy, Flow, Query, Vault};
use remuda_types::{Credits, SecretKey, Tokens};

use crate::world::*;

fn points(count: u128) -> Points {
    Points(count * Points::ONE.0)
}

fn prize(percent: u64, content: Content) -> Prize {
    Prize { odds: Share::percent(percent), content }
}

/// One point for each micro-dollar earned.
fn rules() -> Rules {
    Rules {
        on: true,
        rates: Rates { dollar: "1000000".parse().unwrap(), ..Rates::default() },
        qualified_at: points(100),
        teams: TeamRules {
            members_max: 3,
            cooldown: Period(1_000),
            bonus: Share::percent(10),
            bonus_max: Share::percent(15),
        },
        referrals: ReferralRules { share: Share::percent(5), invited_max: 2 },
        chests: ChestRules {
            cap: 825,
            milestone: points(1),
            per_member: 3,
            per_invited: 2,
            early: 0,
            prizes: vec![prize(50, Content::Nothing), prize(50, Content::Points(points(2)))],
        },
        certificates: CertificateRules { cap: 2 },
        ..Rules::default()
    }
}

fn world(points: Rules) -> World {
    World::with_economy(Economy { points, ..Economy::default() })
}

fn act(action: PointsAction) -> Action {
    Action::Points(action)
}

fn create() -> Action {
    act(PointsAction::CreateTeam { name: "herd".into() })
}

fn join(team: u64) -> Action {
    act(PointsAction::JoinTeam { team })
}

fn leave() -> Action {
    act(PointsAction::LeaveTeam)
}

fn name(inviter: &SecretKey) -> Action {
    act(PointsAction::NameInviter { inviter: account_of(inviter) })
}

fn open(count: u32) -> Action {
    act(PointsAction::OpenChests { count })
}

fn claim() -> Action {
    act(PointsAction::ClaimTokens)
}

fn certificate() -> Action {
    act(PointsAction::ClaimCertificate)
}

impl World {
    fn ask(&self, query: PointsQuery) -> PointsAnswer {
        match self.ledger.query(&Query::Points(query)) {
            Answer::Points(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn points_of(&self, key: &SecretKey) -> PointsAccount {
        match self.ask(PointsQuery::Account(account_of(key))) {
            PointsAnswer::Account(account) => account.map(|account| *account).unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    fn book(&self) -> PointsBook {
        match self.ask(PointsQuery::Book) {
            PointsAnswer::Book(book) => *book.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn chests(&self, key: &SecretKey) -> ChestStatus {
        match self.ask(PointsQuery::Chests(account_of(key))) {
            PointsAnswer::Chests(status) => status,
            other => panic!("{other:?}"),
        }
    }

    /// `worker` earns `amount` micro-dollars from Alice.
    fn earn(&mut self, worker: &SecretKey, amount: u64) {
        let mut nonce = [7; 32];
        nonce[..8].copy_from_slice(&self.ledger.head().height.to_le_bytes());
        let action = open_channel(nonce, worker, amount, self.now + 100_000);
        self.done(&alice(), action);
        let channel = remuda_types::ChannelId::derive(&alice().public(), &worker.public(), &nonce);
        self.done(worker, redeem(vec![voucher(&alice(), channel, amount)]));
    }

    fn blocks(&mut self, count: u32) {
        for _ in 0..count {
            self.block(&[]);
        }
    }
}

#[test]
fn without_points_nothing_happens() {
    let mut world = world(Rules::default());
    world.earn(&node(), 50);
    assert_eq!(world.ask(PointsQuery::Book), PointsAnswer::Book(None));
    assert_eq!(world.ask(PointsQuery::Odds), PointsAnswer::Odds(Vec::new()));
    for action in [create(), join(1), leave(), name(&bob()), open(1), certificate()] {
        assert_eq!(world.refused(&alice(), action), "points_off");
    }
    assert_eq!(world.refused(&alice(), claim()), "points_nothing_due");
}

#[test]
fn a_part_that_is_off_is_refused() {
    let mut world = world(Rules { on: true, ..Rules::default() });
    for action in [create(), join(1), name(&bob()), open(1), certificate()] {
        assert_eq!(world.refused(&alice(), action), "points_off");
    }
    let fund = act(PointsAction::FundChests { credits: Credits(1) });
    assert_eq!(world.refused(&alice(), fund), "points_off");
}

#[test]
fn paid_work_earns_points() {
    let mut world = world(rules());
    world.earn(&node(), 50);
    assert_eq!(world.points_of(&node()).work, points(50));
    assert_eq!(world.points_of(&alice()), PointsAccount::default());
    assert_eq!(world.book().total, points(50));
}

/// Where the network keeps all that is paid, work still counts: when it is paid out.
#[test]
fn fees_take_no_points_and_a_hold_delays_them() {
    let mut economy = Economy { points: rules(), ..Economy::default() };
    economy.escrow.hold = Period(64_000);
    economy.escrow.fees.credit.treasury = Share::ALL;
    let mut world = World::with_economy(economy);
    world.earn(&node(), 50);
    assert_eq!(world.points_of(&node()).work, Points::ZERO);
    world.now += 65_000;
    world.block(&[]);
    assert_eq!(world.points_of(&node()).work, points(50));
    assert_eq!(world.account(&node()).earned, Credits::ZERO);
}

#[test]
fn seasons_multiply() {
    let seasons = vec![Season { length: Period(1_000), multiplier: "2.5".parse().unwrap() }];
    let mut world = world(Rules { seasons, ..rules() });
    world.earn(&node(), 10);
    assert_eq!(world.points_of(&node()).work, points(25));
    world.now += 1_000;
    world.earn(&node(), 10);
    assert_eq!(world.points_of(&node()).work, points(35));
    assert_eq!(world.book().multiplier, Fixed::ONE);
}

#[test]
fn teams_have_bounds_and_a_cooldown() {
    let mut world = world(rules());
    assert_eq!(world.refused(&bob(), join(1)), "points_unknown_team");
    assert_eq!(world.refused(&bob(), leave()), "points_no_team");
    let nameless = act(PointsAction::CreateTeam { name: String::new() });
    assert_eq!(world.refused(&bob(), nameless), "text_length");
    world.done(&bob(), create());
    assert_eq!(world.refused(&bob(), create()), "points_in_team");
    assert_eq!(world.refused(&bob(), join(1)), "points_in_team");
    world.done(&key(31), join(1));
    world.done(&key(32), join(1));
    assert_eq!(world.refused(&key(33), join(1)), "points_team_full");
    assert!(matches!(world.ask(PointsQuery::Members(1)),
        PointsAnswer::Members(members) if members.len() == 3));
    world.done(&key(32), leave());
    assert_eq!(world.refused(&key(32), join(1)), "points_team_cooldown");
    world.done(&key(33), join(1));
    world.now += 1_000;
    assert_eq!(world.refused(&key(32), join(1)), "points_team_full");
    world.done(&key(32), create());
    assert!(matches!(world.ask(PointsQuery::Teams),
        PointsAnswer::Teams(teams) if teams.len() == 2));
    for member in [bob(), key(31), key(33)] {
        world.done(&member, leave());
    }
    assert_eq!(world.ask(PointsQuery::Team(1)), PointsAnswer::Team(None));
}

#[test]
fn only_qualified_members_add_to_work() {
    let mut world = world(rules());
    world.done(&bob(), create());
    for member in [node(), key(31)] {
        world.done(&member, join(1));
    }
    world.earn(&node(), 100);
    assert_eq!(world.points_of(&node()).team_bonus, Points::ZERO, "nobody else is qualified");
    assert!(world.points_of(&node()).qualified);
    world.earn(&key(31), 100);
    assert_eq!(world.points_of(&key(31)).team_bonus, points(10));
    world.earn(&bob(), 100);
    assert_eq!(world.points_of(&bob()).team_bonus, points(15), "20 %, but at most 15 %");
    world.done(&node(), leave());
    world.earn(&bob(), 100);
    assert_eq!(world.points_of(&bob()).team_bonus, points(25));
}

#[test]
fn invitations_go_one_step_from_older_to_newer() {
    let mut world = world(rules());
    assert_eq!(world.refused(&bob(), name(&bob())), "points_self_referral");
    assert_eq!(world.refused(&bob(), name(&node())), "points_inviter_too_new");
    world.earn(&node(), 10);
    world.earn(&bob(), 10);
    world.done(&bob(), name(&node()));
    assert_eq!(world.refused(&bob(), name(&node())), "points_inviter_named");
    assert_eq!(world.refused(&node(), name(&bob())), "points_inviter_too_new", "a circle");
    world.done(&key(31), name(&bob()));
    assert_eq!(world.points_of(&node()).invited, 1);
    world.earn(&key(31), 200);
    assert_eq!(world.points_of(&bob()).referral, points(10));
    assert_eq!(world.points_of(&node()).referral, Points::ZERO, "one step deep");
    assert_eq!(world.points_of(&key(31)).work, points(200), "minted, not taken");
    world.done(&key(32), name(&bob()));
    assert_eq!(world.refused(&key(33), name(&bob())), "points_invited_full");
}

#[test]
fn chests_are_earned_by_work_teams_and_invitations() {
    let mut rules = rules();
    rules.chests.milestone = points(50);
    rules.chests.early = 1;
    let mut world = world(rules);
    world.done(&bob(), create());
    world.done(&node(), join(1));
    world.done(&node(), name(&bob()));
    assert_eq!(world.refused(&node(), open(1)), "points_no_chest");
    world.earn(&node(), 99);
    assert_eq!(world.chests(&node()).earned, 1);
    assert_eq!(world.chests(&bob()).earned, 0, "the member is not qualified yet");
    world.earn(&node(), 1);
    assert_eq!(world.chests(&node()).earned, 2);
    // Three for the member and two for the invited one, doubled for the first account.
    assert_eq!(world.chests(&bob()).earned, 10);
    world.earn(&node(), 900);
    assert_eq!(world.chests(&bob()).earned, 10, "an account qualifies once");
    assert_eq!(world.refused(&bob(), open(0)), "zero_amount");
    assert_eq!(world.refused(&bob(), open(11)), "points_no_chest");
    world.done(&bob(), open(10));
    assert_eq!(world.refused(&bob(), open(1)), "points_no_chest");
}

/// DK-09: 825 chests an account, ever.
#[test]
fn the_826th_chest_is_refused() {
    let mut world = world(rules());
    world.earn(&node(), 2_000);
    assert_eq!(world.chests(&node()).openable, 825);
    assert_eq!(world.refused(&node(), open(826)), "points_chest_cap");
    world.done(&node(), open(824));
    world.done(&node(), open(1));
    assert_eq!(world.refused(&node(), open(1)), "points_chest_cap");
    assert_eq!(world.refused(&node(), open(u32::MAX)), "points_chest_cap");
    let blocks = 825_u32.div_ceil(DRAWS_PER_BLOCK_MAX) + 4;
    world.blocks(blocks);
    let status = world.chests(&node());
    assert_eq!((status.opened, status.openable, status.waiting), (825, 0, 0));
    assert_eq!(world.refused(&node(), open(1)), "points_chest_cap");
    let won = world.points_of(&node()).won.0 / Points::ONE.0;
    assert!((700..=950).contains(&won), "about half of 825 have two points: {won}");
}

/// What is in a chest is decided by the beacon of the block after the next.
#[test]
fn a_chest_is_drawn_from_a_later_beacon() {
    let mut world = world(rules());
    world.earn(&node(), 20);
    world.done(&node(), open(5));
    let committed = world.ledger.head().height;
    let mut beacons = Vec::new();
    for _ in 0..2 {
        world.blocks(1);
        beacons.push(world.ledger.head().beacon);
        assert_eq!(world.chests(&node()).waiting, 5);
        assert!(world.ledger.next_due().is_some_and(|due| due <= world.now));
    }
    world.blocks(1);
    let status = world.chests(&node());
    assert_eq!(status.waiting, 0);
    let drawn = status.last.unwrap();
    assert_eq!((drawn.committed, drawn.beacon), (committed, committed + 2));
    let (rules, account) = (rules().chests, account_of(&node()));
    let expected: Vec<_> = (0..5)
        .map(|chest| draw(&rules, &beacons[1], &account, committed, chest).unwrap())
        .collect();
    assert_eq!(drawn.prizes, expected);
    assert_eq!(world.ledger.next_due(), None);
}

#[test]
fn credits_in_chests_are_funded_first() {
    let mut rules = rules();
    rules.chests.prizes = vec![prize(100, Content::Credits(Credits(30)))];
    let mut world = world(rules);
    world.earn(&node(), 20);
    let before = world.account(&node()).credits;
    assert_eq!(world.refused(&node(), open(1)), "points_chests_unfunded");
    let fund = |credits| act(PointsAction::FundChests { credits: Credits(credits) });
    assert_eq!(world.refused(&bob(), fund(0)), "zero_amount");
    assert_eq!(world.refused(&bob(), fund(CREDITS + 1)), "insufficient_credits");
    world.done(&bob(), fund(70));
    world.done(&node(), open(2));
    assert_eq!(world.refused(&node(), open(1)), "points_chests_unfunded");
    world.blocks(3);
    assert_eq!(world.account(&node()).credits.0 - before.0, 60);
    let book = world.book();
    assert_eq!((book.funded, book.reserved), (Credits(10), Credits::ZERO));
}

#[test]
fn a_chest_gives_a_certificate_or_points_instead() {
    let mut rules = rules();
    rules.chests.prizes = vec![prize(100, Content::Certificate(points(9)))];
    let mut world = world(rules);
    world.earn(&node(), 20);
    world.done(&node(), open(2));
    world.blocks(3);
    let account = world.points_of(&node());
    assert_eq!((account.certificate, account.won), (Some(1), points(9)));
}

#[test]
fn certificates_go_to_the_first_qualified() {
    let mut world = world(rules());
    assert_eq!(world.refused(&bob(), certificate()), "points_not_qualified");
    for worker in [node(), bob(), key(31)] {
        world.earn(&worker, 100);
    }
    world.done(&node(), certificate());
    assert_eq!(world.refused(&node(), certificate()), "points_certificate_held");
    world.done(&bob(), certificate());
    assert_eq!(world.refused(&key(31), certificate()), "points_certificates_gone");
    assert_eq!(world.points_of(&bob()).certificate, Some(2));
    assert_eq!(world.book().certificates, 2);
}

fn converting(certified_only: bool) -> Rules {
    let conversion = ConversionRules {
        pool: Tokens(1_000),
        after: Period(10_000),
        certified_only,
        vesting: Period(1_200),
        step: Period(0),
    };
    Rules { conversion, ..rules() }
}

/// Points become tokens by their parts; the parts and the treasury's rest come to the pool.
#[test]
fn points_become_tokens_once() {
    let mut world = world(converting(false));
    world.earn(&node(), 100);
    world.earn(&bob(), 200);
    assert_eq!(world.ledger.next_due(), Some(START + 10_000));
    assert_eq!(world.refused(&bob(), claim()), "points_nothing_due");
    world.now = START + 10_000;
    world.block(&[]);
    let since = world.now;
    assert!(matches!(world.book().phase, Phase::Converting { .. }));
    world.earn(&bob(), 50);
    assert_eq!(world.points_of(&bob()).work, points(200), "points have ended");
    assert_eq!(world.refused(&bob(), create()), "points_ended");
    assert_eq!(world.refused(&bob(), open(1)), "points_ended");
    assert_eq!(world.book().phase, Phase::Converted { since });
    assert_eq!(world.points_of(&node()).converted, Tokens(333));
    assert_eq!(world.points_of(&bob()).converted, Tokens(666));
    let Answer::Vault(treasury) = world.ledger.query(&Query::Vault(Vault::Treasury)) else {
        panic!("a vault")
    };
    assert_eq!(treasury.tokens, Tokens(1));
    world.now = since + 300;
    let before = world.account(&bob()).tokens.0;
    world.done(&bob(), claim());
    assert_eq!(world.account(&bob()).tokens.0 - before, 166);
    assert_eq!(world.refused(&bob(), claim()), "points_nothing_due");
    world.now = since + 5_000;
    world.done(&bob(), claim());
    assert_eq!(world.account(&bob()).tokens.0 - before, 666);
    assert_eq!(world.refused(&bob(), claim()), "points_nothing_due");
    assert_eq!(world.refused(&key(77), claim()), "points_nothing_due");
    let Answer::Flows(flows) = world.ledger.query(&Query::Flows) else { panic!("flows") };
    assert!(flows.contains(&(Flow::Conversion, Tokens(1_000))));
    assert_eq!(world.ledger.next_due(), None);
}

/// DK-07: only those with a certificate take part.
#[test]
fn the_certified_share_the_pool() {
    let mut world = world(converting(true));
    for worker in [node(), bob(), key(31)] {
        world.earn(&worker, 100);
    }
    world.done(&node(), certificate());
    world.done(&bob(), certificate());
    world.earn(&bob(), 200);
    world.now = START + 10_000;
    world.blocks(3);
    assert_eq!(world.points_of(&node()).converted, Tokens(250));
    assert_eq!(world.points_of(&bob()).converted, Tokens(750));
    assert_eq!(world.points_of(&key(31)).converted, Tokens::ZERO);
}

#[test]
fn chests_are_drawn_before_points_convert() {
    let mut rules = converting(false);
    rules.chests.prizes = vec![prize(100, Content::Points(points(300)))];
    let mut world = world(rules);
    world.earn(&node(), 100);
    world.earn(&bob(), 100);
    world.now = START + 9_999;
    world.done(&bob(), open(1));
    world.now = START + 10_000;
    world.blocks(2);
    assert_eq!(world.book().phase, Phase::Ended);
    world.blocks(2);
    assert!(matches!(world.book().phase, Phase::Converted { .. }));
    assert_eq!(world.points_of(&bob()).converted, Tokens(800));
    assert_eq!(world.points_of(&node()).converted, Tokens(200));
}

/// A pool that the cap does not allow shrinks to what it allows.
#[test]
fn conversion_keeps_the_cap() {
    let mut economy = Economy { points: converting(false), ..Economy::default() };
    economy.token.cap = Some(Tokens(2 * TOKENS + 400));
    let mut world = World::with_economy(economy);
    world.earn(&node(), 100);
    world.now = START + 10_000;
    world.blocks(3);
    assert_eq!(world.points_of(&node()).converted, Tokens(400));
    assert_eq!(world.supply().tokens, Tokens(2 * TOKENS + 400));
}
