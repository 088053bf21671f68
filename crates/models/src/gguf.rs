//! The head of a GGUF file: just enough to describe a model, and bounded against files that
//! were made to hurt.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use remuda_types::Hash;
use remuda_types::job::JobKind;
use thiserror::Error;

/// The most bytes of a file's head that are looked at.
const HEAD_BYTES_MAX: u64 = 128 << 20;
/// The most entries of the head.
const ENTRIES_MAX: u64 = 65_536;
/// The longest key, in bytes.
const KEY_BYTES_MAX: u64 = 256;
/// The longest text that is kept, in bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// How deep arrays may nest.
const DEPTH_MAX: u8 = 3;

/// Why a file is not a GGUF model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[source] io::Error),
    /// It does not begin like a GGUF file.
    #[error("this is not a GGUF file; convert the model to GGUF first")]
    Magic,
    /// Its version is too old or too new.
    #[error("GGUF version {0} is not supported; versions 2 and 3 are")]
    Version(u32),
    /// The head ends before it should, or claims more than the file has.
    #[error("the GGUF head is damaged: {0}")]
    Malformed(&'static str),
    /// A necessary entry is missing.
    #[error("the GGUF head has no {0}")]
    Missing(&'static str),
}

impl GgufError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "gguf_io",
            Self::Magic => "gguf_magic",
            Self::Version(_) => "gguf_version",
            Self::Malformed(_) => "gguf_malformed",
            Self::Missing(_) => "gguf_missing",
        }
    }
}

impl From<io::Error> for GgufError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Self::Malformed("it is cut off");
        }
        Self::Io(error)
    }
}

/// What the head says about the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The architecture, such as `llama`.
    pub architecture: String,
    /// The context that it was trained for, in model tokens.
    pub context: u32,
    /// How the weights are stored.
    pub weights: String,
    /// What it can do, as far as the head shows.
    pub kind: JobKind,
    /// The BLAKE3 digest of its chat template.
    pub chat_template: Option<Hash>,
    /// The licence that it names.
    pub licence: Option<String>,
}

/// Reads the head of the file at `path`.
///
/// # Errors
/// [`GgufError`].
pub fn read(path: &Path) -> Result<Head, GgufError> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    parse(BufReader::new(file), bytes)
}

/// Reads the head of a file of `bytes` length.
///
/// # Errors
/// [`GgufError`].
pub fn parse(source: impl Read + Seek, bytes: u64) -> Result<Head, GgufError> {
    let mut reader = Reader { source, left: bytes.min(HEAD_BYTES_MAX) };
    if reader.array::<4>()? != *b"GGUF" {
        return Err(GgufError::Magic);
    }
    match reader.u32()? {
        2 | 3 => {}
        version => return Err(GgufError::Version(version)),
    }
    let _tensors = reader.u64()?;
    let entries = reader.u64()?;
    if entries > ENTRIES_MAX {
        return Err(GgufError::Malformed("it claims too many entries"));
    }
    let mut kept = Kept::default();
    for _ in 0..entries {
        let key = reader.text(KEY_BYTES_MAX)?;
        let kind = reader.u32()?;
        kept.entry(key, kind, &mut reader)?;
    }
    kept.into_head()
}

/// The entries that matter.
#[derive(Default)]
struct Kept {
    texts: BTreeMap<String, String>,
    numbers: BTreeMap<String, u64>,
}

impl Kept {
    fn entry<R: Read + Seek>(
        &mut self,
        key: String,
        kind: u32,
        reader: &mut Reader<R>,
    ) -> Result<(), GgufError> {
        let text_matters = matches!(
            key.as_str(),
            "general.architecture" | "general.license" | "tokenizer.chat_template"
        );
        let number_matters = key == "general.file_type"
            || key.ends_with(".context_length")
            || key.ends_with(".pooling_type");
        match kind {
            TYPE_STRING if text_matters => {
                let text = reader.text(TEXT_BYTES_MAX)?;
                self.texts.insert(key, text);
            }
            TYPE_U32 if number_matters => {
                let number = reader.u32()?.into();
                self.numbers.insert(key, number);
            }
            TYPE_U64 if number_matters => {
                let number = reader.u64()?;
                self.numbers.insert(key, number);
            }
            other => reader.skip_value(other, 0)?,
        }
        Ok(())
    }

    fn into_head(mut self) -> Result<Head, GgufError> {
        let architecture =
            self.texts.remove("general.architecture").ok_or(GgufError::Missing("architecture"))?;
        let of = |name: &str| self.numbers.get(&format!("{architecture}.{name}")).copied();
        let context = of("context_length").ok_or(GgufError::Missing("context length"))?;
        let context = u32::try_from(context)
            .map_err(|_| GgufError::Malformed("the context length is absurd"))?;
        let embeds = architecture.contains("bert") || of("pooling_type").is_some_and(|p| p > 0);
        let template = self.texts.get("tokenizer.chat_template");
        Ok(Head {
            context,
            weights: weights(self.numbers.get("general.file_type").copied()),
            kind: if embeds { JobKind::Embed } else { JobKind::Generate },
            chat_template: template.map(|text| Hash::of_content(text.as_bytes())),
            licence: self.texts.remove("general.license"),
            architecture,
        })
    }
}

/// The name of llama.cpp's file type.
fn weights(file_type: Option<u64>) -> String {
    let name = match file_type {
        Some(0) => "F32",
        Some(1) => "F16",
        Some(2) => "Q4_0",
        Some(3) => "Q4_1",
        Some(7) => "Q8_0",
        Some(8) => "Q5_0",
        Some(9) => "Q5_1",
        Some(10) => "Q2_K",
        Some(11) => "Q3_K_S",
        Some(12) => "Q3_K_M",
        Some(13) => "Q3_K_L",
        Some(14) => "Q4_K_S",
        Some(15) => "Q4_K_M",
        Some(16) => "Q5_K_S",
        Some(17) => "Q5_K_M",
        Some(18) => "Q6_K",
        Some(32) => "BF16",
        Some(other) => return format!("type-{other}"),
        None => "unknown",
    };
    name.to_owned()
}

const TYPE_U32: u32 = 4;
const TYPE_STRING: u32 = 8;
const TYPE_ARRAY: u32 = 9;
const TYPE_U64: u32 = 10;

/// The bytes of a value of a fixed size.
const fn fixed_size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Reads and skips, never past what the file has left.
struct Reader<R> {
    source: R,
    left: u64,
}

impl<R: Read + Seek> Reader<R> {
    fn take(&mut self, bytes: u64) -> Result<(), GgufError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(GgufError::Malformed("it claims more than the file has"))?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, bytes_max: u64) -> Result<String, GgufError> {
        let bytes = self.u64()?;
        if bytes > bytes_max {
            return Err(GgufError::Malformed("a text is too long"));
        }
        self.take(bytes)?;
        // At most TEXT_BYTES_MAX, and no more than the file has.
        let mut text = vec![0; usize::try_from(bytes).unwrap_or_default()];
        self.source.read_exact(&mut text)?;
        String::from_utf8(text).map_err(|_| GgufError::Malformed("a text is not UTF-8"))
    }

    fn skip(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.take(bytes)?;
        let step = i64::try_from(bytes).map_err(|_| GgufError::Malformed("a value is too long"))?;
        self.source.seek_relative(step)?;
        Ok(())
    }

    fn skip_value(&mut self, kind: u32, depth: u8) -> Result<(), GgufError> {
        match (fixed_size(kind), kind) {
            (Some(bytes), _) => self.skip(bytes),
            (None, TYPE_STRING) => {
                let bytes = self.u64()?;
                self.skip(bytes)
            }
            (None, TYPE_ARRAY) if depth < DEPTH_MAX => self.skip_array(depth),
            _ => Err(GgufError::Malformed("a value is of an unknown type")),
        }
    }

    fn skip_array(&mut self, depth: u8) -> Result<(), GgufError> {
        let (kind, count) = (self.u32()?, self.u64()?);
        if let Some(size) = fixed_size(kind) {
            let bytes = size.checked_mul(count);
            return self.skip(bytes.ok_or(GgufError::Malformed("an array is too long"))?);
        }
        // Every text or array takes at least its own count from what is left, so a false
        // count ends early.
        for _ in 0..count {
            self.skip_value(kind, depth + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }

    fn entry(bytes: &mut Vec<u8>, key: &str, kind: u32, value: &[u8]) {
        text(bytes, key);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(value);
    }

    fn string(value: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        text(&mut bytes, value);
        bytes
    }

    /// A small head with every shape of value.
    pub(crate) fn sample() -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(7_u64.to_le_bytes());
        entry(&mut bytes, "llama.context_length", TYPE_U32, &2048_u32.to_le_bytes());
        entry(&mut bytes, "general.architecture", TYPE_STRING, &string("llama"));
        entry(&mut bytes, "general.file_type", TYPE_U32, &7_u32.to_le_bytes());
        let tokens = [&TYPE_STRING.to_le_bytes()[..], &2_u64.to_le_bytes(), &string("a")].concat();
        entry(&mut bytes, "tokens", TYPE_ARRAY, &[tokens, string("bc")].concat());
        let scores = [&6_u32.to_le_bytes()[..], &1_u64.to_le_bytes(), &[0; 4]].concat();
        entry(&mut bytes, "scores", TYPE_ARRAY, &scores);
        entry(&mut bytes, "flag", 7, &[1]);
        entry(&mut bytes, "tokenizer.chat_template", TYPE_STRING, &string("{{ x }}"));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Head, GgufError> {
        parse(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn a_head_is_read() {
        let head = read(&sample()).unwrap();
        assert_eq!((head.architecture.as_str(), head.context), ("llama", 2048));
        assert_eq!((head.weights.as_str(), head.kind), ("Q8_0", JobKind::Generate));
        assert_eq!(head.chat_template, Some(Hash::of_content(b"{{ x }}")));
    }

    #[test]
    fn each_flaw_has_its_error() {
        let code = |bytes: &[u8]| read(bytes).unwrap_err().code();
        assert_eq!(code(b"GGML0000"), "gguf_magic");
        assert_eq!(code(b"GG"), "gguf_malformed");
        assert_eq!(code(&[b"GGUF", &[9, 0, 0, 0][..]].concat()), "gguf_version");
        let whole = sample();
        for cut in 4..whole.len() {
            assert_eq!(code(&whole[..cut]), "gguf_malformed", "cut at {cut}");
        }
        let mut empty = whole[..16].to_vec();
        empty.extend(0_u64.to_le_bytes());
        assert_eq!(code(&empty), "gguf_missing");
    }

    #[test]
    fn absurd_claims_end_at_once() {
        let head = |entries: u64| {
            let mut bytes = sample()[..16].to_vec();
            bytes.extend(entries.to_le_bytes());
            bytes
        };
        assert!(read(&head(u64::MAX)).is_err());
        let mut long_key = head(1);
        long_key.extend(u64::MAX.to_le_bytes());
        assert!(read(&long_key).is_err());
        for kind in [0, TYPE_STRING, TYPE_ARRAY, 12, 13, u32::MAX] {
            let mut array = head(1);
            let claim = [&kind.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
            entry(&mut array, "x", TYPE_ARRAY, &claim);
            assert_eq!(read(&array).unwrap_err().code(), "gguf_malformed", "{kind}");
        }
        // Arrays in arrays, all the way down.
        let mut nested = head(1);
        let level = [&TYPE_ARRAY.to_le_bytes()[..], &1_u64.to_le_bytes()].concat();
        entry(&mut nested, "x", TYPE_ARRAY, &level.repeat(10_000));
        assert_eq!(read(&nested).unwrap_err().code(), "gguf_malformed");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut bytes = sample();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = read(&bytes);
        }
    }
}
