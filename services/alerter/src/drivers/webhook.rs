//! Webhooks as Standard Webhooks has them: signed, with an id that a repeat shares.

use async_trait::async_trait;
use medfleet_domain::alert::message::Outcome;
use standardwebhooks::Webhook as Signer;

use super::Driver;
use super::http::Http;
use crate::error::AlerterError;
use crate::letter::Letter;
use crate::topic::now;

pub struct Webhook {
    http: Http,
    signer: Signer,
}

impl Webhook {
    pub fn new(http: Http, secret: &str) -> Result<Self, AlerterError> {
        Ok(Self { http, signer: Signer::new(secret).map_err(|_| AlerterError::WebhookSecret)? })
    }
}

#[async_trait]
impl Driver for Webhook {
    async fn send(&self, letter: &Letter) -> Outcome {
        let body = letter.json().to_string().into_bytes();
        let (id, seconds) = (letter.id.webhook(), now().second());
        let Ok(signature) = self.signer.sign(&id, seconds, &body) else {
            return Outcome::Refused { reason: "the message cannot be signed".to_owned() };
        };
        let headers =
            [("webhook-id", id), ("webhook-timestamp", seconds.to_string()), ("webhook-signature", signature)];
        self.http.post(&letter.address, &headers, body).await
    }
}

#[cfg(test)]
mod tests {
    use medfleet_domain::alert::message::Channel;

    use super::super::guard::Allowed;
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[tokio::test]
    async fn a_private_address_that_nobody_named_is_refused_for_good() {
        let webhook = Webhook::new(Http::new(Allowed::default()).unwrap(), SECRET).unwrap();
        for url in ["https://127.0.0.1:1/hook", "https://localhost:1/", "http://[::1]:1/", "https://169.254.169.254/"] {
            let letter = crate::letter::tests::letter(Channel::Webhook(url.into()), false);
            let outcome = webhook.send(&letter).await;
            assert!(
                matches!(&outcome, Outcome::Refused { reason } if reason.contains("may not be reached")),
                "{url}: {outcome:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_cannot_be_reached_now_may_be_later_and_other_schemes_are_not_spoken() {
        let allowed = Allowed::new(vec!["127.0.0.1".parse().unwrap()]);
        let webhook = Webhook::new(Http::new(allowed).unwrap(), SECRET).unwrap();
        let send =
            async |url: &str| webhook.send(&crate::letter::tests::letter(Channel::Webhook(url.into()), false)).await;
        assert!(matches!(send("http://127.0.0.1:1/").await, Outcome::Failed { .. }));
        assert!(matches!(send("ftp://127.0.0.1:1/").await, Outcome::Refused { .. }));
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        let http = Http::new(Allowed::default()).unwrap();
        assert!(matches!(Webhook::new(http, "whsec_!"), Err(AlerterError::WebhookSecret)));
    }
}
