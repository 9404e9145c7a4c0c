//! Calven and Capillary on this machine, for `cargo lambda watch` to talk to.
//!
//! ```sh
//! cargo run --example sandbox             # or with --calven-port 0 --capillary-port 0 --picture-port 0: any free ones
//! ```
//!
//! It prints the variables to start the function with, and where to look at what Calven holds: as text, and as a page that
//! follows every PUT. It runs until Ctrl-C. Whatever it takes for a secret stands in `examples/sandbox/secrets.json`.

#[path = "sandbox/live.rs"]
mod live;

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use stand_ins::{
    calven::{self, CalvenStandIn},
    capillary::{self, CapillaryStandIn},
};

/// The ports that docs/local.md names.
const CALVEN_PORT: u16 = 8181;
const CAPILLARY_PORT: u16 = 8182;
const PICTURE_PORT: u16 = 8183;

/// The same file that the function reads its secrets from.
const SECRETS: &str = include_str!("sandbox/secrets.json");
const ORGANIZATIONS: &str = include_str!("sandbox/capillary.json");

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let ports = Ports::from_args(std::env::args().skip(1))?;
    let secrets: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(SECRETS)?;
    let keys = secrets.values().filter_map(calven_key).collect();
    let till = secrets.get("capillary/api").and_then(capillary_key);
    let till = till.context("secrets.json has no capillary/api")?;

    let calven = Arc::new(start_calven(ports.calven, keys).await?);
    let capillary = CapillaryStandIn::start_on(ports.capillary, till, ORGANIZATIONS, now)
        .await
        .with_context(|| format!("Capillary, on port {}", ports.capillary))?;

    let picture = live::start(ports.picture, Arc::clone(&calven), now)
        .await
        .with_context(|| format!("the picture, on port {}", ports.picture))?;

    announce(&calven.url(), &capillary.url(), &picture.url())?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

struct Ports {
    calven: u16,
    capillary: u16,
    picture: u16,
}

impl Ports {
    fn from_args(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut ports = Self {
            calven: CALVEN_PORT,
            capillary: CAPILLARY_PORT,
            picture: PICTURE_PORT,
        };
        while let Some(arg) = args.next() {
            let port = match arg.as_str() {
                "--calven-port" => &mut ports.calven,
                "--capillary-port" => &mut ports.capillary,
                "--picture-port" => &mut ports.picture,
                _ => bail!(
                    "unknown argument {arg}; known are --calven-port, --capillary-port and --picture-port"
                ),
            };
            let value = args
                .next()
                .with_context(|| format!("{arg} needs a number"))?;
            *port = value
                .parse()
                .with_context(|| format!("{arg} {value}: not a port"))?;
        }
        Ok(ports)
    }
}

/// Every kind of key that Calven has is accepted at once, so that any of the secrets can be tried.
async fn start_calven(port: u16, keys: Vec<calven::Credentials>) -> anyhow::Result<CalvenStandIn> {
    let mut keys = keys.into_iter();
    let first = keys.next().context("secrets.json has no key of Calven's")?;
    let stand_in = CalvenStandIn::start_on(port, first, now)
        .await
        .with_context(|| format!("Calven, on port {port}"))?;
    for key in keys {
        stand_in.also_accept(key);
    }
    Ok(stand_in)
}

/// The key of Calven's that a secret of the file is, if it is one.
fn calven_key(secret: &BTreeMap<String, String>) -> Option<calven::Credentials> {
    let field = |name: &str| secret.get(name).cloned();
    match secret.get("auth")?.as_str() {
        "hmac" => Some(calven::Credentials::Hmac {
            api_key: field("apiKey")?,
            api_secret: field("apiSecret")?,
        }),
        "client_secret" => Some(calven::Credentials::ClientSecret {
            client_id: field("clientId")?,
            client_secret: field("clientSecret")?,
        }),
        "basic" => Some(calven::Credentials::Basic {
            api_key: field("apiKey")?,
            api_secret: field("apiSecret")?,
        }),
        "jwt" => Some(calven::Credentials::Jwt {
            token: field("token")?,
        }),
        _ => None,
    }
}

fn capillary_key(secret: &BTreeMap<String, String>) -> Option<capillary::Credentials> {
    Some(capillary::Credentials::Basic {
        username: secret.get("username")?.clone(),
        password: secret.get("password")?.clone(),
    })
}

/// Three lines for scripts, and the rest to paste.
fn announce(calven: &str, capillary: &str, picture: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(
        out,
        "\
Calven    {calven}
Capillary {capillary}
Picture   {picture}

What Calven holds: {picture}/ as a page that follows every PUT and marks what it changed;
{calven}/ as a tree, {calven}/rows as JSON, {calven}/puts counts the PUTs.
Start the function in another terminal, in the repository's root:

  export CALVEN_BASE_URL={calven}
  export CALVEN_SECRET_ID=calven/api
  export CAPILLARY_BASE_URL={capillary}
  export CAPILLARY_SECRET_ID=capillary/api
  export SECRETS_FILE=examples/sandbox/secrets.json
  export SOURCES_FILE=examples/sandbox/sources.toml
  export STATE_URL=file:.bridge/state.json
  cargo lambda watch --invoke-address 127.0.0.1 --invoke-port 9000

Ctrl-C ends the sandbox. What Calven held is gone then, so remove .bridge/state.json too.
"
    )?;
    out.flush()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the stand-ins live in the same present as the function, which main gives the time"
)]
fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| {
        i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
    })
}
