//! Files that strangers made.

use std::io::Cursor;

use remuda_models::{Manifest, gguf};

/// The head of a model file.
pub fn gguf_head(bytes: &[u8]) {
    let Ok(head) = gguf::parse(Cursor::new(bytes), bytes.len() as u64) else { return };
    let licence = head.licence.as_ref().map_or(0, String::len);
    assert!(head.architecture.len() + licence <= bytes.len(), "text from nowhere");
    // The weights that follow the head do not change what it says.
    let longer = [bytes, b"weights"].concat();
    let again = gguf::parse(Cursor::new(&longer), longer.len() as u64);
    assert_eq!(again.ok(), Some(head));
}

/// A model's manifest.
pub fn model_manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = Manifest::parse(text) else { return };
    assert_eq!(manifest.validate(), Ok(()));
    let again = Manifest::parse(&manifest.to_toml()).expect("what was written can be read");
    assert_eq!(again.hash(), manifest.hash());
    assert_eq!(again, manifest);
}
