//! Calven: what it holds, whom it lets in, and its rules, which the stand-in has written anew.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use stand_ins::calven::{Row, check};

use crate::history::Credential;

/// Type and name.
pub(crate) type Group = (String, String);

/// Each group and its parent.
pub(crate) type Rows = BTreeMap<Group, Option<Group>>;

/// Calven.
#[derive(Debug)]
pub(crate) struct Calven {
    credential: Credential,
    token_life_seconds: i64,
    /// The number of the key that is good.
    key: u32,
    tokens: BTreeMap<String, i64>,
    made: u32,
    /// What it holds.
    pub(crate) rows: Option<Rows>,
    /// The same, as it came.
    pub(crate) body: Vec<u8>,
}

/// An answer: status and body.
pub(crate) type Answer = (u16, Value);

/// Reads a PUT's body by Calven's rules.
pub(crate) fn rows_of(body: &[u8]) -> Result<Rows, String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Payload {
        group_relationships: Vec<Row>,
    }
    let Payload {
        group_relationships: rows,
    } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    check(&rows)?;
    let rows: Rows = rows
        .into_iter()
        .map(|row| ((row.group_type, row.group), row.parent_type.zip(row.parent)))
        .collect();
    // More than Calven asks: the bridge sends each parent's own row too.
    match rows
        .values()
        .flatten()
        .find(|parent| !rows.contains_key(*parent))
    {
        Some(parent) => Err(format!("{parent:?} is a parent and has no row")),
        None => Ok(rows),
    }
}

impl Calven {
    pub(crate) fn new(credential: Credential, token_life_seconds: i64) -> Self {
        Self {
            credential,
            token_life_seconds,
            key: 0,
            tokens: BTreeMap::new(),
            made: 0,
            rows: None,
            body: Vec::new(),
        }
    }

    /// The secret that it wants, of the key of this number.
    pub(crate) fn secret(credential: Credential, key: u32) -> Value {
        match credential {
            Credential::Basic => {
                json!({"auth": "basic", "apiKey": format!("key-{key}"), "apiSecret": "s"})
            }
            Credential::ClientSecret => {
                json!({"auth": "client_secret", "clientId": format!("key-{key}"), "clientSecret": "s"})
            }
        }
    }

    /// Another key is the good one from now on; the old one's tokens end.
    pub(crate) fn rotate(&mut self) -> u32 {
        self.key += 1;
        self.tokens.clear();
        self.key
    }

    pub(crate) fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Answers a request for a token.
    pub(crate) fn token(&mut self, body: &[u8], now: i64) -> Answer {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let wanted = format!("key-{}", self.key);
        if asked["client_id"] != wanted.as_str() || asked["client_secret"] != "s" {
            return (401, json!({"message": "wrong key"}));
        }
        self.made += 1;
        let token = format!("token-{}", self.made);
        self.tokens
            .insert(token.clone(), now + self.token_life_seconds);
        (
            200,
            json!({"access_token": token, "expires_in": self.token_life_seconds}),
        )
    }

    /// Answers a PUT; what it holds is replaced where that is answered 204.
    pub(crate) fn put(
        &mut self,
        path: &str,
        authorization: &str,
        (body, rows): (&[u8], &Rows),
        now: i64,
    ) -> u16 {
        let is_basic = path.ends_with("/basic");
        let is_let_in = match self.credential {
            Credential::Basic => {
                let pair = BASE64_STANDARD.encode(format!("key-{}:s", self.key));
                is_basic && authorization == format!("Basic {pair}")
            }
            Credential::ClientSecret => {
                let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
                !is_basic && self.tokens.get(token).is_some_and(|end| now < *end)
            }
        };
        if !is_let_in {
            return 401;
        }
        self.rows = Some(rows.clone());
        self.body = body.to_vec();
        204
    }
}
