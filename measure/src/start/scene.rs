//! A company of which the function knows, and the two that are compared among the same stand-ins.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    company::Company,
    encrypted::Front,
    instance::{Function, Instance, Observed},
    surroundings::{Home, Publishing, Surroundings, now},
    webhook::{Answer, Webhook},
};

/// So many webhooks are sent at most; all of them say what happened before now.
const MOST_WEBHOOKS: usize = 100_000;

/// What both are started in.
pub(super) struct Scene {
    pub(super) surroundings: Surroundings,
    function: Function,
    with_all: Function,
    over_tls: Function,
    _fronts: Vec<Front>,
    smallest: Function,
    company: Company,
    last: Option<Webhook>,
}

/// What is started.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// The function.
    Function,
    /// The function with all that can be configured; it takes no webhooks.
    WithAll,
    /// The function, all of whose requests go over TLS.
    OverTls,
    /// The smallest function.
    Smallest,
}

/// The two that are compared.
pub(super) struct Binaries<'a> {
    pub(super) function: &'a Path,
    pub(super) smallest: &'a Path,
    pub(super) log: Option<&'a PathBuf>,
}

impl Scene {
    /// Starts the stand-ins, and has a company of so many groups published.
    pub(super) async fn start(
        binaries: &Binaries<'_>,
        publishing: Publishing,
        groups: usize,
        seed: u64,
    ) -> Result<Self> {
        let surroundings = Surroundings::start(&Home::Ours, publishing).await?;
        let function = surroundings.function(binaries.function, binaries.log)?;
        let with_all = surroundings.function_with_capillary(binaries.function, binaries.log)?;
        let over_tls = surroundings.function_over_tls(binaries.function, binaries.log);
        let (over_tls, fronts) = over_tls.await?;
        let smallest = surroundings.function(binaries.smallest, binaries.log)?;
        let company = Company::with_groups(seed, groups, Company::since(now(), MOST_WEBHOOKS));
        let mut first = function.start().await?;
        first.act(company.seed()?).await.context("the seed")?;
        first.kill().await?;
        surroundings.watch(Duration::ZERO);
        Ok(Self {
            surroundings,
            function,
            with_all,
            over_tls,
            _fronts: fronts,
            smallest,
            company,
            last: None,
        })
    }

    /// One of them.
    pub(super) fn binary(&self, which: Which) -> &Function {
        match which {
            Which::Function => &self.function,
            Which::WithAll => &self.with_all,
            Which::OverTls => &self.over_tls,
            Which::Smallest => &self.smallest,
        }
    }

    /// The event of the webhook that was sent last, signed anew.
    pub(super) fn last_event(&self) -> Option<Value> {
        Some(self.last.as_ref()?.event(now()))
    }

    /// Sends the next webhook, which changes something, and looks on. The smallest function gets what was said last: nobody is to
    /// miss it.
    pub(super) async fn send(&mut self, instance: &mut Instance, which: Which) -> Result<Observed> {
        let webhook = match (which, &self.last) {
            (Which::Smallest, Some(last)) => last,
            _ => self.last.insert(self.company.next_move()?),
        };
        let observed = instance.observe(webhook.event(now())).await?;
        // What was refused is no measurement.
        match Answer::of(observed.invoked.clone()) {
            Answer::Acknowledged(_) => Ok(observed),
            Answer::TryAgain(told) | Answer::Refused(told) => {
                bail!("a webhook was refused: {told}")
            }
        }
    }
}
