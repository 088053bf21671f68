//! The worker in a real process: crashes, hangs, orphans and malformed frames cost a job at
//! most, never the node.
//!
//! This test binary is its own worker: it runs itself with one ignored "test" as its entry.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use remuda_engine::worker::{
    Pulse, WorkerConfig, WorkerEngine, WorkerError, WorkerModel, frame, serve,
};
use remuda_engine::{
    Engine, EngineError, EngineEvent, EngineJob, EngineStream, ModelSpec, ServedModel,
};
use remuda_types::job::{
    Constraint, Delta, Generate, JobInput, JobKind, Millionths, Prompt, Resume, Sampling,
};
use remuda_types::{Hash, Load, ManifestHash, Seed, StopReason};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Says what the child is to be.
const ROLE: &str = "REMUDA_TEST_WORKER";
const MANIFEST: ManifestHash = ManifestHash(Hash([3; 32]));

/// The child's entry: not a test of its own, hence ignored.
#[test]
#[ignore = "run by the other tests as their worker process"]
fn worker_entry() {
    match std::env::var(ROLE).as_deref() {
        Ok("real") => drop(remuda_engine::worker::main()),
        Ok("scripted") => drop(serve(|spec| Ok(Arc::new(Scripted::new(spec))))),
        Ok("garbage") => garbage(),
        Ok("parent") => parent_with_a_worker(),
        _ => {}
    }
}

fn config(role: &str, model: ModelSpec) -> WorkerConfig {
    let program = std::env::current_exe().unwrap();
    let args = ["--exact", "worker_entry", "--ignored", "--nocapture"].map(OsString::from);
    let mut config = WorkerConfig::new(program, args.to_vec(), model);
    config.env.push((ROLE.into(), role.into()));
    config
}

fn scripted() -> ModelSpec {
    ModelSpec::new(MANIFEST, "/no/file")
}

/// A job for the scripted engine, whose prompt is its script.
fn job(prompt: &str, max_output: u32) -> EngineJob {
    let generate = Generate {
        prompt: Prompt::Text(prompt.into()),
        choices: 1,
        max_output,
        sampling: Sampling { temperature: Millionths::ZERO, ..Sampling::default() },
        stop: Vec::new(),
        constraint: Constraint::None,
        logprobs: None,
    };
    EngineJob {
        manifest: MANIFEST,
        seed: Seed::from_caller(1),
        input: JobInput::Generate(generate),
        resume: Resume::default(),
    }
}

/// An engine that does what the prompt says.
#[derive(Debug)]
struct Scripted {
    manifest: ManifestHash,
    stepping: AtomicBool,
}

impl Scripted {
    fn new(spec: &ModelSpec) -> Self {
        // Native code prints where it should not; frames must survive that.
        println!("a stray line on standard output");
        Self { manifest: spec.manifest, stepping: AtomicBool::new(false) }
    }
}

fn delta(token: u32) -> EngineEvent {
    EngineEvent::Output(Delta { tokens: vec![token], units: 1, ..Delta::default() })
}

#[async_trait]
impl Engine for Scripted {
    fn models(&self) -> Vec<ServedModel> {
        let kinds = vec![JobKind::Generate];
        vec![ServedModel { manifest: self.manifest, kinds, context: 99, numerics: None }]
    }

    fn load(&self) -> Load {
        Load { slots: 4, ..Load::default() }
    }

    async fn start(&self, job: EngineJob) -> Result<EngineStream, EngineError> {
        let JobInput::Generate(generate) = job.input else {
            return Err(EngineError::Overloaded);
        };
        let Prompt::Text(script) = generate.prompt else { return Err(EngineError::Overloaded) };
        match script.as_str() {
            "refuse" => Err(EngineError::Overloaded),
            "crash" => std::process::abort(),
            "hang" => {
                self.stepping.store(true, Ordering::SeqCst);
                Ok(Box::pin(futures_util::stream::pending()))
            }
            _ => {
                let prepared = EngineEvent::Prepared { units_in: 1, units_cached: 0 };
                let done = EngineEvent::ChoiceDone { choice: 0, stop: StopReason::Length };
                let tokens = (0..generate.max_output).map(delta);
                let events = std::iter::once(prepared).chain(tokens).chain([done]).map(Ok);
                Ok(Box::pin(futures_util::stream::iter(events)))
            }
        }
    }
}

impl WorkerModel for Scripted {
    fn pulse(&self) -> Pulse {
        let stepping = self.stepping.load(Ordering::SeqCst);
        Pulse { load: self.load(), stepping, ..Pulse::default() }
    }
}

/// A worker that loads well and then writes what is no frame.
fn garbage() {
    let mut out = std::io::stdout();
    let served = frame::encode(&frame::FromWorker::Loaded(Vec::new())).unwrap();
    out.write_all(frame::PREAMBLE).unwrap();
    out.write_all(&served).unwrap();
    out.write_all(&[0xff; 64]).unwrap();
    out.flush().unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

async fn tokens(engine: &WorkerEngine, job: EngineJob) -> Result<Vec<u32>, EngineError> {
    let mut stream = engine.start(job).await?;
    let mut tokens = Vec::new();
    while let Some(event) = stream.next().await {
        if let EngineEvent::Output(delta) = event? {
            tokens.extend(delta.tokens);
        }
    }
    Ok(tokens)
}

/// Tries again while the error says that this may help; bounded.
async fn tokens_after_restart(engine: &WorkerEngine, job: EngineJob) -> Vec<u32> {
    for _ in 0..2_000 {
        match tokens(engine, job.clone()).await {
            Ok(tokens) => return tokens,
            Err(EngineError::Failed(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the worker did not come back")
}

#[tokio::test]
async fn many_events_pass_and_a_slow_reader_holds_up_nobody() {
    let engine = WorkerEngine::spawn(config("scripted", scripted())).await.unwrap();
    assert_eq!(engine.models()[0].context, 99);
    let slow = engine.start(job("count", 1_000)).await.unwrap();
    let all: Vec<u32> = (0..5_000).collect();
    assert_eq!(tokens(&engine, job("count", 5_000)).await.unwrap(), all);
    let read: Vec<_> = slow.collect().await;
    assert_eq!(read.len(), 1_002);
    assert!(read.iter().all(Result::is_ok));
    assert_eq!(tokens(&engine, job("refuse", 1)).await, Err(EngineError::Overloaded));
}

#[tokio::test]
async fn a_crash_fails_its_jobs_and_the_next_one_works() {
    let engine = WorkerEngine::spawn(config("scripted", scripted())).await.unwrap();
    let mut other = engine.start(job("count", 100_000)).await.unwrap();
    assert!(matches!(tokens(&engine, job("crash", 1)).await, Err(EngineError::Failed(_))));
    let mut last = None;
    while let Some(event) = other.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(EngineError::Failed(_)))), "{last:?}");
    assert_eq!(tokens_after_restart(&engine, job("count", 3)).await, [0, 1, 2]);
    assert!(engine.status().restarts >= 1);
}

#[tokio::test]
async fn a_hung_worker_is_replaced() {
    let mut config = config("scripted", scripted());
    config.hang_after = Duration::from_secs(2);
    let engine = WorkerEngine::spawn(config).await.unwrap();
    let hung = tokens(&engine, job("hang", 1)).await;
    assert!(matches!(&hung, Err(EngineError::Failed(why)) if why.contains("progress")), "{hung:?}");
    assert_eq!(tokens_after_restart(&engine, job("count", 1)).await, [0]);
}

#[tokio::test]
async fn what_does_not_start_is_a_typed_error() {
    let missing = config("real", ModelSpec::new(MANIFEST, "/no/such/file.gguf"));
    let error = WorkerEngine::spawn(missing).await.unwrap_err();
    assert!(matches!(&error, WorkerError::Load(why) if why.contains("does not exist")), "{error}");

    let mut no_program = config("real", scripted());
    no_program.program = PathBuf::from("/no/such/program");
    assert!(matches!(WorkerEngine::spawn(no_program).await, Err(WorkerError::Spawn { .. })));

    // Ends without a word of its own.
    let silent = WorkerEngine::spawn(config("none", scripted())).await.unwrap_err();
    assert!(matches!(silent, WorkerError::Exited(_)), "{silent}");
}

#[tokio::test]
async fn malformed_frames_end_the_worker_and_not_the_node() {
    let engine = WorkerEngine::spawn(config("garbage", scripted())).await.unwrap();
    let failed = tokens(&engine, job("count", 1)).await;
    assert!(matches!(failed, Err(EngineError::Failed(_))), "{failed:?}");
    assert!(format!("{engine:?}").contains("restarts"));
}

/// Starts a worker, tells its process number, and never ends by itself.
fn parent_with_a_worker() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = WorkerEngine::spawn(config("scripted", scripted())).await.unwrap();
        println!("worker={}", engine.status().process.unwrap());
        std::future::pending::<()>().await;
    });
}

#[tokio::test]
async fn a_killed_parent_leaves_no_orphan() {
    use std::io::{BufRead, BufReader};
    let config = config("parent", scripted());
    let mut parent = std::process::Command::new(&config.program)
        .args(&config.args)
        .envs(config.env)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let found = lines.map_while(Result::ok).find_map(|line| {
        line.split_once("worker=").and_then(|(_, number)| number.trim().parse::<i32>().ok())
    });
    let worker = Pid::from_raw(found.unwrap()).unwrap();
    assert!(test_kill_process(worker).is_ok(), "the worker runs");
    parent.kill().unwrap();
    parent.wait().unwrap();
    for _ in 0..2_000 {
        if !is_alive(worker) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the worker outlived its parent");
}

/// A zombie that nobody collects is dead.
fn is_alive(process: Pid) -> bool {
    let stat = format!("/proc/{}/stat", process.as_raw_nonzero());
    match std::fs::read_to_string(stat) {
        Ok(text) => !text.contains(") Z "),
        Err(_) => test_kill_process(process).is_ok() && !cfg!(target_os = "linux"),
    }
}

fn real() -> ModelSpec {
    let path = std::env::var_os("REMUDA_TEST_MODEL").map(PathBuf::from);
    let Some(path) = path.filter(|path| path.is_file()) else {
        panic!("this test needs the default model: run `make model`, or set REMUDA_TEST_MODEL");
    };
    ModelSpec { context: 512, slots: 2, threads: Some(1), ..ModelSpec::new(MANIFEST, path) }
}

#[tokio::test]
async fn a_real_worker_killed_in_the_middle_of_a_stream() {
    let engine = WorkerEngine::spawn(config("real", real())).await.unwrap();
    assert!(engine.models()[0].numerics.is_some());
    let mut stream = engine.start(job("Once upon a time", 400)).await.unwrap();
    let mut seen = 0;
    let mut last = None;
    while let Some(event) = stream.next().await {
        seen += 1;
        if seen == 5 {
            let worker = engine.status().process.unwrap();
            let worker = Pid::from_raw(i32::try_from(worker).unwrap()).unwrap();
            kill_process(worker, Signal::KILL).unwrap();
        }
        last = Some(event);
    }
    let Some(Err(EngineError::Failed(why))) = last else { panic!("{last:?}") };
    assert!(why.contains("SIGKILL"), "{why}");
    assert_eq!(engine.load().slots, 0, "no slots while it is away");
    let tokens = tokens_after_restart(&engine, job("Once upon a time", 4)).await;
    assert_eq!(tokens.len(), 4);
    // The pulse has told its memory: the weights alone are 90 MB.
    for _ in 0..2_000 {
        if engine.status().memory_bytes > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(engine.status().memory_bytes > 90_000_000);
}
