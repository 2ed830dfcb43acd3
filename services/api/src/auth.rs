//! Who may ask: the login token made at first start, the sessions it opens, and bearer tokens.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use rand::RngCore as _;

use crate::error::ApiError;

/// Sessions open at one time; the one opened first goes when another comes.
const SESSIONS_MAX: usize = 1_024;
/// A working day and a bit: then the link or the token is needed again.
const SESSION_LIFE: Duration = Duration::from_secs(14 * 3_600);
const SECRET_BYTES: usize = 24;
const TOKEN_LETTERS_MIN: usize = 20;
const COOKIE: &str = "medfleet_session";

/// The secret that opens everything. Never shown by `Debug`.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token in this file; made, for the owner's eyes only, when there is none.
    pub fn read_or_make(path: &Path) -> Result<Self, ApiError> {
        let failed = |source| ApiError::TokenFile { path: path.to_owned(), source };
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => {
                let token = random_secret();
                file.write_all(token.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
                Ok(Self(token))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let text = std::fs::read_to_string(path).map_err(failed)?;
                let token = text.trim().to_owned();
                let strong = token.len() >= TOKEN_LETTERS_MIN && token.bytes().all(|b| b.is_ascii_alphanumeric());
                let weak = || ApiError::WeakToken { path: path.to_owned(), least: TOKEN_LETTERS_MIN };
                strong.then_some(Self(token)).ok_or_else(weak)
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// The path and query of the link that signs in.
    pub fn login_path(&self) -> String {
        format!("/login?token={}", self.0)
    }

    pub fn admits(&self, offered: &str) -> bool {
        equal(self.0.as_bytes(), offered.trim().as_bytes())
    }

    fn borne_by(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        value.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|token| self.admits(token))
    }
}

/// Compares without telling by its time how much was right.
fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn random_secret() -> String {
    let mut bytes = [0_u8; SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How a request proved that it may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A program: it is not driven by a page of someone else's.
    Bearer,
    /// A browser: what it sends to change something must come from our own pages.
    Session,
}

/// The token and the sessions it opened.
pub struct Gate {
    token: Token,
    secure: bool,
    sessions: Mutex<HashMap<String, Instant>>,
}

impl Gate {
    pub fn new(token: Token, secure: bool) -> Self {
        Self { token, secure, sessions: Mutex::default() }
    }

    pub fn proof(&self, headers: &HeaderMap) -> Option<Proof> {
        if self.token.borne_by(headers) {
            return Some(Proof::Bearer);
        }
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = session_of(headers).and_then(|id| sessions.get(id));
        opened.is_some_and(|opened| opened.elapsed() < SESSION_LIFE).then_some(Proof::Session)
    }

    /// A new session, as the cookie to set; None when the token is wrong.
    pub fn open(&self, offered: &str) -> Option<String> {
        if !self.token.admits(offered) {
            return None;
        }
        let id = random_secret();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, opened| opened.elapsed() < SESSION_LIFE);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, opened)| **opened).map(|(id, _)| id.clone());
            oldest.and_then(|id| sessions.remove(&id));
        }
        sessions.insert(id.clone(), Instant::now());
        let secure = if self.secure { "; Secure" } else { "" };
        Some(format!("{COOKIE}={id}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", SESSION_LIFE.as_secs()))
    }

    /// Ends the session of this request; the cookie to set.
    pub fn close(&self, headers: &HeaderMap) -> String {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = session_of(headers) {
            sessions.remove(id);
        }
        format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
    }
}

fn session_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_token_is_made_once_and_only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login.token");
        let made = Token::read_or_make(&path).unwrap();
        assert!(made.admits(&Token::read_or_make(&path).unwrap().0));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "letmein").unwrap();
        assert!(matches!(Token::read_or_make(&path), Err(ApiError::WeakToken { .. })));
    }

    #[test]
    fn only_the_token_opens_a_session_and_only_that_session_is_known() {
        let gate = Gate::new(Token("a".repeat(24)), true);
        assert!(gate.open(&"b".repeat(24)).is_none() && gate.open("").is_none());
        let cookie = gate.open(&"a".repeat(24)).unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        let sent = headers(header::COOKIE, &format!("other=1; {pair}"));
        assert_eq!(gate.proof(&sent), Some(Proof::Session));
        assert_eq!(gate.proof(&headers(header::COOKIE, "medfleet_session=forged")), None);
        gate.close(&sent);
        assert_eq!(gate.proof(&sent), None);
    }

    #[test]
    fn a_bearer_token_is_proof_and_a_wrong_one_is_not() {
        let gate = Gate::new(Token("a".repeat(24)), false);
        let bearer = |token: &str| headers(header::AUTHORIZATION, &format!("Bearer {token}"));
        assert_eq!(gate.proof(&bearer(&"a".repeat(24))), Some(Proof::Bearer));
        assert_eq!(gate.proof(&bearer(&"a".repeat(23))), None);
        assert_eq!(gate.proof(&HeaderMap::new()), None);
    }
}
