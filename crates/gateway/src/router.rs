//! Which path is what. A handful of paths needs no tree.

use http::Method;

use crate::openai::error::ApiError;

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Models,
    Model(String),
    Chat,
    Completions,
    Responses,
    Embeddings,
    Receipt(String),
    Explain(String),
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
}

/// The label of requests that reach no route.
pub(crate) const UNMATCHED: usize = LABELS.len() - 1;

/// The routes as metrics and logs name them.
pub(crate) const LABELS: [&str; 13] = [
    "models",
    "model",
    "chat_completions",
    "completions",
    "responses",
    "embeddings",
    "receipt",
    "explain",
    "healthz",
    "readyz",
    "metrics",
    "openapi",
    "unmatched",
];

impl Route {
    /// The route's place in [`LABELS`].
    pub(crate) const fn label(&self) -> usize {
        match self {
            Self::Models => 0,
            Self::Model(_) => 1,
            Self::Chat => 2,
            Self::Completions => 3,
            Self::Responses => 4,
            Self::Embeddings => 5,
            Self::Receipt(_) => 6,
            Self::Explain(_) => 7,
            Self::Healthz => 8,
            Self::Readyz => 9,
            Self::Metrics => 10,
            Self::OpenApi => 11,
        }
    }
}

/// Finds the route.
///
/// # Errors
/// [`ApiError::UnknownPath`] and [`ApiError::MethodNotAllowed`].
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, ApiError> {
    let (route, allowed) = match path {
        "/v1/chat/completions" => (Route::Chat, Method::POST),
        "/v1/completions" => (Route::Completions, Method::POST),
        "/v1/responses" => (Route::Responses, Method::POST),
        "/v1/embeddings" => (Route::Embeddings, Method::POST),
        "/v1/models" => (Route::Models, Method::GET),
        "/healthz" => (Route::Healthz, Method::GET),
        "/readyz" => (Route::Readyz, Method::GET),
        "/metrics" => (Route::Metrics, Method::GET),
        "/openapi.json" => (Route::OpenApi, Method::GET),
        _ => (with_name(path).ok_or_else(|| unknown(path))?, Method::GET),
    };
    match (method == allowed, allowed == Method::POST) {
        (true, _) => Ok(route),
        (false, true) => Err(ApiError::MethodNotAllowed("POST")),
        (false, false) => Err(ApiError::MethodNotAllowed("GET")),
    }
}

fn with_name(path: &str) -> Option<Route> {
    if let Some(name) = path.strip_prefix("/v1/models/") {
        return Some(Route::Model(percent_decode(name)?));
    }
    if let Some(name) = path.strip_prefix("/v1/receipts/") {
        return Some(Route::Receipt(name.to_owned()));
    }
    let order = path.strip_prefix("/v1/orders/")?.strip_suffix("/explain")?;
    Some(Route::Explain(order.to_owned()))
}

/// The longest path that an error repeats, in characters.
const PATH_SHOWN_MAX: usize = 128;

fn unknown(path: &str) -> ApiError {
    ApiError::UnknownPath(path.chars().take(PATH_SHOWN_MAX).collect())
}

/// Names of models may hold slashes, which clients write as `%2F`.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_routes() {
        let get = |path| route(&Method::GET, path);
        assert_eq!(get("/v1/models"), Ok(Route::Models));
        assert_eq!(get("/v1/models/a%2Fb%20c"), Ok(Route::Model("a/b c".into())));
        assert_eq!(get("/v1/models/a/b"), Ok(Route::Model("a/b".into())));
        assert_eq!(get("/v1/orders/ab/explain"), Ok(Route::Explain("ab".into())));
        assert_eq!(route(&Method::POST, "/v1/responses"), Ok(Route::Responses));
    }

    #[test]
    fn other_paths_and_methods_are_typed_errors() {
        let code = |method, path| route(method, path).map_err(|error| error.code());
        assert_eq!(code(&Method::GET, "/v1/nothing"), Err("unknown_url"));
        assert_eq!(code(&Method::GET, "/v1/models/%f"), Err("unknown_url"));
        assert_eq!(code(&Method::GET, "/v1/models/%ff"), Err("unknown_url"));
        assert_eq!(code(&Method::GET, "/v1/models/%+1"), Err("unknown_url"));
        assert_eq!(code(&Method::DELETE, "/v1/models"), Err("method_not_allowed"));
        assert_eq!(code(&Method::GET, "/v1/chat/completions"), Err("method_not_allowed"));
    }

    #[test]
    fn every_route_has_its_own_label() {
        let paths = [
            "/v1/models",
            "/v1/models/m",
            "/v1/chat/completions",
            "/v1/completions",
            "/v1/responses",
            "/v1/embeddings",
            "/v1/receipts/r",
            "/v1/orders/o/explain",
            "/healthz",
            "/readyz",
            "/metrics",
            "/openapi.json",
        ];
        for (index, path) in paths.iter().enumerate() {
            let found = route(&Method::GET, path).or_else(|_| route(&Method::POST, path));
            assert_eq!(found.map(|route| route.label()), Ok(index), "{path}");
        }
        assert_eq!(UNMATCHED, paths.len());
    }
}
