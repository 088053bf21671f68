//! The machine and the model files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use remuda_types::Hash;

use super::{Checkup, Finding, ModelFile, Severity};
use crate::hardware::{self, Hardware};

/// Below this many free bytes on the home's disk nothing works for long.
const DISK_FREE_MIN: u64 = 1 << 30;
/// A model needs its own size in memory and this many bytes beside it.
const MEMORY_BESIDE_MODEL: u64 = 512 << 20;
const MIB: u64 = 1 << 20;
/// How much of a model file is read at once.
const READ_BYTES: usize = 1 << 20;

/// Looks at the machine without holding up the runtime.
pub(super) async fn detect(home: PathBuf) -> Hardware {
    let fallback = home.clone();
    let detected = tokio::task::spawn_blocking(move || hardware::detect(&home)).await;
    // It fails only when the runtime shuts down.
    detected.unwrap_or_else(|_| hardware::detect(&fallback))
}

pub(super) fn check(checkup: &Checkup, hardware: &Hardware) -> Vec<Finding> {
    let mut findings = vec![processor(hardware), cards(hardware)];
    findings.extend(hardware.notes.iter().map(|note| {
        Finding::warning("driver", "A graphics driver does not work", note.clone())
            .fix("repair or remove the driver that the line names, then run the doctor again")
    }));
    findings.push(memory(checkup, hardware));
    findings.push(disk(checkup, hardware));
    findings
}

fn processor(hardware: &Hardware) -> Finding {
    let cpu = &hardware.cpu;
    let class = cpu.device_class().0;
    let detail = format!(
        "{} ({class}), {} cores, {} threads, {} of them free",
        cpu.model, cpu.cores, cpu.threads, cpu.free_threads
    );
    if cpu.architecture == "x86_64" && !cpu.features.iter().any(|feature| feature == "avx2") {
        return Finding::warning("cpu", "The processor has no AVX2", detail).fix(
            "expect a few tokens per second; offer the smallest model, or use another machine",
        );
    }
    Finding::ok("cpu", "Processor", detail)
}

fn cards(hardware: &Hardware) -> Finding {
    if hardware.gpus.is_empty() {
        let mut detail = "none was found; jobs run on the processor".to_owned();
        if !hardware.software_rasterisers.is_empty() {
            let names = hardware.software_rasterisers.join(", ");
            detail = format!("{detail} ({names} is emulated by the processor and no GPU)");
        }
        return Finding::info("gpu", "No graphics card", detail);
    }
    let describe = |gpu: &hardware::Gpu| {
        format!("{} with {} MiB, by {}", gpu.name, gpu.memory / MIB, gpu.seen_by.join(" and "))
    };
    let detail = hardware.gpus.iter().map(describe).collect::<Vec<_>>().join("; ");
    Finding::ok("gpu", "Graphics cards", detail)
}

fn memory(checkup: &Checkup, hardware: &Hardware) -> Finding {
    let largest = checkup.models.iter().map(|model| model.bytes).max().unwrap_or(0);
    let needed = largest.saturating_add(MEMORY_BESIDE_MODEL);
    let available = hardware.memory.available;
    let (have, want) = (available / MIB, needed / MIB);
    let detail = format!("{have} MiB available, the largest model needs about {want} MiB");
    // Weights may live on a card instead.
    let on_card = hardware.gpus.iter().any(|gpu| gpu.memory >= needed);
    // Engines that run already hold their weights.
    if available >= needed || on_card || !checkup.engines.is_empty() {
        return Finding::ok("memory", "Memory", detail);
    }
    let title = "The largest model does not fit in memory";
    let severity =
        if hardware.memory.total >= needed { Severity::Warning } else { Severity::Error };
    Finding::new(severity, "memory", title, detail)
        .fix(format!("free {} MiB, or offer a smaller model", want.saturating_sub(have)))
}

fn disk(checkup: &Checkup, hardware: &Hardware) -> Finding {
    let home = checkup.home.display();
    let Some(disk) = hardware.disk else {
        return Finding::warning("disk", "The disk cannot be seen", format!("{home}"))
            .fix(format!("check that {home} is on a mounted file system that you may read"));
    };
    let missing = checkup.models.iter().filter(|model| !model.path.exists());
    let needed = missing.map(|model| model.bytes).sum::<u64>().saturating_add(DISK_FREE_MIN);
    let detail = format!("{} MiB free at {home}, {} MiB needed", disk.free / MIB, needed / MIB);
    if disk.free >= needed {
        return Finding::ok("disk", "Disk", detail);
    }
    let gap = (needed - disk.free).div_ceil(MIB);
    Finding::error("disk", "The disk is too full", detail)
        .fix(format!("free {gap} MiB on the disk of {home}, or move it with --home"))
}

/// Whether each model file is there and is what its manifest says.
pub(super) async fn check_models(models: &[ModelFile]) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(models.len());
    for model in models {
        findings.push(check_model(model).await);
    }
    findings
}

async fn check_model(model: &ModelFile) -> Finding {
    let (path, name) = (model.path.display(), &model.name);
    let pull = format!("remuda model pull {name}");
    let again = format!("remuda model rm {name} && {pull}");
    match digest(model.path.clone()).await {
        Ok((bytes, hash)) if bytes == model.bytes && hash == model.blake3 => {
            Finding::ok("model", "Model file", format!("{name} is whole: {path}"))
        }
        Ok((bytes, _)) if bytes != model.bytes => {
            let detail = format!("{name} has {bytes} of {} bytes: {path}", model.bytes);
            Finding::error("model", "A model file has the wrong size", detail).fix(again)
        }
        Ok((_, hash)) => {
            let detail = format!("{name} has digest {hash}, not {}: {path}", model.blake3);
            Finding::error("model", "A model file is damaged", detail).fix(again)
        }
        Err(error) => {
            let detail = format!("{name}: {path}: {error}");
            Finding::error("model", "A model file is missing", detail).fix(pull)
        }
    }
}

async fn digest(path: PathBuf) -> std::io::Result<(u64, Hash)> {
    let digest = tokio::task::spawn_blocking(move || read_digest(&path)).await;
    digest.map_err(std::io::Error::other)?
}

fn read_digest(path: &Path) -> std::io::Result<(u64, Hash)> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, Hash(*hasher.finalize().as_bytes())));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}
