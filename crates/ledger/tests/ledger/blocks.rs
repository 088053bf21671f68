//! Blocks, replay, restore, revert and proofs.

use std::collections::BTreeMap;

use remuda_ledger::{
    Action, Answer, Block, BlockError, Genesis, GenesisAccount, Ledger, Parameters, Query,
    RestoreError, StateKey,
};
use remuda_types::{Canonical, Credits, Hash, Tokens};

use crate::world::*;

fn lively() -> (World, Vec<Block>) {
    let mut world = World::new();
    let mut blocks = Vec::new();
    let transfer = Action::Transfer { to: account_of(&bob()), amount: Tokens(1) };
    let session = create_session(&session_key(), 900, START + 5_000);
    let open = open_channel([1; 32], &node(), 300, START + 4_000);
    let refused = Action::DeregisterProvider;
    for (signer, action) in
        [(alice(), transfer), (alice(), session), (session_key(), open), (bob(), refused)]
    {
        world.now += 7;
        let transaction = world.sign(&signer, action);
        blocks.push(world.block(&[transaction]).block);
    }
    (world, blocks)
}

#[test]
fn genesis_is_height_zero_and_names_the_network() {
    let world = World::new();
    let head = world.ledger.head();
    assert_eq!((head.height, head.time), (0, START));
    assert_eq!(head.network, world.genesis.network());
    assert_eq!(world.ledger.query(&Query::Head), Answer::Head(head.clone()));
    let other = Genesis { name: "other".into(), ..world.genesis.clone() };
    assert_ne!(other.network(), world.genesis.network());
}

#[test]
fn a_genesis_beyond_the_range_of_money_is_refused() {
    let mut genesis = genesis_with(Parameters::default());
    let entry = |tokens, credits| GenesisAccount {
        account: account_of(&key(60)),
        tokens: Tokens(tokens),
        credits: Credits(credits),
    };
    for entry in [entry(u128::MAX, 0), entry(0, u64::MAX)] {
        genesis.accounts.truncate(2);
        genesis.accounts.push(entry);
        assert_eq!(Ledger::new(&genesis).map_err(|e| e.code()).err(), Some("genesis_overflow"));
    }
}

#[test]
fn block_time_never_runs_backwards() {
    let mut world = World::new();
    let error = world.ledger.apply(START - 1, &[]).unwrap_err();
    assert_eq!(error, BlockError::TimeBackwards { head: START, found: START - 1 });
    assert!(world.ledger.apply(START, &[]).is_ok());
}

#[test]
fn a_block_has_a_bounded_number_of_transactions() {
    let most = 3;
    let parameters = Parameters { transactions_per_block_max: most, ..Parameters::default() };
    let mut world = World::with(parameters);
    let transaction = world.sign(&alice(), Action::DeregisterProvider);
    let error = world.ledger.apply(START, &vec![transaction.clone(); 4]).unwrap_err();
    assert_eq!(error, BlockError::TooManyTransactions { count: 4, most });
    assert_eq!(world.ledger.head().height, 0);
    world.block(&vec![transaction; 3]);
}

#[test]
fn headers_chain() {
    let (world, blocks) = lively();
    let genesis = Ledger::new(&world.genesis).unwrap();
    let mut parent = genesis.head().clone();
    for block in &blocks {
        assert_eq!(block.verify_links(&parent), Ok(()));
        assert_eq!(block.header.parent, parent.digest());
        assert_ne!(block.header.beacon, parent.beacon);
        parent = block.header.clone();
    }
    assert_eq!(&parent, world.ledger.head());
}

#[test]
fn replayed_blocks_give_the_same_ledger() {
    let (world, blocks) = lively();
    let mut follower = Ledger::new(&world.genesis).unwrap();
    for block in &blocks {
        follower.replay(block).unwrap();
    }
    assert_same(&follower, &world.ledger);
    let again = follower.replay(&blocks[3]).unwrap_err();
    assert_eq!(again, BlockError::WrongHeight { expected: 5, found: 4 });
}

#[test]
fn a_block_that_lies_is_refused_and_leaves_no_trace() {
    let (world, blocks) = lively();
    let mut follower = Ledger::new(&world.genesis).unwrap();
    follower.replay(&blocks[0]).unwrap();
    let honest = follower.clone();
    type Lie = fn(&mut Block);
    let lies: [(&str, Lie); 9] = [
        ("block_diverged", |block| block.header.state.0[0] ^= 1),
        ("block_diverged", |block| block.header.outcomes.0[0] ^= 1),
        ("block_diverged", |block| block.header.transactions.0[0] ^= 1),
        ("block_diverged", |block| block.header.beacon.0[0] ^= 1),
        ("block_diverged", |block| block.transactions.clear()),
        ("block_diverged", |block| block.outcomes.clear()),
        ("block_wrong_parent", |block| block.header.parent.0[0] ^= 1),
        ("block_wrong_network", |block| block.header.network.0.0[0] ^= 1),
        ("block_time_backwards", |block| block.header.time = START),
    ];
    for (code, lie) in lies {
        let mut block = blocks[1].clone();
        lie(&mut block);
        assert_eq!(follower.replay(&block).map(|_| ()).map_err(|e| e.code()), Err(code));
        assert_same(&follower, &honest);
        follower.audit().unwrap();
    }
    follower.replay(&blocks[1]).unwrap();
}

/// A block whose header is consistent with itself, but not with the rules.
#[test]
fn a_block_with_invented_outcomes_is_refused() {
    let (world, blocks) = lively();
    let mut follower = Ledger::new(&world.genesis).unwrap();
    for block in &blocks[..3] {
        follower.replay(block).unwrap();
    }
    let honest = follower.clone();
    let mut invented = blocks[3].clone();
    assert!(!invented.outcomes[0].is_applied());
    invented.outcomes[0] = blocks[0].outcomes[0].clone();
    invented.header.outcomes = blocks[0].header.outcomes;
    assert_eq!(invented.verify_links(follower.head()), Ok(()));
    let error = follower.replay(&invented).unwrap_err();
    assert_eq!(error, BlockError::Diverged { part: "outcomes" });
    assert_same(&follower, &honest);
}

#[test]
fn a_block_that_could_not_be_stored_is_taken_back() {
    let (mut world, _) = lively();
    let before = world.ledger.clone();
    let channel = world.opening(50);
    let first = world.sign(&alice(), channel);
    let applied = world.block(&[first]);
    let next = world.block(&[]);
    assert_eq!(world.ledger.revert(applied.clone()), Err(BlockError::NotTheHead));
    world.ledger.revert(next).unwrap();
    world.ledger.revert(applied.clone()).unwrap();
    world.ledger.audit().unwrap();
    assert_same(&world.ledger, &before);
    let again = world.ledger.replay(&applied.block).unwrap();
    assert_eq!(again.changes, applied.changes);
}

#[test]
fn changes_are_exactly_the_changed_leaves() {
    let mut world = World::new();
    let mut store: BTreeMap<_, _> = world.ledger.leaves().collect();
    let transaction = world.sign(&alice(), open_channel([1; 32], &node(), 9, START + 9));
    let applied = world.block(&[transaction]);
    // The account, its nonce, the channel, the supply, the beacon.
    assert_eq!(applied.changes.len(), 5);
    for (key, value) in applied.changes {
        match value {
            Some(value) => store.insert(key, value),
            None => store.remove(&key),
        };
    }
    assert!(store.into_iter().eq(world.ledger.leaves().collect::<BTreeMap<_, _>>()));
    let idle = world.block(&[]).changes;
    assert!(idle.iter().all(|(key, _)| is_beacon(key)));
}

#[test]
fn a_restored_ledger_goes_on_alike() {
    let (mut world, _) = lively();
    let head = world.ledger.head().clone();
    let mut leaves: Vec<_> = world.ledger.leaves().collect();
    leaves.reverse();
    let mut restored = Ledger::restore(&world.genesis, head, leaves).unwrap();
    restored.audit().unwrap();
    assert_same(&restored, &world.ledger);
    let transaction = world.sign(&session_key(), open_channel([2; 32], &node(), 9, START + 99));
    let block = world.block(&[transaction]).block;
    restored.replay(&block).unwrap();
    assert_same(&restored, &world.ledger);
}

#[test]
fn a_damaged_store_is_refused() {
    let (world, _) = lively();
    let leaves: Vec<_> = world.ledger.leaves().collect();
    let restore = |genesis: &Genesis, leaves: Vec<(Vec<u8>, Vec<u8>)>| {
        let result = Ledger::restore(genesis, world.ledger.head().clone(), leaves);
        result.map_err(|error| error.code()).err()
    };
    assert_eq!(restore(&world.genesis, leaves.clone()), None);
    assert_eq!(restore(&world.genesis, leaves[1..].to_vec()), Some("restore_root"));
    let doubled = [leaves.clone(), leaves[..1].to_vec()].concat();
    assert_eq!(restore(&world.genesis, doubled), Some("restore_duplicate"));
    let other = Genesis { name: "other".into(), ..world.genesis.clone() };
    assert_eq!(restore(&other, leaves.clone()), Some("restore_wrong_network"));
    for (index, (key, value)) in leaves.iter().enumerate() {
        for bad in [
            (key.clone(), [&value[..], &[0]].concat()),
            (key.clone(), value[..value.len() - 1].to_vec()),
            ([&[200], &key[1..]].concat(), value.clone()),
            (key.clone(), [&[9], &value[1..]].concat()),
            (vec![], value.clone()),
            (key.clone(), vec![]),
        ] {
            let mut damaged = leaves.clone();
            damaged[index] = bad;
            assert_eq!(restore(&world.genesis, damaged), Some("restore_malformed"));
        }
    }
    let mut richer = leaves;
    richer[2].1[1] ^= 1;
    assert_eq!(restore(&world.genesis, richer), Some("restore_root"));
    let malformed = RestoreError::Malformed { key: "00".into() };
    assert!(malformed.to_string().contains("damaged"));
}

#[test]
fn records_and_their_absence_are_proven_from_a_header() {
    let (world, _) = lively();
    let root = world.ledger.head().state;
    let present = [
        StateKey::Account(account_of(&alice())),
        StateKey::Session(session_key().public()),
        StateKey::Nonce(bob().public()),
        StateKey::Supply(()),
        StateKey::Parameters(()),
    ];
    for key in present {
        let proven = world.ledger.prove(&key);
        let value = proven.value.as_deref();
        assert!(value.is_some(), "{key:?}");
        let check = |root: &Hash, value| proven.proof.verify(root, &key.to_bytes(), value).is_ok();
        assert!(check(&root, value));
        assert!(!check(&Hash([7; 32]), value));
        assert!(!check(&root, Some(b"more")) && !check(&root, None));
    }
    let absent = StateKey::Account(account_of(&key(99)));
    let proven = world.ledger.prove(&absent);
    assert_eq!(proven.value, None);
    assert_eq!(proven.proof.verify(&root, &absent.to_bytes(), None), Ok(()));
    let alice = StateKey::Account(account_of(&alice()));
    assert!(proven.proof.verify(&root, &alice.to_bytes(), None).is_err());
}

#[test]
fn a_proof_can_be_asked_for_by_the_name_s_bytes() {
    let (world, _) = lively();
    let ask = |name: Vec<u8>| match world.ledger.query(&Query::Prove(name)) {
        Answer::Proof(proof) => *proof,
        other => panic!("{other:?}"),
    };
    let key = StateKey::Account(account_of(&alice()));
    assert_eq!(StateKey::from_bytes(&key.to_bytes()), Some(key.clone()));
    let found = ask(key.to_bytes());
    assert_eq!(found.header, *world.ledger.head());
    assert_eq!(found.proven, world.ledger.prove(&key));
    let nonsense = ask(vec![255, 1, 2]);
    assert_eq!(StateKey::from_bytes(&[255, 1, 2]), None);
    assert_eq!(nonsense.proven.value, None);
    let root = &nonsense.header.state;
    assert_eq!(nonsense.proven.proof.verify(root, &[255, 1, 2], None), Ok(()));
}
