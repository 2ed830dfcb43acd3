//! The login: SCRAM-SHA-256 and nothing else. Who does not exist is answered like who does.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{Sink, SinkExt as _};
use pgwire::api::auth::sasl::SCRAM_SHA_256_METHOD;
use pgwire::api::auth::{
    ServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, METADATA_DATABASE, METADATA_USER, PgWireConnectionState, PidSecretKeyGenerator as _};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::startup::{Authentication, PasswordMessageFamily};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use rand::RngCore as _;

use crate::catalog::DATABASE;
use crate::refusal::Refusal;
use crate::refusal::sqlstate::{CANNOT_CONNECT_NOW, INVALID_PASSWORD, NO_SUCH_DATABASE, PROTOCOL_VIOLATION};
use crate::scram::{Broken, Challenge, Verifier};
use crate::session::{Place, Session, lock};
use crate::settings;
use crate::users::User;

const NONCE_BYTES: usize = 18;

impl Session {
    /// The first half: who says so, and what to ask of them.
    fn challenge(&self, name: &str, client_first: &[u8]) -> Result<String, Refusal> {
        let verifier = match self.user(name)? {
            Some(user) => user.verifier,
            None => Verifier::of_nobody(name, &self.house.secret),
        };
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let challenge = Challenge::new(client_first, verifier, &BASE64.encode(nonce)).map_err(|_| malformed())?;
        let told = challenge.server_first.clone();
        *lock(&self.exchange) = Some(challenge);
        Ok(told)
    }

    /// The second half: whether they know the password.
    fn verify(&self, name: &str, client_final: &[u8]) -> Result<(String, User), Refusal> {
        let challenge = lock(&self.exchange).take().ok_or_else(malformed)?;
        let refuse = || {
            let message = format!("password authentication failed for user \"{name}\"");
            let cure = "make or change a user with `medfleet sql-user`; the password lies beside the user's file";
            Refusal::fatal(INVALID_PASSWORD, message, cure)
        };
        let told = challenge.check(client_final).map_err(|broken| match broken {
            Broken::Malformed => malformed(),
            Broken::Unproven => refuse(),
        })?;
        // Removed between the two halves.
        Ok((told, self.user(name)?.ok_or_else(refuse)?))
    }

    fn user(&self, name: &str) -> Result<Option<User>, Refusal> {
        self.house.users.find(name).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, user = name, "a user cannot be read");
            let cure = "the server's log says why";
            Refusal::fatal(CANNOT_CONNECT_NOW, "this user cannot be read now", cure)
        })
    }

    fn enter<C: ClientInfo>(&self, client: &mut C, user: User) -> Result<(), Refusal> {
        let most = self.house.config.limits.connections_per_user_max;
        let seat = self.house.seats.take(&user.name, most)?;
        let (pid, key) = pgwire::api::RandomPidSecretKeyGenerator::default().generate(client);
        // The generator counts from one number in each connection: the place in the registry must be one of all.
        let pid = pid.wrapping_add(i32::try_from(rand::rng().next_u32() >> 2).unwrap_or_default());
        client.set_pid_and_secret_key(pid, key.clone());
        let entry = self.house.registry.enter(pid, &key, Arc::clone(&self.run));
        let place = Place::new(&self.house, user, seat, entry);
        // What a driver sets at the start is a wish: it is told what holds instead.
        let wished =
            client.metadata().iter().filter_map(|(name, value)| settings::assign(&name.to_lowercase(), value).ok());
        for change in wished {
            lock(&place.settings).apply(&change);
        }
        self.message_limit.store(self.house.config.limits.message_max_bytes, Ordering::Relaxed);
        tracing::info!(user = place.user.name, peer = %client.socket_addr(), "logged in to SQL");
        self.place.set(place).map_err(|_| malformed())
    }

    async fn on_password<C>(&self, client: &mut C, message: PasswordMessageFamily) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
        let waits_for_proof = lock(&self.exchange).is_some();
        if !waits_for_proof {
            let first = message.into_sasl_initial_response()?;
            if first.auth_method != SCRAM_SHA_256_METHOD {
                let message = format!("`{}` is no way to log in here", first.auth_method);
                return Err(Refusal::fatal(PROTOCOL_VIOLATION, message, "use SCRAM-SHA-256").into());
            }
            let told = self.challenge(&name, first.data.as_deref().unwrap_or_default())?;
            let told = Authentication::SASLContinue(told.into());
            return Ok(client.send(PgWireBackendMessage::Authentication(told)).await?);
        }
        let proof = message.into_sasl_response()?;
        let (told, user) = self.verify(&name, &proof.data)?;
        self.enter(client, user)?;
        self.house.meters.logins.with_label_values(&["admitted"]).inc();
        client.feed(PgWireBackendMessage::Authentication(Authentication::SASLFinal(told.into()))).await?;
        finish_authentication(client, self).await
    }
}

fn malformed() -> Refusal {
    Refusal::fatal(PROTOCOL_VIOLATION, "this is no exchange of SCRAM-SHA-256", "use a client that speaks it")
}

#[async_trait]
impl StartupHandler for Session {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(startup) => {
                protocol_negotiation(client, &startup).await?;
                save_startup_parameters_to_metadata(client, &startup);
                let named = client.metadata().get(METADATA_DATABASE);
                let user = client.metadata().get(METADATA_USER);
                if let Some(database) = named.filter(|name| *name != DATABASE && Some(*name) != user) {
                    let message = format!("database \"{database}\" does not exist");
                    return Err(Refusal::fatal(NO_SUCH_DATABASE, message, format!("connect to {DATABASE}")).into());
                }
                client.set_state(PgWireConnectionState::AuthenticationInProgress);
                let offered = Authentication::SASL(vec![SCRAM_SHA_256_METHOD.to_owned()]);
                client.send(PgWireBackendMessage::Authentication(offered)).await?;
                Ok(())
            }
            PgWireFrontendMessage::PasswordMessageFamily(message) => {
                let admitted = self.on_password(client, message).await;
                if admitted.is_err() {
                    self.house.meters.logins.with_label_values(&["refused"]).inc();
                }
                admitted
            }
            _ => Err(malformed().into()),
        }
    }
}

impl ServerParameterProvider for Session {
    fn server_parameters<C: ClientInfo>(&self, _: &C) -> Option<HashMap<String, String>> {
        let place = self.place.get()?;
        let told = lock(&place.settings).told().map(|(name, value)| (name.to_owned(), value)).collect();
        Some(told)
    }
}
