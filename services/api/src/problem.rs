//! Every error as RFC 9457 problem details: what is wrong with which value, and what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// RFC 9457.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// An error as programs and people read it (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; `/problems/…` relative to this server.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// The offending value and the cure.
    pub detail: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        let kind = format!("/problems/{kind}");
        Self { kind, title: title.to_owned(), status: status.as_u16(), detail: detail.into() }
    }

    pub fn bad_value(name: &str, value: &str, cure: &str) -> Self {
        let value: String = value.chars().filter(|c| !c.is_control()).take(80).collect();
        let detail = format!("`{name}` is `{value}`: {cure}");
        Self::new(StatusCode::BAD_REQUEST, "bad-value", "A value cannot be used", detail)
    }

    pub fn not_found(what: &str, name: &str, cure: &str) -> Self {
        let name: String = name.chars().filter(|c| !c.is_control()).take(96).collect();
        let detail = format!("there is no {what} `{name}`: {cure}");
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "The statement was refused", detail)
    }

    pub fn reused_key(key: &str) -> Self {
        let detail = format!("the Idempotency-Key `{key}` was used for another statement: take a new one");
        Self::new(StatusCode::CONFLICT, "reused-key", "This key names another statement", detail)
    }

    pub fn no_cut() -> Self {
        let detail = "no data has reached the tables yet: ask again in a few seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-data-yet", "No data yet", detail)
    }

    pub fn too_large() -> Self {
        let detail = "the question needs more memory than all questions may take together: ask for fewer days or for one site, \
            or start the server with a larger `--query-memory-mebibytes`";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too-large", "The question is too large", detail)
    }

    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not possible now", detail)
    }

    pub fn not_signed_in() -> Self {
        let detail =
            "send `Authorization: Bearer <token>`, or sign in at /login with the token from the server's start";
        Self::new(StatusCode::UNAUTHORIZED, "not-signed-in", "Sign in first", detail)
    }

    pub fn foreign_origin() -> Self {
        let detail = "the request came from a page of another origin: send it from this server's own pages or with a bearer token";
        Self::new(StatusCode::FORBIDDEN, "foreign-origin", "Another site asked", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Trouble of ours: the log has the whole chain, the answer does not.
impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let chain: Vec<String> = std::iter::successors(std::error::Error::source(&error), |inner| inner.source())
            .map(ToString::to_string)
            .collect();
        if error.is_too_large() {
            tracing::warn!(%error, chain = chain.join(": "), "a question needs more memory than questions may take");
            return Self::too_large();
        }
        tracing::error!(%error, chain = chain.join(": "), "a question could not be answered");
        let detail = format!("{error}; the server's log has more");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "trouble", "The server could not answer", detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_value_and_the_cure() {
        let problem = Problem::bad_value("from", "yester\nday", "write a day as 2026-03-01");
        assert_eq!(problem.detail, "`from` is `yesterday`: write a day as 2026-03-01");
        let response = problem.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }

    #[test]
    fn who_must_wait_or_sign_in_is_told_so_in_headers() {
        assert_eq!(Problem::no_cut().into_response().headers()["retry-after"], "5");
        assert_eq!(Problem::not_signed_in().into_response().headers()["www-authenticate"], "Bearer");
    }
}
