//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's half, over verifiers: what is stored proves a password but is none,
//! and cannot be used to log in. Pure: nonces and salts come in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pgwire::api::auth::sasl::scram::gen_salted_password;
use ring::{digest, hmac};

/// What RFC 7677 asks for at least. Passwords made here have 192 random bits, so more would only cost time.
pub const ITERATIONS: u32 = 4_096;
pub const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const MECHANISM: &str = "SCRAM-SHA-256";

/// Written as PostgreSQL writes it: `SCRAM-SHA-256$iterations:salt$stored-key:server-key`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(…)")
    }
}

impl Verifier {
    pub fn new(password: &str, salt: &[u8]) -> Self {
        let salted = gen_salted_password(password, salt, ITERATIONS as usize);
        let stored_key = sha256(&keyed(&salted, b"Client Key"));
        Self { iterations: ITERATIONS, salt: salt.to_vec(), stored_key, server_key: keyed(&salted, b"Server Key") }
    }

    /// Of a user who does not exist: the exchange looks like any other, and its keys open to no password.
    pub fn of_nobody(name: &str, secret: &[u8]) -> Self {
        let salt = keyed(secret, name.as_bytes())[..SALT_BYTES].to_vec();
        let unknowable = keyed(secret, &salt);
        Self { iterations: ITERATIONS, salt, stored_key: unknowable.clone(), server_key: unknowable }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (head, keys) = text.strip_prefix(MECHANISM)?.strip_prefix('$')?.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        let decode = |text: &str| BASE64.decode(text).ok();
        let verifier = Self {
            iterations: iterations.parse().ok().filter(|count| *count >= ITERATIONS)?,
            salt: decode(salt)?,
            stored_key: decode(stored)?,
            server_key: decode(server)?,
        };
        let whole = verifier.stored_key.len() == KEY_BYTES && verifier.server_key.len() == KEY_BYTES;
        (whole && !verifier.salt.is_empty()).then_some(verifier)
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [salt, stored, server] = [&self.salt, &self.stored_key, &self.server_key].map(|bytes| BASE64.encode(bytes));
        write!(f, "{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// Why an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// The message is none of SCRAM's.
    Malformed,
    /// The client cannot prove that it knows the password.
    Unproven,
}

/// After the client's first message: what to answer, and what to expect.
#[derive(Debug)]
pub struct Challenge {
    verifier: Verifier,
    gs2_header: String,
    nonce: String,
    client_first_bare: String,
    pub server_first: String,
}

impl Challenge {
    /// `nonce` is the server's part, fresh for every exchange.
    pub fn new(client_first: &[u8], verifier: Verifier, nonce: &str) -> Result<Self, Broken> {
        let text = std::str::from_utf8(client_first).map_err(|_| Broken::Malformed)?;
        // Channel binding is not offered, so a client that asks for it was told something else on the way.
        let rest = text.strip_prefix("n,").or_else(|| text.strip_prefix("y,")).ok_or(Broken::Malformed)?;
        let (_, bare) = rest.split_once(',').ok_or(Broken::Malformed)?;
        let client_nonce = field(bare, "r=").filter(|nonce| !nonce.is_empty()).ok_or(Broken::Malformed)?;
        let nonce = format!("{client_nonce}{nonce}");
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        let gs2_header = text[..text.len() - bare.len()].to_owned();
        Ok(Self { verifier, gs2_header, nonce, client_first_bare: bare.to_owned(), server_first })
    }

    /// The server's last message, once the client has proven that it knows the password.
    pub fn check(&self, client_final: &[u8]) -> Result<String, Broken> {
        let text = std::str::from_utf8(client_final).map_err(|_| Broken::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Broken::Malformed)?;
        let bound = field(without_proof, "c=").ok_or(Broken::Malformed)?;
        if bound != BASE64.encode(&self.gs2_header) || field(without_proof, "r=") != Some(self.nonce.as_str()) {
            return Err(Broken::Malformed);
        }
        let proof = BASE64.decode(proof).ok().filter(|proof| proof.len() == KEY_BYTES).ok_or(Broken::Malformed)?;
        let said = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = keyed(&self.verifier.stored_key, said.as_bytes());
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if !equal(&sha256(&client_key), &self.verifier.stored_key) {
            return Err(Broken::Unproven);
        }
        Ok(format!("v={}", BASE64.encode(keyed(&self.verifier.server_key, said.as_bytes()))))
    }
}

fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name))
}

/// Compares without telling by its time how much was right.
fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn keyed(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange printed in RFC 7677, section 3.
    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const FINAL: &str =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn challenge(password: &str) -> Challenge {
        let verifier = Verifier::new(password, &BASE64.decode(SALT).unwrap());
        Challenge::new(FIRST, verifier, SERVER_NONCE).unwrap()
    }

    #[test]
    fn the_exchange_of_the_rfc_comes_out_as_printed() {
        let challenge = challenge("pencil");
        assert_eq!(challenge.server_first, format!("r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE},s={SALT},i=4096"));
        assert_eq!(challenge.check(FINAL.as_bytes()).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn another_password_another_nonce_and_nobody_are_refused() {
        assert_eq!(challenge("pencil2").check(FINAL.as_bytes()), Err(Broken::Unproven));
        let other = FINAL.replace("hvYD", "hvYE");
        assert_eq!(challenge("pencil").check(other.as_bytes()), Err(Broken::Malformed));
        let rebound = FINAL.replace("c=biws", "c=eSws");
        assert_eq!(challenge("pencil").check(rebound.as_bytes()), Err(Broken::Malformed));
        let nobody = Challenge::new(FIRST, Verifier::of_nobody("user", b"secret"), SERVER_NONCE).unwrap();
        assert_eq!(nobody.check(FINAL.as_bytes()), Err(Broken::Unproven));
    }

    #[test]
    fn nobody_has_the_same_salt_every_time() {
        let salt = |name| Verifier::of_nobody(name, b"secret").salt;
        assert_eq!(salt("a"), salt("a"));
        assert_ne!(salt("a"), salt("b"));
    }

    #[test]
    fn channel_binding_that_was_not_offered_is_refused() {
        let asked = b"p=tls-server-end-point,,n=,r=abc";
        assert_eq!(Challenge::new(asked, Verifier::new("x", b"salt"), "n").unwrap_err(), Broken::Malformed);
    }

    #[test]
    fn a_verifier_comes_back_from_its_text_and_shows_nothing() {
        let verifier = Verifier::new("pencil", b"0123456789abcdef");
        assert_eq!(Verifier::parse(&verifier.to_string()), Some(verifier.clone()));
        assert_eq!(format!("{verifier:?}"), "Verifier(…)");
        for text in ["", "md5abc", "SCRAM-SHA-256$1:AA==$AA==:AA==", "SCRAM-SHA-256$4096:AA==$AA==:AA=="] {
            assert_eq!(Verifier::parse(text), None, "{text}");
        }
    }
}
