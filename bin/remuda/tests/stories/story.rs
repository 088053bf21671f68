//! A network whose clock is virtual, and people who act on it through the command line.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use remuda_types::{AccountId, Hash, NodeId, SecretKey};
use serde_json::Value;
use tempfile::TempDir;

/// Somebody with a home folder of their own.
pub(crate) struct Person {
    home: PathBuf,
    /// The account of the wallet.
    pub(crate) account: AccountId,
    /// The wallet's key.
    pub(crate) key: SecretKey,
    /// The key of the provider's node.
    pub(crate) node: NodeId,
}

/// A network and its people, before it begins and while it runs.
pub(crate) struct Story {
    folder: TempDir,
    validator: Option<(Child, ChildStdin)>,
}

fn write_key(path: &Path, name: &str) -> SecretKey {
    let key = SecretKey::from_seed(Hash::derive("remuda/tests/stories/1", name.as_bytes()).0);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, Hash(*key.seed()).to_string()).unwrap();
    key
}

impl Story {
    /// An empty stage.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), validator: None }
    }

    /// Somebody, with the same keys in every run.
    pub(crate) fn person(&self, name: &str) -> Person {
        let home = self.folder.path().join(name);
        let key = write_key(&home.join("wallet.key"), name);
        let node = write_key(&home.join("provider/node.key"), &format!("{name}'s node"));
        Person { home, account: key.public().into(), key, node: node.public() }
    }

    /// Founds the network of `profile` with `founder`'s wallet, and starts its validator.
    pub(crate) fn begin(&mut self, founder: &Person, profile: &str, args: &[String]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let bind = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut init = vec!["network", "init", "--profile", profile, "--virtual-clock"];
        init.extend(["--bind", &bind]);
        init.extend(args.iter().map(String::as_str));
        let output = self.command(founder).args(&init).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{init:?}: {errors}");
        let mut process = self
            .command(founder)
            .args(["validator", "run", "--exit-with-stdin", "--bind", &bind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        let mut events = BufReader::new(process.stdout.take().unwrap());
        events.read_line(&mut ready).unwrap();
        assert!(ready.contains("ready"), "the validator did not start: {ready}");
        let stdin = process.stdin.take().unwrap();
        self.validator = Some((process, stdin));
    }

    fn command(&self, person: &Person) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_remuda"));
        command.arg("--home").arg(&person.home).arg("--json");
        command.arg("--network").arg(self.folder.path().join("network.json"));
        command
    }

    /// Runs a command that must work, and returns its result: the last, if there are several.
    pub(crate) fn run(&self, person: &Person, args: &[&str]) -> Value {
        let output = self.command(person).args(args).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    /// Runs a command that must be refused, and returns the refusal's code.
    pub(crate) fn refused(&self, person: &Person, args: &[&str]) -> String {
        let output = self.command(person).args(args).output().unwrap();
        assert!(!output.status.success(), "{args:?} was not refused");
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).unwrap();
        error["error"]["code"].as_str().unwrap_or(last).to_owned()
    }

    /// Signs any action.
    pub(crate) fn submit(&self, person: &Person, action: &Value) -> Value {
        self.run(person, &["ledger", "submit", &action.to_string()])
    }

    /// Signs any action with the key of the provider's node.
    pub(crate) fn submit_as_node(&self, person: &Person, action: &Value) -> Value {
        self.run(person, &["ledger", "submit", "--node", "provider", &action.to_string()])
    }

    /// Asks anything.
    pub(crate) fn ask(&self, person: &Person, query: &Value) -> Value {
        self.run(person, &["ledger", "query", &query.to_string()])
    }

    /// Moves block time on.
    pub(crate) fn advance(&self, person: &Person, by: &str) {
        self.run(person, &["clock", "advance", by]);
    }

    /// What somebody's account holds: tokens in base units, credits to spend and credits
    /// earned, both in micro-dollars.
    pub(crate) fn holds(&self, person: &Person) -> (u128, u64, u64) {
        let shown = self.run(person, &["wallet", "show"]);
        let tokens = shown["tokens"].as_str().unwrap().parse().unwrap();
        let credits = shown["credits_micro_dollars"].as_u64().unwrap();
        (tokens, credits, shown["earned_micro_dollars"].as_u64().unwrap())
    }

    /// A file beside the homes.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whole tokens as base units.
    pub(crate) fn tokens(whole: u128) -> u128 {
        whole * 1_000_000_000
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        if let Some((mut process, stdin)) = self.validator.take() {
            // The end of its input asks it to stop.
            drop(stdin);
            let _ = process.wait();
        }
    }
}
