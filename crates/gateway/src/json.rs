//! JSON in and out without intermediate trees: typed reading with the path of what is wrong,
//! and writing straight into the buffer that goes to the socket.

use std::io::Write;

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::openai::error::ApiError;

/// Reads a request body.
///
/// # Errors
/// [`ApiError::BadJson`] for what is not JSON, and [`ApiError::InvalidParameter`] with the
/// path of the value that has another type or is out of range.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // The path is worth a second pass, but only when there is something to complain about.
    serde_json::from_slice(body).or_else(|_| parse_slowly(body))
}

fn parse_slowly<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if path == "." || path == "?" {
            return without_path(&inner);
        }
        let path = path.trim_end_matches(".?").to_owned();
        ApiError::parameter(path.clone(), format!("{path}: {inner}"))
    })?;
    reader.end().map_err(|error| ApiError::BadJson(error.to_string()))?;
    Ok(value)
}

fn without_path(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    // A missing field has no path of its own; serde names it in the message.
    match text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((field, _)) => {
            ApiError::parameter(field.to_owned(), format!("you must provide `{field}`"))
        }
        None if error.is_data() => ApiError::parameter("body", text),
        None => ApiError::BadJson(text),
    }
}

/// Something that JSON is appended to.
pub trait Sink {
    /// Appends bytes.
    fn raw(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for BytesMut {
    fn raw(&mut self, bytes: &[u8]) {
        self.put_slice(bytes);
    }
}

struct Writer<'a, S: Sink>(&'a mut S);

impl<S: Sink> Write for Writer<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.raw(bytes);
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.raw(bytes);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Appends `value` as JSON.
pub fn push<S: Sink, T: Serialize + ?Sized>(out: &mut S, value: &T) {
    // Memory takes every byte, and none of our types has keys that are not text.
    let written = serde_json::to_writer(Writer(out), value);
    debug_assert!(written.is_ok(), "{written:?}");
}

/// Appends what `arguments` format to; for numbers and identifiers, not for foreign text.
pub fn push_display<S: Sink>(out: &mut S, arguments: std::fmt::Arguments<'_>) {
    let written = Writer(out).write_fmt(arguments);
    debug_assert!(written.is_ok(), "{written:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        #[expect(dead_code)]
        temperature: f64,
        #[serde(default)]
        #[expect(dead_code)]
        list: Vec<u8>,
    }

    fn refused(body: &str) -> (String, Option<String>) {
        let error = parse::<Sample>(body.as_bytes()).unwrap_err();
        (error.code().to_owned(), error.param().map(ToOwned::to_owned))
    }

    #[test]
    fn what_is_wrong_is_named() {
        let named = |name: &str| ("invalid_parameter".to_owned(), Some(name.to_owned()));
        assert_eq!(refused(r#"{"temperature": NaN}"#), named("temperature"));
        assert_eq!(refused(r#"{"temperature": 1e999}"#), named("temperature"));
        assert_eq!(refused(r#"{"temperature": "hot"}"#), named("temperature"));
        assert_eq!(refused(r#"{"temperature": 1, "list": [1, -2]}"#), named("list[1]"));
        assert_eq!(refused("{}"), named("temperature"));
    }

    #[test]
    fn what_is_not_json_is_called_so() {
        for body in ["", "{", "nonsense", "{\"temperature\": 1} x", "\u{feff}{}"] {
            assert_eq!(refused(body).0, "invalid_json", "{body}");
        }
        assert_eq!(refused("[]").0, "invalid_parameter");
    }
}
