//! Answers to queries: from tables and indexes, never by a scan of a foreign table.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::Proven;
use crate::merkle::Trie;
use crate::query::Proof;
use crate::state::{State, StateKey};
use crate::{Answer, Header, Query, accounts, credits, points};

/// The most records in one answer; further ones, in the order of their keys, are left out.
pub const ANSWER_RECORDS_MAX: usize = 16_384;

/// Answers `query` from `state`, whose newest block is `head`.
pub(crate) fn answer(state: &State, trie: &Trie, head: &Header, query: &Query) -> Answer {
    let (tables, indexes) = (&state.tables, &state.indexes);
    match query {
        Query::Head => Answer::Head(head.clone()),
        Query::Account(id) => Answer::Account(state.account(id)),
        Query::Nonce(key) => Answer::Nonce(state.nonce(key)),
        Query::Session(key) => Answer::Session(tables.sessions.get(key).cloned()),
        Query::SessionsOf(account) => {
            Answer::Sessions(select(&tables.sessions, indexes.sessions_of.get(account)))
        }
        Query::Channel(id) => Answer::Channel(tables.channels.get(id).cloned()),
        Query::ChannelsOfPayer(payer) => {
            Answer::Channels(select(&tables.channels, indexes.channels_of_payer.get(payer)))
        }
        Query::ChannelsOfProvider(node) => {
            Answer::Channels(select(&tables.channels, indexes.channels_of_provider.get(node)))
        }
        Query::Provider(node) => Answer::Provider(tables.providers.get(node).cloned()),
        Query::Providers => Answer::Providers(first(&tables.providers)),
        Query::Models => Answer::Models(first(&tables.models)),
        Query::Supply => Answer::Supply(state.supply()),
        Query::Economy => Answer::Economy(Box::new((*state.economy()).clone())),
        Query::Vault(vault) => Answer::Vault(state.vault(*vault)),
        Query::Prove(key) => Answer::Proof(Box::new(prove(state, trie, head, key))),
        Query::Flows => Answer::Flows(tables.flows.iter().map(|(k, v)| (*k, *v)).collect()),
        Query::Accounts(query) => Answer::Accounts(accounts::answer(state, query)),
        Query::Credits(query) => Answer::Credits(credits::answer(state, head.time, query)),
        Query::Escrow(query) => Answer::Escrow(crate::escrow::answer(state, query)),

        Query::Devices(query) => {
            Answer::Devices(Box::new(crate::devices::answer(state, head.time, query)))
        }

        Query::Stake(query) => {
            Answer::Stake(Box::new(crate::stake::answer(state, head.time, query)))
        }
        Query::Epochs(query) => Answer::Epochs(Box::new(crate::epochs::answer(state, query))),

        Query::Points(query) => Answer::Points(points::answer(state, query)),
        Query::Governance(query) => {
            Answer::Governance(Box::new(crate::governance::answer(state, query)))
        }
        Query::Disputes(query) => Answer::Disputes(crate::disputes::answer(state, query)),
    }
}

/// The leaf named `key`, or its absence, with its proof.
fn prove(state: &State, trie: &Trie, head: &Header, key: &[u8]) -> Proof {
    let known = StateKey::from_bytes(key);
    let value = known.and_then(|key| state.tables.value_bytes(&key));
    Proof { header: head.clone(), proven: Proven { value, proof: trie.prove(key) } }
}

/// The records of some keys.
pub(crate) fn select<K: Ord, V: Clone>(
    table: &BTreeMap<K, V>,
    keys: Option<&BTreeSet<K>>,
) -> Vec<V> {
    let keys = keys.into_iter().flatten().take(ANSWER_RECORDS_MAX);
    keys.filter_map(|key| table.get(key).cloned()).collect()
}

fn first<K: Ord, V: Clone>(table: &BTreeMap<K, V>) -> Vec<V> {
    table.values().take(ANSWER_RECORDS_MAX).cloned().collect()
}
