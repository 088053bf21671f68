//! The registry of providers and models.

use remuda_ledger::{Action, Answer, Model, Parameters, Provider, Query};
use remuda_types::job::JobKind;
use remuda_types::{Hash, ManifestHash, SecretKey};

use crate::world::*;

fn register(reward: &SecretKey, name: &str) -> Action {
    Action::RegisterProvider { reward: account_of(reward), name: name.into() }
}

fn model(name: &str, manifest: u8, kinds: &[JobKind]) -> Action {
    Action::RegisterModel {
        name: name.into(),
        manifest: ManifestHash(Hash([manifest; 32])),
        kinds: kinds.to_vec(),
        licence: "Apache-2.0".into(),
    }
}

fn providers(world: &World) -> Vec<Provider> {
    match world.ledger.query(&Query::Providers) {
        Answer::Providers(providers) => providers,
        other => panic!("{other:?}"),
    }
}

fn models(world: &World) -> Vec<Model> {
    match world.ledger.query(&Query::Models) {
        Answer::Models(models) => models,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_renewal_keeps_the_first_height() {
    let mut world = World::new();
    world.done(&node(), register(&alice(), "one"));
    world.done(&node(), register(&bob(), "two"));
    let found = providers(&world);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].registered_at, found[0].name.as_str()), (1, "two"));
    assert_eq!(found[0].reward, account_of(&bob()));
    world.done(&node(), Action::DeregisterProvider);
    assert_eq!(providers(&world), []);
    assert_eq!(world.refused(&node(), Action::DeregisterProvider), "unknown_provider");
}

#[test]
fn texts_have_bounds() {
    let mut world = World::new();
    for name in [String::new(), "x".repeat(65)] {
        assert_eq!(world.refused(&node(), register(&alice(), &name)), "text_length");
    }
    for name in [String::new(), "x".repeat(129)] {
        let action = model(&name, 1, &[JobKind::Generate]);
        assert_eq!(world.refused(&alice(), action), "text_length");
    }
    world.done(&node(), register(&alice(), &"x".repeat(64)));
    world.done(&alice(), model(&"x".repeat(128), 1, &[JobKind::Generate]));
}

#[test]
fn a_model_s_name_belongs_to_its_first_owner() {
    let mut world = World::new();
    world.done(&alice(), model("m", 1, &[JobKind::Generate]));
    let stolen = model("m", 2, &[JobKind::Generate]);
    assert_eq!(world.refused(&bob(), stolen.clone()), "model_owned");
    world.done(&alice(), stolen);
    let found = models(&world);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].manifest, ManifestHash(Hash([2; 32])));
    assert_eq!(found[0].owner, account_of(&alice()));
}

#[test]
fn a_model_serves_each_kind_once() {
    let mut world = World::new();
    assert_eq!(world.refused(&alice(), model("m", 1, &[])), "model_kinds");
    let twice = model("m", 1, &[JobKind::Embed, JobKind::Embed]);
    assert_eq!(world.refused(&alice(), twice), "model_kinds");
    world.done(&alice(), model("m", 1, &[JobKind::Embed, JobKind::Generate]));
    assert_eq!(models(&world)[0].kinds, [JobKind::Generate, JobKind::Embed]);
}

#[test]
fn the_registry_is_bounded() {
    let parameters = Parameters { providers_max: 1, models_max: 1, ..Parameters::default() };
    let mut world = World::with(parameters);
    world.done(&key(21), register(&alice(), "p"));
    assert_eq!(world.refused(&key(22), register(&alice(), "p")), "registry_full");
    world.done(&key(21), register(&alice(), "again"));
    world.done(&alice(), model("m", 1, &[JobKind::Embed]));
    assert_eq!(world.refused(&alice(), model("n", 1, &[JobKind::Embed])), "registry_full");
    world.done(&alice(), model("m", 2, &[JobKind::Embed]));
}
