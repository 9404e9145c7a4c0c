//! What carries requests: to Calven, to the thin source's API and to the queue, late, in vain, or so that the answer is
//! lost.

mod asked;
mod fate;

use std::{sync::Arc, time::Duration};

use calven_bridge::{http::SendFailure, store::BoxFuture};
use md5::{Digest as _, Md5};
use reqwest::{Request, Response};
use serde_json::json;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use self::{
    asked::Asked,
    fate::{Fate, Told},
};
use crate::{checks::shown, sim::Sim};

/// Where Calven is.
pub(crate) const CALVEN: &str = "https://calven.example";

type Sent = Result<(u16, Option<&'static str>, String), SendFailure>;

/// Carries one request of an instance.
pub(crate) fn exchange(
    sim: Arc<Sim>,
    slot: usize,
    request: Request,
) -> BoxFuture<'static, Result<Response, SendFailure>> {
    let (fate, asked, number) = {
        let mut world = sim.world();
        let number = world.invocation(slot, request.url().path());
        let asked = Asked::read(&mut world, &request, number);
        let percent = world.percent(|weather| weather.calls);
        let late = match asked {
            Asked::Put { .. } | Asked::Message { .. } => world.percent(|weather| weather.late),
            Asked::Token(_) | Asked::Page(_) => 0,
        };
        let back = match asked {
            Asked::Put { .. } | Asked::Token(_) => Some(world.calven_back),
            Asked::Page(_) => Some(world.api_back),
            Asked::Message { .. } => None,
        };
        let is_gone = back.is_some_and(|back| Instant::now() < back);
        let fate = Fate::any(world.chance(slot), percent, late, is_gone);
        if let (Some(number), false) = (number, fate.is_good()) {
            world.invocations[number].call_failed = true;
        }
        let (method, path) = (request.method(), request.url().path());
        world.note(format_args!("  [{slot}] {method} {path}: {fate:?}"));
        match &asked {
            Asked::Put { .. } => {
                world.puts += 1;
                world.in_flight += 1;
            }
            Asked::Message { .. } => world.queue.expect(),
            Asked::Page(None) => {
                if let Some(number) = number {
                    world.invocations[number].read_began = Some(Instant::now());
                }
            }
            Asked::Token(_) | Asked::Page(Some(_)) => {}
        }
        (fate, asked, number)
    };
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(carry(sim, slot, number, fate, asked, sender));
    Box::pin(async move {
        let (status, retry_after, body) = receiver.await.unwrap_or_else(|_| {
            Err(SendFailure::Unanswered(
                "the other side went away".to_owned(),
            ))
        })?;
        let mut response = http::Response::builder().status(status);
        if let Some(retry_after) = retry_after {
            response = response.header("retry-after", retry_after);
        }
        Ok(response.body(body).expect("a response").into())
    })
}

async fn carry(
    sim: Arc<Sim>,
    slot: usize,
    number: Option<usize>,
    fate: Fate,
    asked: Asked,
    mut sender: oneshot::Sender<Sent>,
) {
    sleep(Duration::from_millis(fate.there_ms)).await;
    let answer = fate
        .arrives
        .then(|| arrive(&sim, slot, &asked, sender.is_closed()));
    if fate.again_ms.is_none() {
        on_its_way_no_more(&sim, &asked);
    }
    let told: Sent = match (fate.told, answer) {
        (Told::Answer, Some((status, body))) => Ok((status, None, body)),
        (Told::CutOff, Some((status, mut body))) => {
            body.truncate(body.len() / 2);
            Ok((status, None, body))
        }
        (Told::Status(status, retry_after), _) => Ok((status, retry_after, String::new())),
        (Told::NoConnection, _) => Err(SendFailure::NeverSent("refused".to_owned())),
        (Told::Reset | Told::Answer | Told::CutOff, _) => {
            Err(SendFailure::Unanswered("reset".to_owned()))
        }
        (Told::Nothing, _) => {
            arrive_again(&sim, slot, &asked, fate).await;
            // Until whoever waits has gone.
            sender.closed().await;
            return;
        }
    };
    sleep(Duration::from_millis(fate.back_ms)).await;
    if let (Some(number), Ok((status, _, body)), false) = (number, &told, sender.is_closed()) {
        heard(&sim, slot, number, &asked, (*status, body));
    }
    let _gone = sender.send(told);
    arrive_again(&sim, slot, &asked, fate).await;
}

/// An answer is heard.
fn heard(sim: &Sim, slot: usize, number: usize, asked: &Asked, (status, body): (u16, &str)) {
    let mut world = sim.world();
    match asked {
        Asked::Put { rows, .. } => {
            world.note(format_args!("  [{slot}] PUT is answered {status}"));
            if (200..300).contains(&status) {
                world.invocations[number].taken.push(rows.clone());
            }
        }
        Asked::Page(_) => {
            let page: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            let is_last = page["data"]["results"].is_array() && page["data"]["next"].is_null();
            world.invocations[number].has_read |= status == 200 && is_last;
        }
        Asked::Token(_) | Asked::Message { .. } => {}
    }
}

async fn arrive_again(sim: &Sim, slot: usize, asked: &Asked, fate: Fate) {
    let Some(again_ms) = fate.again_ms else {
        return;
    };
    sleep(Duration::from_millis(again_ms)).await;
    arrive(sim, slot, asked, true);
    on_its_way_no_more(sim, asked);
}

fn on_its_way_no_more(sim: &Sim, asked: &Asked) {
    let mut world = sim.world();
    match asked {
        Asked::Put { .. } => {
            world.in_flight -= 1;
            world.check_at_rest();
        }
        Asked::Message { .. } => world.queue.expect_no_more(),
        Asked::Token(_) | Asked::Page(_) => {}
    }
}

/// A request arrives; `late`: after its sender has gone on.
fn arrive(sim: &Sim, slot: usize, asked: &Asked, late: bool) -> (u16, String) {
    let mut world = sim.world();
    let now = world.seconds();
    match asked {
        Asked::Put {
            path,
            authorization,
            body,
            rows,
        } => {
            let status = world.calven.put(path, authorization, (body, rows), now);
            let shown = shown(Some(rows));
            world.note(format_args!(
                "  [{slot}] PUT arrives, {status}, late: {late}: {shown}"
            ));
            if late && status == 204 {
                world.shake("a PUT is applied late");
            }
            (status, String::new())
        }
        Asked::Token(body) => {
            let (status, answer) = world.calven.token(body, now);
            (status, answer.to_string())
        }
        Asked::Page(cursor) => (200, world.api.page(*cursor).to_string()),
        Asked::Message { text, attempt } => {
            let late = world.percent(|weather| weather.messages);
            world.queue.take(text.clone(), *attempt, late);
            sim.queued.notify_waiters();
            world.note(format_args!("  [{slot}] attempt {attempt} is queued"));
            let md5 = hex::encode(Md5::digest(text));
            let answer = json!({"MessageId": "m", "MD5OfMessageBody": md5});
            (200, answer.to_string())
        }
    }
}
