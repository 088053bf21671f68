//! The formats of what is signed, hashed and stored, byte for byte. A failure here means that
//! existing chains no longer replay: raise the type's format version and domain instead.
//!
//! `UPDATE_GOLDEN=1` writes the files of `tests/golden/` anew: for new records only.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;
use std::path::PathBuf;

use proptest::prelude::*;
use remuda_ledger::Denomination;
use remuda_ledger::accounts::{
    AccountsAction, MultisigPolicy, MultisigProposalId, SealedAction, VestingTerms,
};
use remuda_ledger::credits::CreditsAction;
use remuda_ledger::devices::{self, BenchmarkResults, DevicesAction, Statement};
use remuda_ledger::epochs::{
    CapacityEntry, CoverageEntry, Density, DutyEntry, EpochAction, Facts, Recipient, UptimeEntry,
};
use remuda_ledger::governance::{
    Choice, GovernanceAction, ParameterChange, ProposalKind, UpgradePlan,
};
use remuda_ledger::math::{Fixed, Period, Share};
use remuda_ledger::points::PointsAction;
use remuda_ledger::stake::{Load, Offence, Risk, Role, StakeAction, Subject};
use remuda_ledger::{
    Action, Block, Genesis, GenesisAccount, Header, Ledger, Parameters, StateKey, Transaction,
};
use remuda_types::job::JobKind;
use remuda_types::{
    Canonical, ChannelId, CodecError, Credits, Hash, ManifestHash, SecretKey, Signed, Tokens,
    Voucher,
};

fn key(index: u8) -> SecretKey {
    SecretKey::from_seed([index; 32])
}

fn genesis() -> Genesis {
    Genesis {
        name: "golden".into(),
        time: 1_700_000_000_000,
        grantor: key(1).public(),
        accounts: vec![GenesisAccount {
            account: key(2).public().into(),
            tokens: Tokens(5_000_000_000),
            credits: Credits(1_000_000),
        }],
        roles: std::collections::BTreeMap::new(),
        parameters: Parameters::default(),
        economy: remuda_ledger::Economy::default(),
    }
}

fn voucher() -> Signed<Voucher> {
    let channel = ChannelId::derive(&key(2).public(), &key(3).public(), &[7; 32]);
    let cumulative = Credits(150);
    Signed::sign(Voucher { channel, sequence: 1, cumulative, receipt: None }, &key(2))
}

/// One action of each kind, in the order of their tags on the wire.
fn actions() -> Vec<Action> {
    let (account, node) = (key(4).public().into(), key(3).public());
    let channel = voucher().body.channel;
    let ends = 1_700_000_100_000;
    vec![
        Action::Transfer { to: account, amount: Tokens(9) },
        Action::GrantCredits { to: account, amount: Credits(8) },
        Action::CreateSession { session: key(5).public(), cap: Credits(7), expires_at: ends },
        Action::RevokeSession { session: key(5).public() },
        Action::OpenChannel {
            nonce: [7; 32],
            provider: node,
            client: key(6).public(),
            deposit: Credits(500),
            expires_at: ends,
        },
        Action::TopUpChannel { channel, amount: Credits(6) },
        Action::RequestClose { channel },
        Action::Redeem { vouchers: vec![voucher()] },
        Action::CloseChannel { channel, voucher: Some(voucher()) },
        Action::ExpireChannel { channel },
        Action::RegisterProvider { reward: account, name: "p".into() },
        Action::DeregisterProvider,
        Action::RegisterModel {
            name: "m".into(),
            manifest: ManifestHash(Hash([9; 32])),
            kinds: vec![JobKind::Generate],
            licence: "MIT".into(),
        },
        Action::Stake(Box::new(StakeAction::Judge {
            subject: Subject { role: Role::Checker, operator: node },
            offence: Offence::Interruption,
            at_risk: Risk::Load(Load { count: 2, weight: Fixed::ONE }),
            reporter: Some(account),
            affected: vec![account],
        })),
    ]
    .into_iter()
    .chain(accounts_actions())
    .chain(credits_actions())
    .chain(devices_actions())
    .chain(epoch_actions())
    .chain(points_actions())
    .chain(governance_actions())
    .collect()
}

fn credits_actions() -> Vec<Action> {
    let (credits, tokens) = (Credits(11), Tokens(12));
    let actions = [
        CreditsAction::PostPrice { price: credits },
        CreditsAction::BuyCredits { tokens, credits_min: credits },
        CreditsAction::BuyExactCredits { credits, tokens_max: tokens },
        CreditsAction::SettleEarned { credits, tokens_min: tokens },
        CreditsAction::RefundCredits { credits, tokens_min: tokens },
        CreditsAction::FundReserve { tokens },
    ];
    actions.into_iter().map(Action::Credits).collect()
}

fn epoch_actions() -> Vec<Action> {
    let (provider, device) = (key(3).public(), Hash([8; 32]));
    let (facts, uptime) = (Facts::default(), Share::percent(95));
    let density = vec![Density { limit: 4, count: 61 }];
    let actions = [
        EpochAction::ReportCapacity { entries: vec![CapacityEntry { provider, device, facts }] },
        EpochAction::ReportUptime { entries: vec![UptimeEntry { provider, device, uptime }] },
        EpochAction::ReportCoverage { entries: vec![CoverageEntry { provider, device, density }] },
        EpochAction::ReportDuty {
            recipient: Recipient::Checkers,
            entries: vec![DutyEntry { node: provider, weight: 7 }],
        },
        EpochAction::ClaimRewards,
    ];
    actions.into_iter().map(Action::Epochs).collect()
}

fn points_actions() -> Vec<Action> {
    let actions = [
        PointsAction::CreateTeam { name: "t".into() },
        PointsAction::JoinTeam { team: 1 },
        PointsAction::LeaveTeam,
        PointsAction::NameInviter { inviter: key(4).public().into() },
        PointsAction::OpenChests { count: 2 },
        PointsAction::FundChests { credits: Credits(3) },
        PointsAction::ClaimCertificate,
        PointsAction::ClaimTokens,
    ];
    actions.into_iter().map(Action::Points).collect()
}

fn accounts_actions() -> Vec<Action> {
    let to = key(4).public().into();
    let policy = MultisigPolicy::new([key(4).public(), key(5).public()], 2);
    let proposal = MultisigProposalId { account: policy.account(), number: 3 };
    let inner = Action::Transfer { to, amount: Tokens(9) };
    let action = SealedAction::seal(&inner).unwrap();
    let (account, expires_at) = (proposal.account, 1_700_000_100_000);
    let terms = VestingTerms {
        at_once: Share::percent(5),
        cliff: Period::DAY,
        duration: Period::DAY.times(30),
        parts: 30,
    };
    let amount = Tokens(700);
    let all = [
        AccountsAction::CreateMultisig { policy },
        AccountsAction::Propose { account, action, expires_at },
        AccountsAction::Approve { proposal },
        AccountsAction::Cancel { proposal },
        AccountsAction::MakeGrant { to, amount, terms, revocable: true },
        AccountsAction::ClaimGrant { grant: 7 },
        AccountsAction::RevokeGrant { grant: 7 },
    ];
    all.into_iter().map(Action::Accounts).collect()
}

fn devices_actions() -> Vec<Action> {
    let (fingerprint, evidence) = (Hash([1; 32]), Hash([2; 32]));
    let (account, node) = (key(4).public().into(), key(3).public());
    let attributes = std::collections::BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let one = remuda_ledger::math::Fixed::ONE;
    let results = BenchmarkResults { info: one, direct_light: one, path_trace: one };
    let audit = Statement::Audit { tier: 2, evidence, attributes: attributes.clone() };
    let certify = |serial, subject, statement| DevicesAction::Certify {
        serial,
        subject,
        statement,
        valid_until: 1_700_000_100_000,
    };
    let (class, region) = ("gpu".to_owned(), "eu".to_owned());
    let (vram_mib, described) = (8_192, attributes.clone());
    let transport = Statement::Transport { digest: evidence };
    let attestation = Statement::Attestation { measurement: evidence };
    let all = [
        DevicesAction::Register {
            fingerprint,
            class,
            region: region.clone(),
            vram_mib,
            attributes,
        },
        DevicesAction::Describe { fingerprint, region, attributes: described },
        DevicesAction::Activate { fingerprint },
        DevicesAction::Pause { fingerprint },
        DevicesAction::Retire { fingerprint },
        DevicesAction::Report { fingerprint, results },
        certify(1, devices::Subject::Account(account), transport),
        certify(2, devices::Subject::Node(node), attestation),
        certify(3, devices::Subject::Device(fingerprint), audit),
        DevicesAction::Revoke { serial: 3 },
        DevicesAction::BecomeAuditor,
        DevicesAction::LeaveAuditors,
        DevicesAction::TakeBond,
        DevicesAction::BuyLicences {
            count: 2,
            denomination: Denomination::Credit,
            most: 900,
            whitelisted: true,
            referrer: Some(account),
        },
        DevicesAction::Delegate { number: 7, operator: Some(node) },
        DevicesAction::TransferLicence { number: 7, to: account },
        DevicesAction::GiveBack { number: 7 },
        DevicesAction::Whitelist { account, tier: Some(1) },
        DevicesAction::RotateReward { node, reward: account },
    ];
    all.into_iter().map(|action| Action::Devices(Box::new(action))).collect()
}

fn governance_actions() -> Vec<Action> {
    let to = key(4).public().into();
    let (tokens, credits, proposal) = (Tokens(9), Credits(8), 3);
    let changes = vec![ParameterChange { path: "token.cap".into(), value: "\"7\"".into() }];
    let plan = UpgradePlan { name: "2".into(), height: 77 };
    let kinds = [
        ProposalKind::Text,
        ProposalKind::Change { changes },
        ProposalKind::Spend { to, amount: 9, denomination: Denomination::Token },
        ProposalKind::Burn { amount: tokens },
        ProposalKind::SeedPool { tokens, credits },
        ProposalKind::Upgrade { plan },
    ];
    let propose = |kind| {
        let (title, text) = ("title".into(), "text".into());
        GovernanceAction::Propose { title, text, kind }
    };
    let vote = |choice| GovernanceAction::Vote { proposal, choice };
    let all = [
        GovernanceAction::LockVotes { amount: tokens },
        GovernanceAction::UnlockVotes { amount: tokens },
        vote(Choice::Yes),
        vote(Choice::No),
        vote(Choice::Abstain),
        vote(Choice::Veto),
        GovernanceAction::Execute { proposal },
        GovernanceAction::CouncilVeto { proposal },
        GovernanceAction::CouncilPass { proposal },
        GovernanceAction::CouncilSpend { to, amount: tokens, memo: "memo".into() },
        GovernanceAction::CouncilCancel { spend: 2 },
        GovernanceAction::Sell { tokens, least: credits },
    ];
    let all = kinds.into_iter().map(propose).chain(all);
    all.map(|action| Action::Governance(Box::new(action))).collect()
}

fn transaction(nonce: u64, action: Action) -> Transaction {
    Transaction { network: genesis().network(), nonce, action }
}

fn ledger_and_block() -> (Ledger, Block) {
    let mut ledger = Ledger::new(&genesis()).unwrap();
    let open = actions().swap_remove(4);
    let redeem = Action::Redeem { vouchers: vec![voucher()] };
    let transactions = [
        Signed::sign(transaction(0, open), &key(2)),
        Signed::sign(transaction(0, redeem), &key(3)),
        Signed::sign(transaction(0, Action::DeregisterProvider), &key(4)),
        Signed::sign(transaction(9, Action::DeregisterProvider), &key(4)),
    ];
    let block = ledger.apply(1_700_000_000_500, &transactions).unwrap().block;
    (ledger, block)
}

/// Checks `text` against the file, or writes it when asked to.
fn check_golden(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&file).unwrap(), "{name}: the format changed");
}

fn digits(bytes: &[u8]) -> String {
    let digits = hex::encode(bytes);
    let lines = digits.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn golden_text<T: Canonical>(value: &T) -> String {
    format!("{}\n\n{}\n", value.digest(), digits(&value.to_canonical()))
}

fn check_strict<T: Canonical + PartialEq + Debug>(value: &T) {
    let bytes = value.to_canonical();
    assert_eq!(T::from_canonical(&bytes).as_ref(), Ok(value));
    for end in 0..bytes.len() {
        assert!(T::from_canonical(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(T::from_canonical(&[&bytes[..], &[0]].concat()).is_err());
    let other = [&[T::VERSION + 1], &bytes[1..]].concat();
    let expected = CodecError::Version { found: T::VERSION + 1, supported: T::VERSION };
    assert_eq!(T::from_canonical(&other), Err(expected));
}

#[test]
fn genesis_bytes() {
    check_golden("genesis.hex", &golden_text(&genesis()));
    check_strict(&genesis());
}

#[test]
fn transaction_bytes() {
    let transactions: Vec<_> =
        (0..).zip(actions()).map(|(nonce, action)| transaction(nonce, action)).collect();
    let text: Vec<_> = transactions.iter().map(golden_text).collect();
    check_golden("transactions.hex", &text.join("\n"));
    for transaction in &transactions {
        check_strict(transaction);
    }
}

#[test]
fn block_and_header_bytes() {
    let (_, block) = ledger_and_block();
    check_golden("block.hex", &golden_text(&block));
    check_golden("header.hex", &golden_text(&block.header));
    check_strict::<Block>(&block);
    check_strict::<Header>(&block.header);
}

/// Stored leaves: their keys, their values and the root over them.
#[test]
fn state_bytes() {
    let (ledger, _) = ledger_and_block();
    let leaves =
        ledger.leaves().map(|(key, value)| format!("{}\n{}\n", digits(&key), digits(&value)));
    let text = format!("{}\n\n{}", ledger.head().state, leaves.collect::<Vec<_>>().join("\n"));
    check_golden("state.hex", &text);
}

#[test]
fn proof_bytes() {
    let (ledger, _) = ledger_and_block();
    let proven = ledger.prove(&StateKey::Account(key(2).public().into()));
    check_golden("proof.hex", &golden_text(&proven.proof));
    check_strict(&proven.proof);
}

fn any_action() -> impl Strategy<Value = Action> {
    let texts = (".{0,20}", any::<u64>(), any::<[u8; 32]>());
    let fixed = (0..actions().len()).prop_map(|index| actions().swap_remove(index));
    let varied = texts.prop_map(|(text, number, bytes)| match number % 3 {
        0 => Action::RegisterProvider { reward: remuda_types::AccountId(Hash(bytes)), name: text },
        1 => Action::Transfer {
            to: remuda_types::AccountId(Hash(bytes)),
            amount: Tokens(u128::from(number) << 3),
        },
        _ => Action::ExpireChannel { channel: ChannelId(Hash(bytes)) },
    });
    prop_oneof![fixed, varied]
}

proptest! {
    #[test]
    fn transactions_round_trip(nonce in any::<u64>(), action in any_action()) {
        let transaction = transaction(nonce, action);
        let bytes = transaction.to_canonical();
        prop_assert_eq!(Transaction::from_canonical(&bytes).unwrap(), transaction);
    }

    #[test]
    fn any_bytes_decode_to_one_value_or_none(
        mut bytes in prop::collection::vec(any::<u8>(), 42..200),
    ) {
        // A version, then network and nonce (40 bytes), then the action's tag.
        bytes[0] = 1;
        bytes[41] %= 32;
        if let Ok(transaction) = Transaction::from_canonical(&bytes) {
            prop_assert_eq!(transaction.to_canonical(), bytes);
        }
    }

    #[test]
    fn a_damaged_block_is_never_replayed(
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let (_, block) = ledger_and_block();
        let mut bytes = block.to_canonical();
        let index = at.index(bytes.len());
        bytes[index] ^= flip;
        if let Ok(damaged) = Block::from_canonical(&bytes) {
            let mut follower = Ledger::new(&genesis()).unwrap();
            // With another time it is another block, which the rules allow as well; that it
            // is not the one that was finalised, its digest says.
            let later = damaged.header.time != block.header.time;
            if later && follower.replay(&damaged).is_ok() {
                prop_assert_ne!(damaged.header.digest(), block.header.digest());
                return Ok(());
            }
            prop_assert!(follower.replay(&damaged).is_err());
            prop_assert_eq!(follower.head().height, 0);
        }
    }
}

/// A block that says another time than it was made at is another block: whoever follows a
/// finalised header notices by its digest.
#[test]
fn the_time_of_a_block_is_bound_by_its_digest() {
    let (_, block) = ledger_and_block();
    let mut later = block.clone();
    later.header.time += 1;
    assert!(Ledger::new(&genesis()).unwrap().replay(&later).is_ok());
    assert_ne!(later.header.digest(), block.header.digest());
}
