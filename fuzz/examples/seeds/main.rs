//! Writes the corpora anew: real values, some of them cut and flipped.
//!
//! `cargo run -p remuda-fuzz --example seeds`, after a format or a target has changed. It only
//! adds and replaces files: whatever a fuzzer found and somebody kept, stays.

mod texts;
mod values;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use borsh::BorshSerialize;
use remuda_net::frame::encode;

/// Named inputs of one target.
struct Seeds {
    target: &'static str,
    inputs: Vec<(String, Vec<u8>)>,
}

impl Seeds {
    /// Inputs that the target accepts; the first also cut and flipped.
    fn new(target: &'static str, valid: Vec<Vec<u8>>) -> Self {
        let mut inputs = Vec::new();
        if let Some(first) = valid.first() {
            let middle = first.len() / 2;
            let mut flipped = first.clone();
            flipped.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 0x20);
            inputs.push(("cut".to_owned(), first[..first.len() - first.len() / 3].to_vec()));
            inputs.push(("flipped".to_owned(), flipped));
        }
        let valid = valid.into_iter().enumerate();
        inputs.extend(valid.map(|(index, bytes)| (format!("valid-{index:02}"), bytes)));
        Self { target, inputs }
    }

    fn texts(target: &'static str, valid: &[&str]) -> Self {
        Self::new(target, valid.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    fn frames<T: BorshSerialize>(target: &'static str, messages: &[T]) -> Self {
        let limit = remuda_fuzz::frames::FRAME_BYTES_MAX;
        let frame = |message| encode(message, limit).expect("the message fits");
        Self::new(target, messages.iter().map(frame).collect())
    }

    fn write(&self, corpus: &Path) -> io::Result<()> {
        let folder = corpus.join(self.target);
        fs::create_dir_all(&folder)?;
        self.inputs.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
    }
}

fn main() -> io::Result<()> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let all = values::seeds().into_iter().chain(texts::seeds());
    all.into_iter().try_for_each(|seeds| seeds.write(&corpus))
}
