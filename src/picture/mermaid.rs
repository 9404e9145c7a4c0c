//! A picture as a mermaid flowchart, which GitHub, GitLab and many wikis draw.
//!
//! Mermaid refuses what has more than 500 edges or 50,000 characters (its `maxEdges` and `maxTextSize`), so of what is larger only
//! the part that changes is drawn, with all that is above it, and a line says so. The syntax: mermaid.js.org/syntax/flowchart.html.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Mark, Node, Picture};
use crate::hierarchy::Group;

/// Mermaid's own bound, less the edges that the note might need.
const MOST_EDGES: usize = 490;
/// Likewise, less the frame around the groups; mermaid counts as JavaScript does.
const MOST_CHARACTERS: usize = 45_000;
/// What an edge takes, or a group's name in the list of a class.
const CHARACTERS_AN_EDGE: usize = 32;

/// How the marks look, on mermaid's light and dark themes alike.
const CLASSES: [(&str, &str); 5] = [
    ("added", "fill:#e7f6ec,stroke:#116b35,color:#0b4a24"),
    ("changed", "fill:#fff4e0,stroke:#8a5300,color:#5e3900"),
    (
        "removed",
        "fill:#fdecea,stroke:#b3261e,color:#7d1a14,stroke-dasharray:4 3",
    ),
    (
        "held",
        "fill:#f3ecfb,stroke:#6a3fa0,color:#472a6d,stroke-width:2px",
    ),
    ("note", "fill:none,stroke:none"),
];

impl Picture {
    /// The picture as a mermaid flowchart, from left to right, since hierarchies are broader than deep.
    pub fn to_mermaid(&self) -> String {
        let drawn = self.drawn();
        let mut text = String::from("flowchart LR\n");
        for (name, style) in CLASSES {
            line(&mut text, format_args!("  classDef {name} {style}"));
        }
        if let Some(note) = self.note(drawn.len()) {
            line(
                &mut text,
                format_args!("  note[\"{}\"]:::note", escaped(&note)),
            );
        }
        let nodes = || {
            drawn
                .iter()
                .filter_map(|at| Some((*at, self.nodes.get(*at)?)))
        };
        for (at, node) in nodes() {
            let class = class(node).map(|class| format!(":::{class}"));
            let class = class.unwrap_or_default();
            line(
                &mut text,
                format_args!("  n{at}[\"{}\"]{class}", label(node)),
            );
        }
        for (at, node) in nodes() {
            if let Some(parent) = node.parent {
                line(&mut text, format_args!("  n{parent} --> n{at}"));
            }
            if let Some(from) = origin(node) {
                line(&mut text, format_args!("  n{from} -. was here .-> n{at}"));
            }
        }
        text
    }

    /// The places of what is drawn: everything; else what changes and what is held, with all that is above; else the upper part.
    fn drawn(&self) -> BTreeSet<usize> {
        let mut drawn = Drawn::default();
        if (0..self.nodes.len()).all(|at| drawn.add(at, self)) {
            return drawn.places;
        }
        drawn = Drawn::default();
        let mut places: Vec<usize> = (0..self.nodes.len()).collect();
        match self.nodes.iter().any(is_marked) {
            true => places.retain(|at| self.nodes.get(*at).is_some_and(is_marked)),
            false => {
                let depths = self.depths();
                places.sort_by_key(|at| depths.get(*at).copied());
            }
        }
        for at in places {
            if !drawn.add(at, self) {
                break;
            }
        }
        drawn.places
    }

    /// How many groups are above each.
    fn depths(&self) -> Vec<usize> {
        let mut depths: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let above = node.parent.and_then(|parent| depths.get(parent).copied());
            depths.push(above.map_or(0, |above| above.saturating_add(1)));
        }
        depths
    }

    fn note(&self, drawn: usize) -> Option<String> {
        let all = self.nodes.len();
        if all == 0 {
            return Some("There are no groups.".to_owned());
        }
        let which = match self.nodes.iter().any(is_marked) {
            true => "what changes or is held, and what is above it",
            false => "the upper ones",
        };
        (drawn < all).then(|| {
            format!("Too much for one flowchart: {drawn} of {all} groups are drawn, {which}. The page has all.")
        })
    }
}

/// What is drawn, and how much room it takes.
#[derive(Default)]
struct Drawn {
    places: BTreeSet<usize>,
    edges: usize,
    characters: usize,
}

impl Drawn {
    /// Adds a group, where it was, and all that is above both. `false`, and nothing is added, where that is too much.
    fn add(&mut self, at: usize, picture: &Picture) -> bool {
        let mut new: BTreeSet<usize> = BTreeSet::new();
        let (mut edges, mut characters) = (self.edges, self.characters);
        let mut pending = vec![at];
        while let Some(at) = pending.pop() {
            let Some(node) = picture.nodes.get(at) else {
                continue;
            };
            if self.places.contains(&at) || !new.insert(at) {
                continue;
            }
            let from = node.parent.into_iter().chain(origin(node));
            let before = pending.len();
            pending.extend(from);
            edges += pending.len() - before;
            characters += label(node).encode_utf16().count() + 2 * CHARACTERS_AN_EDGE;
            if edges > MOST_EDGES || characters > MOST_CHARACTERS {
                return false;
            }
        }
        self.places.append(&mut new);
        (self.edges, self.characters) = (edges, characters);
        true
    }
}

fn is_marked(node: &Node) -> bool {
    node.mark.is_change() || !node.held.is_empty()
}

/// Where a group was, as far as that is in the picture.
fn origin(node: &Node) -> Option<usize> {
    match &node.mark {
        Mark::Stays { moved, .. } => moved.as_ref()?.at,
        Mark::Added | Mark::Removed | Mark::Waits => None,
    }
}

fn class(node: &Node) -> Option<&'static str> {
    if !node.held.is_empty() {
        return Some("held");
    }
    match &node.mark {
        Mark::Added => Some("added"),
        Mark::Removed => Some("removed"),
        Mark::Stays {
            moved: None,
            renamed: None,
        } => None,
        Mark::Stays { .. } => Some("changed"),
        Mark::Waits => Some("held"),
    }
}

/// A group's text: its name, its type, and what happens to it in words, since colours alone tell not everybody.
fn label(node: &Node) -> String {
    let Group { group_type, name } = &node.group;
    let sign = match &node.mark {
        Mark::Added => "+ ",
        Mark::Removed => "− ",
        Mark::Stays {
            moved: None,
            renamed: None,
        }
        | Mark::Waits => "",
        Mark::Stays { .. } => "~ ",
    };
    let mut lines = vec![
        format!("{sign}{}", name.as_str()),
        group_type.as_str().to_owned(),
    ];
    if let Mark::Stays { moved, renamed } = &node.mark {
        lines.extend(
            renamed
                .as_ref()
                .map(|was| format!("was {}", was.name.as_str())),
        );
        let from = moved
            .as_ref()
            .map(|origin| super::text(origin.parent.as_ref()));
        lines.extend(from.map(|from| format!("moved from {from}")));
    }
    if !node.held.is_empty() {
        lines.push("held".to_owned());
    }
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    lines.join("<br>")
}

/// A text of which mermaid takes nothing for syntax, Markdown, HTML or an icon: all but letters, digits and single spaces stands by
/// its number, which mermaid makes a character of after everything else.
fn escaped(text: &str) -> String {
    // Mermaid looks for the names of Font Awesome's icons last of all.
    let text = text.replace(":fa-", ":\u{2060}fa-");
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        // Mermaid marks the numbers by this ligature while it reads.
        let is_plain = (c.is_alphanumeric() && c != 'ﬂ') || c == ' ';
        if is_plain {
            escaped.push(c);
        } else {
            let _written = write!(escaped, "#{};", u32::from(c));
        }
    }
    escaped
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _written = writeln!(text, "{line}");
}
