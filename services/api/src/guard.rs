//! What every request passes: proof of who asks, refusal of foreign origins, and headers that keep a browser strict.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::auth::{Gate, Proof};
use crate::door::Peer;
use crate::meters::Meters;
use crate::problem::Problem;

/// Own files only: no inline script or style, no frame, no request to anyone else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STRICT: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Answers `Problem` or the login page to whoever has no proof; refuses changes asked by foreign pages.
pub async fn admit(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match gate.proof(request.headers()) {
        None if wants_page(request.headers()) => Redirect::to("/login").into_response(),
        None => Problem::not_signed_in().into_response(),
        Some(Proof::Session) if changes(request.method()) && !same_origin(request.headers()) => {
            Problem::foreign_origin().into_response()
        }
        Some(_) => next.run(request).await,
    }
}

/// Metrics and probes are open on loopback: whoever sits there owns the machine. Elsewhere they need proof.
pub async fn admit_loopback(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let near = request.extensions().get::<ConnectInfo<Peer>>().is_some_and(|peer| is_loopback(peer.0.0));
    if near || gate.proof(request.headers()).is_some() {
        return next.run(request).await;
    }
    Problem::not_signed_in().into_response()
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A browser says where a changing request comes from; one that does not say is not trusted with a cookie.
pub fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    origin.is_some() && origin == text(header::HOST)
}

pub async fn strict(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in STRICT {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Counts by route, never by address: an address has too many values, and may name a device.
pub async fn count(State(meters): State<Meters>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let started = Instant::now();
    let response = next.run(request).await;
    meters.requests.with_label_values(&[route.as_str(), response.status().as_str()]).inc();
    meters.seconds.with_label_values(&[route.as_str()]).observe(started.elapsed().as_secs_f64());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_pages_may_change_something_with_a_cookie() {
        assert!(same_origin(&headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!same_origin(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(!same_origin(&headers(&[("sec-fetch-site", "none"), ("origin", "http://a:1"), ("host", "a:1")])));
        assert!(same_origin(&headers(&[("origin", "https://a:1"), ("host", "a:1")])));
        assert!(!same_origin(&headers(&[("origin", "https://b:1"), ("host", "a:1")])));
        assert!(!same_origin(&HeaderMap::new()));
    }

    #[test]
    fn loopback_is_recognised_in_both_families() {
        for near in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_loopback(near.parse().unwrap()), "{near}");
        }
        assert!(!is_loopback("10.0.0.1:1".parse().unwrap()));
    }
}
