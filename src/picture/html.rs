//! A picture as one HTML page that needs nothing else: it can be sent by mail, and opened without a network.
//!
//! The groups stand in it as JSON; `page.js` draws of them what is open. No name is ever HTML, and the page's policy lets nothing
//! run but that script, nor anything be fetched.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Mark, Picture, text};
use crate::hierarchy::{Digest, plan::Counts};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A picture as the page's script reads it: the groups' names, types and parents side by side, so that 10,000 are little to read.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    version: Option<u64>,
    time: Option<String>,
    groups: usize,
    counts: Option<Counts>,
    waits: Option<&'a str>,
    digest: Option<&'a Digest>,
    approve: Option<&'a str>,
    arrived: &'a [String],
    types: Vec<&'a str>,
    names: Vec<&'a str>,
    /// A place in `types` for each name.
    r#type: Vec<usize>,
    /// A place in `names` for each, an earlier one; -1 for none.
    parent: Vec<i64>,
    marks: Vec<Marked>,
    held: Vec<(usize, &'a [String])>,
}

#[derive(Serialize)]
struct Marked {
    at: usize,
    is: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<String>,
}

impl Marked {
    fn new(at: usize, mark: &Mark) -> Option<Self> {
        let (is, from, was) = match mark {
            Mark::Stays {
                moved: None,
                renamed: None,
            } => return None,
            Mark::Stays { moved, renamed } => (
                "changed",
                moved.as_ref().map(|from| text(from.parent.as_ref())),
                renamed.as_ref().map(|was| was.name.as_str().to_owned()),
            ),
            Mark::Added => ("added", None, None),
            Mark::Removed => ("removed", None, None),
            Mark::Waits => ("waits", None, None),
        };
        Some(Self { at, is, from, was })
    }
}

impl Picture {
    /// The picture as one page.
    ///
    /// # Errors
    /// None in practice: texts can be written as JSON.
    pub fn to_html(&self) -> Result<String, serde_json::Error> {
        Ok(page(&self.to_json()?, "connect-src 'none'"))
    }

    /// The picture as JSON, as [`live_page`] asks for it. It can stand within a page: no text in it can end a script.
    ///
    /// # Errors
    /// None in practice: texts can be written as JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let nodes = || self.nodes.iter().enumerate();
        let mut types: Vec<&str> = self
            .nodes
            .iter()
            .map(|node| node.group.group_type.as_str())
            .collect();
        types.sort_unstable();
        types.dedup();
        let group_type = |group_type: &str| types.binary_search(&group_type).unwrap_or_default();
        let parent = |parent: Option<usize>| parent.and_then(|at| i64::try_from(at).ok());
        let data = Data {
            title: &self.facts.title,
            version: self.facts.version,
            time: self.facts.time.as_ref().map(ToString::to_string),
            groups: self.groups(),
            counts: self.counts,
            waits: self.facts.waits.as_deref(),
            digest: self.facts.digest.as_ref(),
            approve: self.facts.approve.as_deref(),
            arrived: &self.facts.arrived,
            names: self
                .nodes
                .iter()
                .map(|node| node.group.name.as_str())
                .collect(),
            r#type: self
                .nodes
                .iter()
                .map(|node| group_type(node.group.group_type.as_str()))
                .collect(),
            parent: self
                .nodes
                .iter()
                .map(|node| parent(node.parent).unwrap_or(-1))
                .collect(),
            marks: nodes()
                .filter_map(|(at, node)| Marked::new(at, &node.mark))
                .collect(),
            held: nodes()
                .filter(|(_, node)| !node.held.is_empty())
                .map(|(at, node)| (at, node.held.as_slice()))
                .collect(),
            types,
        };
        Ok(fit_for_a_page(&serde_json::to_string(&data)?))
    }
}

/// A page that asks its own server for the picture, at this path, again and again.
///
/// # Errors
/// None in practice: texts can be written as JSON.
pub fn live_page(path: &str) -> Result<String, serde_json::Error> {
    let data = serde_json::json!({ "live": path });
    Ok(page(
        &fit_for_a_page(&data.to_string()),
        "connect-src 'self'",
    ))
}

/// The same JSON without what could end a script or be read as HTML. Outside of texts JSON has none of these.
fn fit_for_a_page(json: &str) -> String {
    let mut fit = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => fit.push_str("\\u003c"),
            '>' => fit.push_str("\\u003e"),
            '&' => fit.push_str("\\u0026"),
            '\u{2028}' => fit.push_str("\\u2028"),
            '\u{2029}' => fit.push_str("\\u2029"),
            c => fit.push(c),
        }
    }
    fit
}

fn page(data: &str, connect: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; {connect}; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    let parts = [
        ("{{policy}}", policy.as_str()),
        ("{{style}}", STYLE),
        ("{{data}}", data),
        ("{{script}}", SCRIPT),
    ];
    let mut page =
        String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + data.len() + policy.len());
    let mut rest = PAGE;
    for (place, part) in parts {
        // What was put in is not looked through again.
        if let Some((before, after)) = rest.split_once(place) {
            page.push_str(before);
            page.push_str(part);
            rest = after;
        }
    }
    page.push_str(rest);
    page
}
