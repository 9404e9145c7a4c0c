//! What Calven holds, to look at. The real service has nothing of the kind: what it was sent cannot be
//! read back, so nothing here answers on a path of its own.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Shared, rows::tree};
use crate::server::locked;

/// What can be looked at.
pub(super) enum View {
    /// `/`: the hierarchy as an indented tree, for people.
    Tree,
    /// `/rows`: the body of the last PUT that was taken, or `null`, for scripts.
    Rows,
    /// `/puts`: how many PUTs came, taken or not.
    Puts,
}

impl View {
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Tree),
            "/rows" => Some(Self::Rows),
            "/puts" => Some(Self::Puts),
            _ => None,
        }
    }

    pub(super) fn show(&self, shared: &Shared) -> Response {
        let held = locked(&shared.held);
        match self {
            Self::Tree => match &held.rows {
                Some(rows) => tree(rows).into_response(),
                None => "Nothing yet.\n".into_response(),
            },
            Self::Rows => match &held.rows {
                Some(rows) => Json(json!({"groupRelationships": rows})).into_response(),
                None => Json(Value::Null).into_response(),
            },
            Self::Puts => Json(held.put_count).into_response(),
        }
    }
}
