//! What stands in the way on the user's own machine: a taken port, a second instance, a
//! damaged model file, a full disk. Each ends with a message that names it, and its code.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use support::{MODEL, Network, models, output, remuda};

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = tempfile::tempdir().unwrap();
    let output = output(home.path(), &["up", "--listen", &address]);
    assert_eq!(output.status.code(), Some(6), "{}", errors(&output));
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(errors(&output).contains(&port), "{}", errors(&output));
}

#[test]
fn a_second_instance_is_refused() {
    let network = Network::up();
    let output = output(network.home.path(), &["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(6), "{}", errors(&output));
}

#[test]
fn a_model_file_with_another_hash_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("models");
    copy(&models(), &cache);
    flip_a_byte(&cache);
    // Without a package client or a peer there is no other source.
    let output = Command::new(env!("CARGO_BIN_EXE_remuda"))
        .env("PATH", folder.path())
        .arg("--home")
        .arg(folder.path())
        .arg("--models")
        .arg(&cache)
        .args(["model", "pull", MODEL])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(errors.contains(MODEL), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Changes a byte in the middle of the largest file.
fn flip_a_byte(folder: &Path) {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let largest = files.into_iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest, bytes).unwrap();
}

#[test]
fn a_full_disk_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let blob = models();
    let script = format!(
        "mount -t tmpfs -o size=8m tmpfs '{home}' && \
         cp -r '{models}/manifests' '{home}/' 2>/dev/null; \
         exec '{remuda}' --home '{home}' model pull {MODEL}",
        home = folder.path().display(),
        models = blob.display(),
        remuda = env!("CARGO_BIN_EXE_remuda"),
    );
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--", "bash", "-c", &script])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(errors.contains("space") || errors.contains("disk"), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
}

#[test]
fn without_a_network_the_message_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let output = output(home.path(), &["wallet", "show"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("remuda up"), "{}", errors(&output));
}

#[test]
fn errors_are_json_when_results_are() {
    let home = tempfile::tempdir().unwrap();
    let output = remuda(home.path()).args(["--json", "wallet", "show"]).output().unwrap();
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["exit_code"], 3);
}
