//! Stake in random histories: two owned nodes, delegators, and a judge.

use remuda_ledger::Action;
use remuda_ledger::math::{Period, Share};
use remuda_ledger::stake::{
    BribeRules, CoStakeRules, Offence, OffenceRules, Risk, Role, RoleRules, Rules, Sharing,
    SplitRules, StakeAction, Subject,
};
use remuda_types::{SecretKey, Tokens};

use crate::world::{account_of, grantor, key};

/// The rules of a history: all on, with short times so that histories meet them.
pub(super) fn rules(variant: usize) -> Rules {
    let role = RoleRules { open: true, minimum: Tokens(50), ..RoleRules::default() };
    let offence = |offence, parts: &[u64], jail, eject_at| OffenceRules {
        offence,
        parts: parts.iter().map(|part| Share::percent(*part).into()).collect(),
        window: Period(100),
        jail: Period(jail),
        eject_at,
    };
    Rules {
        provider: RoleRules { sharing: Sharing::Bribe, ..role.clone() },
        validator: role,
        cooldown: Period(40),
        delegation: true,
        moves: true,
        move_wait: Period(20),
        compound: variant % 2 == 1,
        reward_vesting: Period(60 * (variant as u64 % 3)),
        bribe: BribeRules { most: Share::percent(90), notice: Period(10) },
        co_stake: CoStakeRules { most: Share::percent(50), offers: 1, cooldown: Period(30) },
        offences: vec![
            offence(Offence::StatisticalFailure, &[30, 100], 30, 2),
            offence(Offence::Interruption, &[10], 0, 0),
        ],
        split: SplitRules {
            reporter: Share::percent(30),
            affected: Share::percent(20),
            treasury: Share::percent(1),
        },
        grantor_judges: true,
        subjects_max: 3,
        ..Rules::default()
    }
}

/// Most histories need stake: Alice's two nodes enroll, and she and Bob bond to the first.
pub(super) fn beginning() -> [Vec<(SecretKey, Action)>; 2] {
    let (role, owner) = (Role::Provider, account_of(&key(1)));
    let commission = Share::percent(10);
    let subject = Subject { role, operator: key(20).public() };
    let enroll = || Action::Stake(Box::new(StakeAction::Enroll { role, owner, commission }));
    let stake = |action| Action::Stake(Box::new(action));
    let bond = StakeAction::Bond { subject, amount: Tokens(200) };
    let delegate = StakeAction::Delegate { subject, amount: Tokens(200) };
    [
        vec![(key(20), enroll()), (key(21), enroll())],
        vec![(key(1), stake(bond)), (key(2), stake(delegate))],
    ]
}

/// What somebody tries, and who is entitled to it: Alice owns the nodes, Bob delegates.
pub(super) fn action(what: u8, amount: u64, other: u8) -> (SecretKey, Action) {
    let (owner, staker) = (key(1), key(2));
    let role = if other % 8 == 7 { Role::Validator } else { Role::Provider };
    let node = key([20, 20, 21][usize::from(other) % 3]);
    let subject = Subject { role, operator: node.public() };
    let amount = Tokens(u128::from(amount));
    let part = (!other.is_multiple_of(4)).then_some(amount);
    let share = Share::percent(u64::from(other) % 100);
    let either = if other.is_multiple_of(2) { owner.clone() } else { staker.clone() };
    let (signer, action) = match what % 18 {
        0 | 1 => {
            let (owner, commission) = (account_of(&owner), Share::percent(10));
            (node, StakeAction::Enroll { role, owner, commission })
        }
        2 | 3 => (owner, StakeAction::Bond { subject, amount }),
        4 | 5 => (staker, StakeAction::Delegate { subject, amount }),
        6 => (either, StakeAction::Unbond { subject, amount: part }),
        7 => (either, StakeAction::CancelUnbonding { unbonding: u64::from(other % 4) }),
        8 => {
            let operator = key([21, 20][usize::from(other) % 2]).public();
            let to = Subject { operator, ..subject };
            (staker, StakeAction::Move { from: subject, to, amount: part })
        }
        9 => (either, StakeAction::Claim { subject }),
        10 => (staker, StakeAction::Claim { subject }),
        11 => (owner, StakeAction::SetBribe { subject, share }),
        12 => co_stake(other, subject),
        13 => (staker, StakeAction::Fund { subject, amount }),
        14..=16 => return judge(what, subject, amount, other),
        _ => (
            owner,
            if other.is_multiple_of(2) {
                StakeAction::Unjail { subject }
            } else {
                StakeAction::Retire { subject }
            },
        ),
    };
    (signer, Action::Stake(Box::new(action)))
}

fn co_stake(other: u8, subject: Subject) -> (SecretKey, StakeAction) {
    let (amount, share) = (Tokens(40), Share::percent(30));
    match other % 4 {
        0 => (key(1), StakeAction::OfferCoStake { subject, amount, share }),
        1 => (key(2), StakeAction::AcceptCoStake { subject, amount, share }),
        2 => (key(1), StakeAction::WithdrawOffer { subject }),
        _ => (key(2), StakeAction::EndCoStake { subject }),
    }
}

fn judge(what: u8, subject: Subject, amount: Tokens, other: u8) -> (SecretKey, Action) {
    let offence = if what % 18 == 14 { Offence::StatisticalFailure } else { Offence::Interruption };
    let at_risk = if other.is_multiple_of(4) { Risk::All } else { Risk::Tokens(amount) };
    let reporter = (other.is_multiple_of(2)).then(|| account_of(&key(2)));
    let affected = vec![account_of(&key(50))];
    let charge = StakeAction::Judge { subject, offence, at_risk, reporter, affected };
    (grantor(), Action::Stake(Box::new(charge)))
}
