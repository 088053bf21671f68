//! Devices, certificates and licences.

use std::collections::BTreeMap;

use remuda_ledger::devices::{
    BenchmarkResults, CertificateRules, ClassRules, DevicesAction, LicenceRules, LicenceTier,
    Rules, Statement, Subject, WhitelistTier,
};
use remuda_ledger::math::{Fixed, Period, Share};
use remuda_ledger::{Action, Denomination};
use remuda_types::{AccountId, Credits, Hash, SecretKey, Tokens};

use crate::world::{account_of, grantor, key};

/// Small bounds and short times, so that histories meet them.
pub(super) fn rules() -> Rules {
    let classes = BTreeMap::from([("any".into(), ClassRules::default())]);
    Rules {
        enabled: true,
        waiting: Period(40),
        per_provider_max: 3,
        devices_max: 4,
        retired_memory: Period(100),
        classes,
        certificates: CertificateRules {
            validity_max: Period(200),
            tier_validity: [Period(200), Period(150), Period(100), Period(100)],
            auditor_bond: Tokens(20),
            auditor_cooldown: Period(80),
            per_subject_max: 3,
            per_issuer_max: 4,
            ..CertificateRules::default()
        },
        licences: licences(),
        ..Rules::default()
    }
}

fn licences() -> LicenceRules {
    let price = |text: &str| text.parse().unwrap();
    LicenceRules {
        series: 60,
        tiers: vec![
            LicenceTier { count: 20, price: price("1") },
            LicenceTier { count: 40, price: price("1.3333") },
        ],
        unit_tokens: Tokens(10),
        unit_credits: Credits(61),
        opens: Period(0),
        per_account_max: 30,
        whitelister: Some(account_of(&grantor())),
        whitelist: vec![WhitelistTier { opens: Period(0), allotment: 9, per_account_max: 5 }],
        referral_discount: Share::percent(7),
        referral_reward: Share::percent(6),
        treasury_share: Share::percent(40),
        buy_back_after: Some(Period(60)),
        buy_back_fee: Share::percent(50),
        transfer_after: Period(30),
    }
}

/// What somebody tries, and who is mostly entitled to it.
pub(super) fn action(what: u8, amount: u64, other: AccountId) -> (SecretKey, Action) {
    let small = u8::try_from(amount % 5).unwrap();
    let fingerprint = Hash([small; 32]);
    let holder = key([1, 2][usize::from(what / 16) % 2]);
    let node = key([20, 21][usize::from(what / 16) % 2]);
    let (signer, action) = match what % 16 {
        0 | 1 => {
            let (class, region) = ("any".into(), "eu".into());
            let (vram_mib, attributes) = (1, BTreeMap::new());
            let entry =
                DevicesAction::Register { fingerprint, class, region, vram_mib, attributes };
            (node, entry)
        }
        2 => (node, DevicesAction::Activate { fingerprint }),
        3 => (node, DevicesAction::Pause { fingerprint }),
        4 => (node, DevicesAction::Retire { fingerprint }),
        5 => {
            let info = Fixed(i128::from(amount) * 1_000_000_000);
            let results = BenchmarkResults { info, direct_light: info, path_trace: info };
            (node, DevicesAction::Report { fingerprint, results })
        }
        6 => (holder, certify(amount, Subject::Device(fingerprint))),
        7 => (holder, certify(amount, Subject::Node(key(20).public()))),
        8 => (holder, DevicesAction::Revoke { serial: amount % 8 }),
        9 => (holder, DevicesAction::BecomeAuditor),
        10 => (holder, DevicesAction::LeaveAuditors),
        11 => (holder, DevicesAction::TakeBond),
        12 => (node, DevicesAction::RotateReward { node: key(20).public(), reward: other }),
        _ => return licence_action(what, amount, other, holder),
    };
    (signer, Action::Devices(Box::new(action)))
}

fn certify(amount: u64, subject: Subject) -> DevicesAction {
    let evidence = Hash([7; 32]);
    let statement = match amount % 3 {
        0 => Statement::Attestation { measurement: evidence },
        _ => {
            let tier = u8::try_from(amount / 3 % 4).unwrap() + 1;
            Statement::Audit { tier, evidence, attributes: BTreeMap::new() }
        }
    };
    let valid_until = crate::world::START + amount % 1_000;
    DevicesAction::Certify { serial: amount % 8, subject, statement, valid_until }
}

fn licence_action(
    what: u8,
    amount: u64,
    other: AccountId,
    holder: SecretKey,
) -> (SecretKey, Action) {
    let number = u32::try_from(amount % 12).unwrap();
    let (signer, action) = match (what / 32) % 8 {
        0 => (holder, DevicesAction::GiveBack { number }),
        1 => (holder, DevicesAction::TransferLicence { number, to: other }),
        2 => (holder, DevicesAction::Delegate { number, operator: Some(key(21).public()) }),
        3 => {
            let tier = (!amount.is_multiple_of(4)).then_some(0);
            (grantor(), DevicesAction::Whitelist { account: other, tier })
        }
        kind => {
            let order = DevicesAction::BuyLicences {
                count: number % 6,
                denomination: [Denomination::Token, Denomination::Credit][usize::from(kind % 2)],
                most: amount.into(),
                whitelisted: amount.is_multiple_of(3),
                referrer: (amount.is_multiple_of(5)).then_some(other),
            };
            (holder, order)
        }
    };
    (signer, Action::Devices(Box::new(action)))
}
