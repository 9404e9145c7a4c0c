//! Which of the four ways we were called.

use serde_json::{Map, Value};

use super::Failure;
use crate::{
    operator::{Action, Asked, Format},
    queue::Batch,
};

/// Which way we were called.
pub(super) enum Invocation {
    Http,
    Batch(Batch),
    Action(Asked),
}

impl Invocation {
    pub(super) fn of(event: &Value) -> Result<Self, Failure> {
        let fields = event.as_object().ok_or(Failure::UnknownEvent)?;
        let text = |field: &str| fields.get(field).and_then(Value::as_str);
        if fields.contains_key("action") {
            return Ok(Self::Action(Asked::read(fields)?));
        }
        if matches!(text("source"), Some("aws.events" | "aws.scheduler")) {
            return Ok(Self::Action(Asked {
                action: Action::Reconcile,
                format: Format::Json,
            }));
        }
        if fields.contains_key("requestContext") {
            return Ok(Self::Http);
        }
        if is_queue_batch(fields) {
            return serde_json::from_value(event.clone())
                .map(Self::Batch)
                .map_err(|_| Failure::UnknownEvent);
        }
        Err(Failure::UnknownEvent)
    }
}

fn is_queue_batch(fields: &Map<String, Value>) -> bool {
    let records = fields.get("Records").and_then(Value::as_array);
    let from_queue =
        |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
    records.is_some_and(|records| !records.is_empty() && records.iter().all(from_queue))
}
