//! Buttons of an alert: plain forms that become the same requests as in the REST API, under the key the page gave them.

use axum::Form;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use rand::RngCore as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::narrow::ME;
use crate::pages::PageProblem;
use crate::pages::format::encoded;
use crate::problem::Problem;
use crate::rest::alerts;
use crate::service::App;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The name that a person gave on this device, once.
const COOKIE: &str = "medfleet_name";
const COOKIE_SECONDS: i64 = 365 * 86_400;
const NAME_MAX_LETTERS: usize = 120;

/// A form as it was sent. Empty fields say nothing.
#[derive(Debug, Deserialize)]
pub struct Pressed {
    key: String,
    author: String,
    ask: String,
    part: Option<String>,
    to: Option<String>,
    until: Option<String>,
    reason: Option<String>,
}

impl Pressed {
    /// One form has many buttons: each is a request of its own, and pressed twice it is the same.
    fn key(&self) -> String {
        format!("{}-{}", self.key, self.ask)
    }

    /// The request as the REST API takes it.
    fn body(&self) -> Result<Value, Problem> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let ask = match self.ask.as_str() {
            "acknowledge" | "reopen" => json!({ "type": self.ask }),
            "assign" => json!({ "type": "assign", "to": text(&self.to) }),
            "snooze" => json!({ "type": "snooze", "until": text(&self.until) }),
            "close" => json!({ "type": "close", "reason": text(&self.reason) }),
            "other_part" => json!({ "type": "verdict", "finding": "other_part", "part": text(&self.part) }),
            "confirmed" | "wear_replaced" | "nothing_found" | "not_done" => {
                json!({ "type": "verdict", "finding": self.ask })
            }
            other => return Err(Problem::bad_value("ask", other, "press one of the buttons of the page")),
        };
        Ok(json!({ "author": self.author, "ask": ask }))
    }
}

pub async fn press(
    State(app): State<App>,
    Path(alert): Path<String>,
    Form(pressed): Form<Pressed>,
) -> Result<Response, PageProblem> {
    let key = pressed.key();
    let value = HeaderValue::from_str(&key).map_err(|_| Problem::bad_value("key", &key, "load the page again"))?;
    let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, value)]);
    let body = Bytes::from(pressed.body()?.to_string());
    let (_, Json(answered)) = alerts::request(State(app), Path(alert), headers, body).await?;
    let to = format!("/alerts/{}?asked={}", answered.alert.alert, encoded(&answered.id));
    Ok(Redirect::to(&to).into_response())
}

#[derive(Debug, Deserialize)]
pub struct Named {
    author: String,
    /// The alert to go back to; without one, to the person's own.
    alert: Option<String>,
}

/// Remembers on this device who taps, so that one tap is enough. An empty name forgets it.
pub async fn name(Form(named): Form<Named>) -> Result<Response, PageProblem> {
    let author = named.author.trim();
    if author.chars().count() > NAME_MAX_LETTERS || author.chars().any(char::is_control) {
        return Err(Problem::bad_value("author", author, "use 1 to 120 letters").into());
    }
    let to = match &named.alert {
        Some(alert) => format!("/alerts/{}", alerts::read_id(alert)?),
        None => format!("/alerts?assigned={ME}"),
    };
    let life = if author.is_empty() { 0 } else { COOKIE_SECONDS };
    let cookie = format!("{COOKIE}={}; Path=/alerts; Max-Age={life}; SameSite=Strict; HttpOnly", encoded(author));
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
}

/// Who taps on this device, as it was told once.
pub fn author(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';'));
    let value = pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    decoded(value).filter(|name| !name.is_empty() && name.chars().count() <= NAME_MAX_LETTERS)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// A key that nobody else has.
pub fn new_key() -> String {
    format!("page-{:016x}", rand::rng().next_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(ask: &str) -> Pressed {
        Pressed {
            key: "k".into(),
            author: "kim".into(),
            ask: ask.into(),
            part: Some("tube".into()),
            to: None,
            until: None,
            reason: None,
        }
    }

    #[test]
    fn every_button_is_a_request_of_the_api_under_a_key_of_its_own() {
        let asks = ["acknowledge", "reopen", "assign", "snooze", "close"];
        for ask in asks {
            assert_eq!(pressed(ask).body().unwrap()["ask"]["type"], ask);
        }
        for ask in ["confirmed", "other_part", "wear_replaced", "nothing_found", "not_done"] {
            assert_eq!(pressed(ask).body().unwrap()["ask"]["finding"], ask);
        }
        assert_eq!(pressed("other_part").body().unwrap()["ask"]["part"], "tube");
        assert_ne!(pressed("confirmed").key(), pressed("acknowledge").key());
        assert!(pressed("explode").body().is_err());
    }

    #[test]
    fn a_name_survives_its_cookie() {
        let of = |value: String| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&value).unwrap())]);
            author(&headers)
        };
        let name = "Zoë; O'Neil";
        assert_eq!(of(format!("medfleet_session=x; {COOKIE}={}", encoded(name))).as_deref(), Some(name));
        assert_eq!((of(format!("{COOKIE}=")), of(format!("{COOKIE}=%zz"))), (None, None));
    }
}
