//! Starts real networks of real processes for the tests, and talks to them as users do.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a network may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// The model that the tests ask.
pub(crate) const MODEL: &str = "smollm2-135m-instruct";

/// The model cache that `make model` filled.
pub(crate) fn models() -> PathBuf {
    let home = std::env::var_os("REMUDA_TEST_HOME").map(PathBuf::from);
    let home = home.expect("REMUDA_TEST_HOME is not set: run the tests with `make test`");
    home.join("models")
}

/// A `remuda` command with a home folder and the shared model cache.
pub(crate) fn remuda(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remuda"));
    command.arg("--home").arg(home).arg("--models").arg(models());
    command
}

/// Runs a command to its end.
pub(crate) fn output(home: &Path, args: &[&str]) -> Output {
    remuda(home).args(args).output().unwrap()
}

/// Runs a command with `--json` that must work, and returns its result.
pub(crate) fn result(home: &Path, args: &[&str]) -> Value {
    let output = remuda(home).arg("--json").args(args).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
}

/// A running network: `up`, `devnet` or any other role that says that it is ready.
pub(crate) struct Network {
    /// Its home; kept over restarts.
    pub(crate) home: TempDir,
    args: Vec<String>,
    process: Child,
    stdin: Option<ChildStdin>,
    events: mpsc::Receiver<Value>,
    seen: Vec<Value>,
    /// What the ready line said.
    pub(crate) ready: Value,
}

impl Network {
    /// Starts `remuda up` on free ports.
    pub(crate) fn up() -> Self {
        Self::start(&["up", "--listen", "127.0.0.1:0"])
    }

    /// Starts `remuda devnet` on free ports.
    pub(crate) fn devnet(providers: u16) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        Self::start(&["devnet", "--providers", &providers.to_string(), "--listen", &listen])
    }

    /// Starts a network with these arguments in a new home.
    pub(crate) fn start(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (process, stdin, events) = spawn(home.path(), &args);
        let mut network =
            Self { home, args, process, stdin, events, seen: Vec::new(), ready: Value::Null };
        network.wait_ready();
        network
    }

    /// Starts the network again in the same home, after a death.
    pub(crate) fn restart(&mut self) {
        let (process, stdin, events) = spawn(self.home.path(), &self.args);
        self.process = process;
        self.stdin = stdin;
        self.events = events;
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        self.ready =
            self.wait_event(|event| event["event"] == "ready" && event["base_url"].is_string());
    }

    /// Waits for an event of the supervisor that `wanted` accepts.
    pub(crate) fn wait_event(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + READY_WITHIN;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if wanted(&event) {
                        return event;
                    }
                }
                Err(error) => {
                    panic!("no such event ({error}); seen {:?}{}", self.seen, self.logs())
                }
            }
        }
    }

    /// The processes of a devnet by their role's name, as last reported.
    pub(crate) fn process_of(&mut self, role: &str) -> u32 {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        let last = self.seen.iter().rev().find(|event| {
            event["role"] == role && (event["event"] == "started" || event["event"] == "restarted")
        });
        let id = last.and_then(|event| event["process"].as_u64());
        u32::try_from(id.unwrap_or_else(|| panic!("no process of {role}: {:?}", self.seen)))
            .unwrap()
    }

    /// Kills the process of this network at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The base URL of the gateway.
    pub(crate) fn base_url(&self) -> String {
        self.ready["base_url"].as_str().unwrap().to_owned()
    }

    /// The API key.
    pub(crate) fn api_key(&self) -> String {
        self.ready["api_key"].as_str().unwrap().to_owned()
    }

    /// Runs a command with `--json` against this network.
    pub(crate) fn result(&self, args: &[&str]) -> Value {
        result(self.home.path(), args)
    }

    /// A buyer of this network.
    pub(crate) fn buyer(&self) -> Buyer {
        Buyer::new(self.base_url(), self.api_key())
    }

    /// The ends of all logs below the home, for a failed test's message.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        let mut folders = vec![self.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|name| name == "log") {
                    let log = std::fs::read_to_string(&path).unwrap_or_default();
                    let tail: Vec<&str> = log.lines().rev().take(15).collect();
                    text += &format!("\n== {}\n", path.display());
                    text += &tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                }
            }
        }
        text
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Asked first: what it started must stop with it.
        drop(self.stdin.take());
        kill(self.process.id(), "TERM");
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a signal to a process that a test started.
pub(crate) fn kill(process: u32, signal: &str) {
    let _ = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status();
}

fn spawn(home: &Path, args: &[String]) -> (Child, Option<ChildStdin>, mpsc::Receiver<Value>) {
    let log = std::fs::File::options().create(true).append(true).open(home.join("log")).unwrap();
    let mut process = remuda(home)
        .arg("--json")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let stdout = process.stdout.take().unwrap();
    let stdin = process.stdin.take();
    let (sender, events) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Ok(event) = serde_json::from_str(&line) {
                let _ = sender.send(event);
            }
        }
    });
    (process, stdin, events)
}

/// The processes that a process started.
pub(crate) fn children_of(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

/// Waits until none of these processes runs any more.
pub(crate) fn wait_gone(processes: &[u32]) {
    let runs = |id: &u32| {
        // A zombie has ended and only waits to be counted.
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    let until = Instant::now() + Duration::from_secs(20);
    while processes.iter().any(runs) {
        assert!(Instant::now() < until, "{processes:?} outlived what started them");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A TCP port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A plain HTTP client of a gateway.
#[derive(Clone)]
pub(crate) struct Buyer {
    base_url: String,
    api_key: String,
    http: reqwest::Client,
}

/// What a stream brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streamed {
    /// All text.
    pub(crate) text: String,
    /// When each piece of text came, since the request.
    pub(crate) arrivals: Vec<Duration>,
    /// The finish reason.
    pub(crate) finish: Option<String>,
    /// The usage chunk.
    pub(crate) usage: Value,
    /// An error in the stream.
    pub(crate) error: Option<Value>,
    /// Whether `[DONE]` came.
    pub(crate) done: bool,
    /// `x-remuda-receipt`.
    pub(crate) receipt: String,
}

impl Buyer {
    /// A buyer with a key.
    pub(crate) fn new(base_url: String, api_key: String) -> Self {
        // It fails only when another test of this process has installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { base_url, api_key, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// The same with another key.
    pub(crate) fn with_key(&self, api_key: &str) -> Self {
        Self { api_key: api_key.to_owned(), ..self.clone() }
    }

    /// Posts a body.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/{path}", self.base_url);
        self.http.post(url).bearer_auth(&self.api_key).json(body).send().await
    }

    /// Gets a document.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(format!("{}/{path}", self.base_url)).bearer_auth(&self.api_key).send().await
    }

    /// Asks for a whole answer; returns status, receipt header and body.
    pub(crate) async fn chat(&self, body: &Value) -> reqwest::Result<(u16, Option<String>, Value)> {
        let response = self.post("chat/completions", body).await?;
        let status = response.status().as_u16();
        let receipt = response.headers().get("x-remuda-receipt");
        let receipt = receipt.and_then(|id| id.to_str().ok()).map(str::to_owned);
        Ok((status, receipt, response.json().await?))
    }

    /// Streams an answer; `each` sees the text so far after every piece.
    pub(crate) async fn stream(&self, body: &Value, mut each: impl FnMut(&str)) -> Streamed {
        let started = Instant::now();
        let mut body = body.clone();
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
        let mut response = self.post("chat/completions", &body).await.unwrap();
        let status = response.status();
        let mut streamed = Streamed::default();
        if !status.is_success() {
            streamed.error = Some(response.json().await.unwrap_or(Value::Null));
            return streamed;
        }
        let header = response.headers().get("x-remuda-receipt");
        streamed.receipt = header.unwrap().to_str().unwrap().to_owned();
        let mut buffer = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data: ") else { continue };
                take(&mut streamed, data.trim_ascii_end(), started, &mut each);
            }
        }
        streamed
    }
}

fn take(streamed: &mut Streamed, data: &[u8], started: Instant, each: &mut impl FnMut(&str)) {
    if data == b"[DONE]" {
        streamed.done = true;
        return;
    }
    let event: Value = serde_json::from_slice(data).unwrap();
    if event.get("error").is_some() {
        streamed.error = Some(event.clone());
    }
    if !event["usage"].is_null() {
        streamed.usage = event["usage"].clone();
    }
    let choice = &event["choices"][0];
    if let Some(reason) = choice["finish_reason"].as_str() {
        streamed.finish = Some(reason.to_owned());
    }
    if let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
        streamed.text.push_str(text);
        streamed.arrivals.push(started.elapsed());
        each(&streamed.text);
    }
}

/// Reads a pipe to its end.
pub(crate) fn read_all(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}
