//! API keys. The key is the seed of a session key: it is read from the request, lives in it
//! and is wiped with it. The gateway keeps no list of keys; the ledger knows the sessions.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use remuda_types::SecretKey;

use crate::openai::error::ApiError;

/// The session key that the request brought.
///
/// # Errors
/// [`ApiError::MissingApiKey`], [`ApiError::InvalidApiKey`].
pub(crate) fn session_key(headers: &HeaderMap) -> Result<Arc<SecretKey>, ApiError> {
    let header = headers.get(AUTHORIZATION).ok_or(ApiError::MissingApiKey)?;
    let text = header.to_str().map_err(|_| ApiError::InvalidApiKey)?.trim();
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || key.trim().is_empty() {
        return Err(ApiError::MissingApiKey);
    }
    SecretKey::from_api_key(key.trim()).map(Arc::new).map_err(|_| ApiError::InvalidApiKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(header: Option<&str>) -> &'static str {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        session_key(&headers).map_or_else(|error| error.code(), |_| "ok")
    }

    #[test]
    fn a_key_is_read_or_refused_by_name() {
        let key = SecretKey::from_seed([3; 32]).to_api_key();
        assert_eq!(code(Some(&format!("Bearer {key}"))), "ok");
        assert_eq!(code(Some(&format!("bearer  {key}"))), "ok");
        assert_eq!(code(None), "missing_api_key");
        assert_eq!(code(Some("Bearer")), "missing_api_key");
        assert_eq!(code(Some("Bearer ")), "missing_api_key");
        assert_eq!(code(Some(&format!("Basic {key}"))), "missing_api_key");
        assert_eq!(code(Some("Bearer sk-remuda-1nonsense")), "invalid_api_key");
        assert_eq!(code(Some("Bearer sk-proj-abc")), "invalid_api_key");
        let mistyped = key.replacen('q', "p", 1);
        assert_ne!(mistyped, key);
        assert_eq!(code(Some(&format!("Bearer {mistyped}"))), "invalid_api_key");
    }
}
