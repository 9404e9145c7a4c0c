//! What some senders want answered before they send anything: a challenge, a ping, a token to keep.
//!
//! They come unsigned. So a challenge is only given back, a ping only answered, and a token only kept while the source's secret
//! has no signing secret, and only the newest: whoever has one can no longer be given another.

use lambda_http::http::Method;
use secrecy::ExposeSecret as _;

use super::{Edge, Refusal};
use crate::{
    bridge::Deadlines,
    hierarchy::SourceName,
    secrets::{SecretsError, SourceSecret, lacks_signing_secret},
    sources::{config::Source, given::Given, handshake::Handshake},
    state::HandshakeToken,
    timestamp::Timestamp,
};

/// How a handshake is answered.
pub(super) enum Greeting {
    /// With what was asked for.
    Challenge {
        /// The answer's only key.
        key: String,
        /// What came.
        value: String,
    },
    /// With no more than success.
    Taken,
}

/// The answer to a challenge, which comes by GET; anything else but POST is not allowed.
pub(super) fn challenge(
    source: &Source,
    method: &Method,
    given: &Given,
) -> Result<Option<Greeting>, Refusal> {
    match (method, &source.handshake) {
        (&Method::POST, _) => Ok(None),
        (&Method::GET, Some(handshake @ Handshake::Challenge { answer, .. })) => {
            let value = handshake.challenge(&given.headers).ok_or_else(|| {
                Refusal::Unreadable("the header with the challenge is missing or unfit".to_owned())
            })?;
            Ok(Some(Greeting::Challenge {
                key: answer.clone(),
                value,
            }))
        }
        (_, Some(Handshake::Challenge { .. })) => Err(Refusal::Method("GET, POST")),
        (_, Some(Handshake::Pings(_) | Handshake::Token(_)) | None) => Err(Refusal::Method("POST")),
    }
}

impl Edge {
    /// The answer to a posted handshake, if this is one.
    pub(super) async fn greeting(
        &self,
        source: &Source,
        body: &[u8],
        received: Timestamp,
        deadlines: Deadlines,
    ) -> Result<Option<Greeting>, Refusal> {
        let Some(handshake) = &source.handshake else {
            return Ok(None);
        };
        if handshake.is_ping(body) {
            return Ok(Some(Greeting::Taken));
        }
        let is_token = matches!(handshake, Handshake::Token(_));
        if !is_token || !self.lacks_signing_secret(source).await? {
            return Ok(None);
        }
        let Some(token) = handshake.token(body) else {
            return Ok(None);
        };
        let token = HandshakeToken::new(token.expose_secret(), received)
            .map_err(|fault| Refusal::Unreadable(fault.to_string()))?;
        let source = source.name.as_str();
        let name = SourceName::new(source);
        match self.bridge.keep_handshake(&name, &token, deadlines).await? {
            true => tracing::warn!(
                source,
                "a verification token came and is kept: fetch it with the action handshake and put it into the source's secret"
            ),
            false => tracing::warn!(
                source,
                "a verification token came and is not kept: this is a dry run, or a newer one is kept"
            ),
        }
        Ok(Some(Greeting::Taken))
    }

    /// The sources that could be given a token and have their signing secret already.
    pub(crate) async fn proven(&self) -> Vec<SourceName> {
        let mut proven = Vec::new();
        for source in self.sources.by_name.values() {
            let id = &source.secret_id;
            if matches!(source.handshake, Some(Handshake::Token(_)))
                && let Ok(secret) = self.secrets.current(id).await
                && let Ok(SourceSecret::Signing(_)) = SourceSecret::parse(&secret, id)
            {
                proven.push(source.name.clone());
            }
        }
        proven
    }

    /// Whether a source's secret cannot verify anything yet: by the one there is now, since the cached one may be
    /// older than what an operator has put there.
    async fn lacks_signing_secret(&self, source: &Source) -> Result<bool, SecretsError> {
        let id = &source.secret_id;
        let current = match self.secrets.current(id).await {
            Ok(held) if lacks_signing_secret(Ok(&held)) => self.secrets.renewed(id, &held).await,
            current => current,
        };
        match current {
            Err(error @ SecretsError::Unavailable { .. }) => Err(error),
            current => Ok(lacks_signing_secret(current.as_ref())),
        }
    }
}
