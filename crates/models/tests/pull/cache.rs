//! The cache itself, with local files as the source.

use std::fs;

use remuda_models::{FileState, ModelStore, Phase, Source};

use super::{Progress, codes, content, file_source, manifest, part, pull};

#[tokio::test]
async fn a_local_file_is_copied_verified_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(3 << 20);
    let original = folder.path().join("original");
    fs::write(&original, &bytes).unwrap();
    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let missing = file_source(&folder.path().join("nowhere"));
    let manifest = manifest(&bytes, vec![missing, file_source(&original)]);

    let mut seen = Vec::new();
    let mut show = |progress: Progress| seen.push((progress.phase, progress.done));
    let path = store.pull(&manifest, &super::PullContext::default(), &mut show).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert!(seen.contains(&(Phase::Fetching, bytes.len() as u64)), "{seen:?}");
    assert!(!part(&store, &manifest).exists());
    assert_eq!(store.path(&manifest.hash()).unwrap(), path);
    assert_eq!(store.list().unwrap()[0].state, FileState::Verified);

    // The second pull needs no source.
    fs::remove_file(original).unwrap();
    assert_eq!(pull(&store, &manifest).await.unwrap(), path);
}

#[tokio::test]
async fn a_flipped_byte_is_a_wrong_hash_and_the_next_source_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(100_000);
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    fs::write(&good, &bytes).unwrap();
    let mut flipped = bytes.clone();
    flipped[54_321] ^= 1;
    fs::write(&bad, &flipped).unwrap();
    let store = ModelStore::open(folder.path().join("cache")).unwrap();

    let only_bad = manifest(&bytes, vec![file_source(&bad)]);
    let error = pull(&store, &only_bad).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("model_no_source", false));
    assert_eq!(codes(error), ["source_wrong_hash"]);
    assert!(!part(&store, &only_bad).exists());
    assert_eq!(store.state(&only_bad), FileState::Missing);

    let both = manifest(&bytes, vec![file_source(&bad), file_source(&good)]);
    let path = pull(&store, &both).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
}

#[tokio::test]
async fn a_partial_file_is_resumed_and_a_wrong_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(100_000);
    let original = folder.path().join("original");
    fs::write(&original, &bytes).unwrap();
    for wrong in [false, true] {
        let store = ModelStore::open(folder.path().join(format!("cache-{wrong}"))).unwrap();
        let manifest = manifest(&bytes, vec![file_source(&original)]);
        let mut begun = bytes[..60_000].to_vec();
        begun[100] ^= u8::from(wrong);
        fs::write(part(&store, &manifest), begun).unwrap();
        assert_eq!(store.state(&manifest), FileState::Partial { bytes: 60_000 });
        let mut first = None;
        let mut show = |progress: Progress| {
            first.get_or_insert(progress.done);
        };
        let path = store.pull(&manifest, &super::PullContext::default(), &mut show).await.unwrap();
        assert_eq!(first, Some(60_000));
        assert_eq!(fs::read(path).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_file_that_changed_in_the_cache_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(10_000);
    let original = folder.path().join("original");
    fs::write(&original, &bytes).unwrap();
    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let manifest = manifest(&bytes, vec![file_source(&original)]);
    let path = pull(&store, &manifest).await.unwrap();

    let mut flipped = bytes.clone();
    flipped[9] ^= 1;
    fs::write(&path, &flipped).unwrap();
    // The clock of the file system may be coarse: make the change visible in any case.
    let changed = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    assert_eq!(store.list().unwrap()[0].state, FileState::Unverified);
    assert_eq!(store.path(&manifest.hash()).unwrap_err().code(), "model_damaged");
    // Pulling again mends it.
    let path = pull(&store, &manifest).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // Touched but equal: verified anew, and used.
    fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
    assert_eq!(store.path(&manifest.hash()).unwrap(), path);
    assert_eq!(store.list().unwrap()[0].state, FileState::Verified);
}

#[tokio::test]
async fn too_little_room_is_found_before_anything_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let store = ModelStore::open(folder.path()).unwrap();
    let mut manifest = manifest(b"x", vec![Source::Peers]);
    manifest.bytes = 4 << 40;
    let error = pull(&store, &manifest).await.unwrap_err();
    assert_eq!(error.code(), "disk_full", "{error}");
    assert!(error.to_string().contains("bytes of space are missing"));
}

#[tokio::test]
async fn without_a_source_the_error_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = ModelStore::open(folder.path()).unwrap();
    let error = pull(&store, &manifest(b"x", vec![])).await.unwrap_err();
    assert!(error.to_string().contains("names none"), "{error}");
    let error = pull(&store, &manifest(b"x", vec![Source::Peers])).await.unwrap_err();
    assert_eq!(codes(error), ["source_no_peers"]);
}

#[test]
fn a_gguf_file_can_be_added_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiny.gguf");
    fs::write(&file, tiny_gguf()).unwrap();
    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let manifest = store.add(&file, "tiny", "MIT").unwrap();
    assert_eq!((manifest.context, manifest.weights.as_str()), (64, "F16"));
    let path = store.path(&manifest.hash()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), tiny_gguf());
    // The same file under another name shares the blob.
    let twin = store.add(&file, "twin", "MIT").unwrap();
    assert_ne!(twin.hash(), manifest.hash());
    store.remove(&manifest).unwrap();
    assert_eq!(store.path(&manifest.hash()).unwrap_err().code(), "model_unknown");
    assert!(store.path(&twin.hash()).is_ok());
    store.remove(&twin).unwrap();
    assert!(!path.exists());
    assert_eq!(store.list().unwrap().len(), 0);

    let refused = store.add(&file, "Not A Name", "MIT").unwrap_err();
    assert_eq!(refused.code(), "manifest_invalid");
    fs::write(&file, "something else").unwrap();
    assert_eq!(store.add(&file, "other", "MIT").unwrap_err().code(), "gguf_magic");
}

fn tiny_gguf() -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |key: &str, value: u32| {
        [text(key), 4_u32.to_le_bytes().to_vec(), value.to_le_bytes().to_vec()].concat()
    };
    [
        b"GGUF".to_vec(),
        3_u32.to_le_bytes().to_vec(),
        0_u64.to_le_bytes().to_vec(),
        3_u64.to_le_bytes().to_vec(),
        [text("general.architecture"), 8_u32.to_le_bytes().to_vec(), text("llama")].concat(),
        number("llama.context_length", 64),
        number("general.file_type", 1),
    ]
    .concat()
}
