//! Pictures to look at: `cargo run --example pages -- FOLDER`.
//!
//! Writes pages and flowcharts of hierarchies of 12, 1,000 and 10,000 groups, and of two plans, into the folder. All names are
//! invented. `ci/pictures.py` opens them in a browser.

#![expect(
    clippy::indexing_slicing,
    reason = "its companies are of its own making, and a panic shows where one is not"
)]

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use calven_bridge::{
    hierarchy::{
        Delivery, Group, GroupRef, Key, Ledger, Merged, Parent, Projection, Rules, Salt,
        SourceName, Stated, Statement, statement::group,
    },
    picture::{Facts, Picture},
    timestamp::Timestamp,
};

const AREAS: [&str; 20] = [
    "Payments",
    "Search",
    "Retail",
    "Logistics",
    "People",
    "Finance",
    "Brand",
    "Security",
    "Cloud",
    "Mobile",
    "Analytics",
    "Partner",
    "Customer",
    "Field",
    "Legal",
    "Data",
    "Growth",
    "Supply",
    "Quality",
    "Research",
];
const KINDS: [&str; 12] = [
    "Platform",
    "Operations",
    "Engineering",
    "Design",
    "Services",
    "Planning",
    "Support",
    "Enablement",
    "Insights",
    "Programmes",
    "Sales",
    "Marketing",
];
const PLACES: [&str; 10] = [
    "Berlin", "Lisbon", "Nairobi", "Austin", "Osaka", "Oslo", "Pune", "Lima", "Leeds", "Accra",
];
const TYPES: [&str; 5] = ["Organization", "Division", "Department", "Team", "Squad"];

/// Names as nobody should choose them, and somebody does.
const ODD: [&str; 6] = [
    "</script><img src=x onerror=alert(1)>",
    "R&D \"Core\" #1 [beta] {x} %%{init: {}}%% `code` **bold**",
    "1. قسم الأبحاث",
    "研究開発部",
    "Équipe fa:fa-bolt 🚀 <b>not bold</b> &amp;",
    "A department whose name somebody pasted together of all that it has been called in the last eleven years, so that nobody would miss anything",
];

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).context("which folder?")?;
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    let write = |name: &str, picture: &Picture| -> Result<()> {
        fs::write(folder.join(format!("{name}.html")), picture.to_html()?)?;
        fs::write(folder.join(format!("{name}.mmd")), picture.to_mermaid())?;
        Ok(())
    };
    for (name, count) in [("12", 12), ("1000", 1_000), ("10000", 10_000)] {
        let mut company = Company::new();
        company.grows_to(count)?;
        write(name, &company.published())?;
    }
    for (name, count) in [("plan", 60), ("plan-10000", 10_000)] {
        let mut company = Company::new();
        company.grows_to(count)?;
        write(name, &company.reorganised()?)?;
    }
    Ok(())
}

/// A company, all of it said by one source by key.
struct Company {
    ledger: Ledger,
    rules: Rules,
    groups: Vec<(Group, Option<usize>)>,
}

impl Company {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(Salt::new([7; 32])),
            rules: Rules {
                priorities: [(SourceName::new("workday"), 0)].into(),
                attach_roots: false,
            },
            groups: Vec::new(),
        }
    }

    fn grows_to(&mut self, count: usize) -> Result<()> {
        self.groups.push((group("Acme Group", TYPES[0])?, None));
        for at in 1..count {
            // One department has as many children as all others together have not.
            let crowded = count > 5_000 && at % 6 == 0 && at > 100;
            let parent = if crowded {
                20
            } else {
                (at - 1) / if at < 400 { 5 } else { 8 }
            };
            let depth = self.depth(parent) + 1;
            let (area, kind) = (AREAS[at * 7 % 20], KINDS[at * 5 % 12]);
            let name = match at {
                _ if count > 12 && at >= 40 && at - 40 < ODD.len() => ODD[at - 40].to_owned(),
                1..12 => area.to_owned() + " " + kind,
                12..60 => format!("{area} {kind} {}", PLACES[at % 10]),
                _ => format!("{area} {kind} {} {at}", PLACES[at % 10]),
            };
            self.groups
                .push((group(&name, TYPES[depth.min(4)])?, Some(parent)));
        }
        let all: Vec<usize> = (0..count).collect();
        let exist = all
            .iter()
            .map(|at| self.exists(*at))
            .collect::<Result<_>>()?;
        self.says("2026-11-22T10:00:00Z", exist)
    }

    fn depth(&self, mut at: usize) -> usize {
        let mut depth = 0;
        while let Some(parent) = self.groups[at].1 {
            depth += 1;
            at = parent;
        }
        depth
    }

    fn keyed(&self, at: usize) -> Result<GroupRef> {
        Ok(GroupRef::new(
            self.groups[at].0.clone(),
            Some(Key::new(&at.to_string())?),
        ))
    }

    fn exists(&self, at: usize) -> Result<Statement> {
        let parent = match self.groups[at].1 {
            Some(parent) => Parent::Under(self.keyed(parent)?),
            None => Parent::Top,
        };
        Ok(Statement::Exists {
            group: self.keyed(at)?,
            parent,
        })
    }

    fn says(&mut self, at: &str, statements: Vec<Statement>) -> Result<()> {
        let at = Timestamp::parse_rfc3339(at)?;
        let statements = statements.into_iter().map(|statement| Stated {
            at: None,
            statement,
        });
        self.ledger.merge(&Delivery {
            source: SourceName::new("workday"),
            event_id: None,
            received: at,
            attempted: at,
            statements: statements.collect(),
        });
        Ok(())
    }

    fn published(&self) -> Picture {
        let projection = Projection::of(&self.ledger, None, &self.rules, &Merged::default());
        let facts = Facts {
            title: "What Calven holds".to_owned(),
            version: Some(7),
            time: Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").ok(),
            ..Facts::default()
        };
        Picture::of_hierarchy(facts, &projection.hierarchy, &projection.held)
    }

    /// A reorganisation with every kind of change, and with something held.
    fn reorganised(&mut self) -> Result<Picture> {
        let merged = Merged::default();
        let published = Projection::of(&self.ledger, None, &self.rules, &merged).as_published();
        let mut said = Vec::new();
        let count = self.groups.len();
        // Renamed; moved; both.
        self.groups[8].0 = group("Revenue Operations", TYPES[2])?;
        self.groups[14].1 = Some(9);
        self.groups[22].1 = Some(3);
        self.groups[22].0 = group("Commerce Enablement", TYPES[3])?;
        self.groups[10].1 = Some(2);
        for at in [8, 14, 22, 10] {
            said.push(self.exists(at)?);
        }
        // Gone, with all that is below.
        let mut gone: Vec<usize> = vec![17];
        for at in 18..count {
            if self.groups[at]
                .1
                .is_some_and(|parent| gone.contains(&parent))
            {
                gone.push(at);
            }
        }
        for at in [vec![12, 33], gone].concat() {
            said.push(Statement::Gone {
                group: self.keyed(at)?,
            });
        }
        // New, one below another.
        for (name, parent) in [
            ("Trust & Safety", 1),
            ("Fraud Prevention", count),
            ("Model Evaluation", 7),
        ] {
            let depth = if parent < count {
                self.depth(parent) + 1
            } else {
                3
            };
            self.groups.push((group(name, TYPES[depth])?, Some(parent)));
            said.push(self.exists(self.groups.len() - 1)?);
        }
        self.says("2026-11-23T08:30:00Z", said)?;
        // Held: two under each other, and one under a group that nobody has named.
        self.groups[5].1 = Some(26);
        let cycle = self.exists(5)?;
        let unknown = Statement::Exists {
            group: GroupRef::new(group("Quantum Lab", TYPES[3])?, Some(Key::new("90001")?)),
            parent: Parent::Under(GroupRef::Keyed {
                key: Key::new("90000")?,
                named: None,
            }),
        };
        self.says("2026-11-23T08:31:00Z", vec![cycle, unknown])?;

        let projection = Projection::of(&self.ledger, Some(&published), &self.rules, &merged);
        let plan = projection.plan(Some(&published));
        let digest = plan.digest(0);
        let facts = Facts {
            title: "What would be sent to Calven".to_owned(),
            version: Some(7),
            time: Timestamp::parse_rfc3339("2026-11-23T08:31:04Z").ok(),
            waits: Some("It removes more than the guard lets pass: look at the plan and approve its digest.".to_owned()),
            approve: Some(format!("bridge approve {digest}")),
            digest: Some(digest),
            arrived: Vec::new(),
        };
        Ok(Picture::of_plan(
            facts,
            &projection.hierarchy,
            &plan,
            &projection.held,
        ))
    }
}
