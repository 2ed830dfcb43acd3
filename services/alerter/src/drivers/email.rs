//! E-mail: text and HTML side by side, and a Message-ID that a repeat shares.

use async_trait::async_trait;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use medfleet_domain::alert::message::Outcome;
use url::Url;

use super::{Driver, SEND_LIMIT};
use crate::config::MailConfig;
use crate::error::AlerterError;
use crate::letter::Letter;

pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Email {
    pub fn new(config: &MailConfig) -> Result<Self, AlerterError> {
        let from = mailbox(&config.from).ok_or_else(|| AlerterError::MailAddress { address: config.from.clone() })?;
        let wrong = || AlerterError::MailServer { server: config.server.clone() };
        let url = Url::parse(&config.server).map_err(|_| wrong())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let parameters = || TlsParameters::new(host.to_owned()).map_err(AlerterError::Mail);
        let (tls, port) = match url.scheme() {
            "smtp" => (Tls::None, 25),
            "smtp+starttls" => (Tls::Required(parameters()?), 587),
            "smtps" => (Tls::Wrapper(parameters()?), 465),
            _ => return Err(wrong()),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        let mut builder = builder.port(url.port().unwrap_or(port)).tls(tls).timeout(Some(SEND_LIMIT));
        if let Some((user, password)) = &config.user {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    fn message(&self, letter: &Letter) -> Result<Message, String> {
        let to = mailbox(&letter.address).ok_or_else(|| format!("`{}` is no address", letter.address))?;
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject())
            .message_id(Some(letter.id.email(self.from.email.domain())))
            .multipart(MultiPart::alternative_plain_html(letter.text(), letter.html()))
            .map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Driver for Email {
    async fn send(&self, letter: &Letter) -> Outcome {
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(reason) => return Outcome::Refused { reason },
        };
        match self.transport.send(message).await {
            Ok(_) => Outcome::Delivered,
            Err(error) if error.is_permanent() => Outcome::Refused { reason: chain(&error) },
            Err(error) => Outcome::Failed { reason: chain(&error) },
        }
    }
}

fn mailbox(address: &str) -> Option<Mailbox> {
    address.parse().ok()
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use medfleet_domain::alert::message::Channel;

    use super::*;

    fn config(server: &str) -> MailConfig {
        MailConfig { server: server.into(), user: None, from: "medfleet <alerts@medfleet.example>".into() }
    }

    #[tokio::test]
    async fn a_repeat_has_the_message_id_of_the_first_and_both_bodies() {
        let email = Email::new(&config("smtp://127.0.0.1:1")).unwrap();
        let letter = crate::letter::tests::letter(Channel::Email("kim@st-mary.example".into()), false);
        let text = || String::from_utf8(email.message(&letter).unwrap().formatted()).unwrap();
        let id = format!("Message-ID: {}", letter.id.email("medfleet.example"));
        assert!(text().contains(&id) && text().contains("text/plain") && text().contains("text/html"), "{}", text());
        assert!(matches!(email.send(&letter).await, Outcome::Failed { .. }), "nobody listens");
    }

    #[tokio::test]
    async fn a_wrong_server_or_address_is_named() {
        for server in ["mail.example", "http://mail.example", "smtp://"] {
            assert!(matches!(Email::new(&config(server)), Err(AlerterError::MailServer { .. })), "{server}");
        }
        let email = Email::new(&config("smtp://127.0.0.1:1")).unwrap();
        let letter = crate::letter::tests::letter(Channel::Email("nobody".into()), false);
        assert!(matches!(email.send(&letter).await, Outcome::Refused { .. }));
    }
}
