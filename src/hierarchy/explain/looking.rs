//! Who said what of one group, and whether it counts.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        claims::{By, Choice, Claims, ParentOf, SaidClaim},
        project::Rules,
        records::{NamedSaying, Placement, Ref, Stamp},
        settle::{Edge, Waiting},
        statement::SourceName,
        table::{GroupId, KeyId, Names, Order},
        view::{Life, Target, View},
        views::{SourceId, Views},
    },
    remembered::{Remembered, by_key},
    said::{ParentText, Says, Seeding, SourceSays, Statement},
};
use crate::timestamp::Timestamp;

/// One group, and all that bears on it.
pub(super) struct Looking<'a> {
    pub(super) group: GroupId,
    pub(super) names: &'a Names<'a>,
    pub(super) order: &'a Order,
    pub(super) views: &'a Views<'a>,
    /// The sources that are not configured.
    pub(super) silent: &'a [(&'a SourceName, View<'a>)],
    pub(super) claims: Option<&'a Claims>,
    pub(super) edge: Option<Edge>,
    /// When a seed last held the group.
    pub(super) seeded: Option<Timestamp>,
    pub(super) waiting: &'a [Waiting],
}

/// A source that tells something; one that is not configured has no number.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    source: Option<SourceId>,
    pub(super) view: &'a View<'a>,
}

/// Claims, by whom and as what they speak of the group.
pub(super) type SaidOfIt<'a> = HashMap<(SourceId, Ref), &'a SaidClaim>;

/// What decides on the group's parent, found out once for all that was said of it: many ids may bear one name.
struct Deciding<'a> {
    choice: Option<Choice>,
    claims: SaidOfIt<'a>,
    /// Whose claims on it wait.
    waiting: HashSet<(SourceId, Ref)>,
}

impl Looking<'_> {
    pub(super) fn sources(&self, rules: &Rules) -> Vec<SourceSays> {
        let deciding = &self.deciding();
        let configured = self.views.iter().map(|(id, name, view)| {
            let source = Some(id);
            (name, Teller { source, view })
        });
        let silent = self.silent.iter().map(|(name, view)| {
            let source = None;
            (*name, Teller { source, view })
        });
        let all = configured.chain(silent).map(|(name, teller)| SourceSays {
            source: name.to_string(),
            priority: rules.priority(name),
            said: self.said(teller, deciding),
            persons: self.persons(teller),
        });
        all.filter(|source| !source.said.is_empty() || !source.persons.is_empty())
            .collect()
    }

    pub(super) fn seed(&self) -> Option<Seeding> {
        let (at, parent) = self.claims?.seed?;
        Some(Seeding {
            occurred_at: at.time.to_string(),
            parent: ParentText::of(parent.map(|parent| self.names.group(parent))),
        })
    }

    fn deciding(&self) -> Deciding<'_> {
        let waiting = self.waiting.iter().filter(|w| w.group == self.group);
        let waiting = waiting.filter_map(|w| match w.by {
            By::Source(source, subject) => Some((source, subject)),
            By::Persons(..) | By::Seed | By::Nobody => None,
        });
        Deciding {
            choice: self.choice(),
            claims: self.said_of_it(),
            waiting: waiting.collect(),
        }
    }

    /// What the claims decide on its parent, where it is claimed.
    pub(super) fn choice(&self) -> Option<Choice> {
        let claims = self.claims.filter(|claims| claims.exists())?;
        Some(claims.parent(self.order))
    }

    pub(super) fn target(&self, target: Target) -> ParentText {
        match target {
            Target::ByName(group) | Target::ByKey(_, group) => {
                ParentText::of(Some(self.names.group(group)))
            }
            Target::Unnamed(key) => ParentText {
                parent_key: Some(self.key(key)),
                ..ParentText::default()
            },
        }
    }

    fn key(&self, key: KeyId) -> String {
        self.names.table().key(key).as_str().to_owned()
    }

    fn said(&self, teller: Teller<'_>, deciding: &Deciding<'_>) -> Vec<Statement> {
        let view = teller.view;
        let subjects = view.records().map(|(subject, _)| subject);
        let subjects: HashSet<Ref> = subjects
            .filter(|subject| view.name_of(*subject) == Some(self.group))
            .collect();
        if subjects.is_empty() {
            return Vec::new();
        }
        let mut said: Vec<(Stamp, Statement)> = Vec::new();
        // In the records' order: what was said at one time stays in it.
        for (subject, _) in view.records() {
            if let Ref::Key(key) = subject
                && subjects.contains(&subject)
            {
                said.extend(self.bore(teller, key));
                let known = by_key(teller.view, key);
                let told = |saying: Remembered| {
                    let statement = self.statement(teller, &saying, deciding);
                    (saying.at, statement)
                };
                said.extend(known.map(told));
            }
        }
        for (name, record) in view.ledger.names.iter() {
            for saying in &record.said {
                let subject = view.subject(name, saying.at, saying.what, self.names);
                if !subjects.contains(&subject) {
                    continue;
                }
                let saying = Remembered {
                    subject,
                    name: Some(name),
                    what: saying.what,
                    at: saying.at,
                    received: saying.received,
                };
                said.push((saying.at, self.statement(teller, &saying, deciding)));
            }
        }
        said.sort_by_key(|(at, _)| *at);
        said.into_iter().map(|(_, statement)| statement).collect()
    }

    /// The names that a group with a key bore, each from when it bore it first.
    fn bore(&self, teller: Teller<'_>, key: KeyId) -> Vec<(Stamp, Statement)> {
        let record = teller.view.ledger.ids.get(key);
        let names = record.map_or(&[][..], |record| record.names.as_slice());
        let begins = |at: usize| at.checked_sub(1).and_then(|before| names.get(before));
        let begun = names
            .iter()
            .enumerate()
            .filter(|(at, bore)| begins(*at).is_none_or(|before| before.name != bore.name));
        let begun: Vec<_> = begun.map(|(_, bore)| bore).collect();
        let next = begun.iter().skip(1).map(Some).chain([None]);
        let bore = begun.iter().zip(next).map(|(bore, next)| {
            let because = self
                .never_counts(teller)
                .or_else(|| next.map(|next| format!("it has another name as of {}", next.at.time)));
            let statement = Statement {
                says: Says::Named,
                group: Some(self.names.group(bore.name).name.to_string()),
                key: Some(self.key(key)),
                occurred_at: bore.at.time.to_string(),
                received_at: bore.received.to_string(),
                counts: because.is_none(),
                because,
            };
            (bore.at, statement)
        });
        bore.collect()
    }

    fn statement(
        &self,
        teller: Teller<'_>,
        saying: &Remembered,
        deciding: &Deciding<'_>,
    ) -> Statement {
        let parent = |parent| self.target(teller.view.target(parent, saying.at, self.names));
        let says = match saying.what {
            NamedSaying::Gone => Says::Gone,
            NamedSaying::Exists(None) => Says::Exists,
            NamedSaying::Exists(Some(Placement::Top)) => Says::Placed(ParentText::default()),
            NamedSaying::Exists(Some(Placement::Under(of))) => Says::Placed(parent(of)),
            NamedSaying::Member(of) => Says::Member(parent(of)),
            NamedSaying::Renamed(to) => Says::Renamed {
                to: self.names.group(to).name.to_string(),
            },
        };
        let because = self.never_counts(teller);
        let because = because.or_else(|| self.because(teller, saying, deciding));
        let key = match saying.subject {
            Ref::Key(key) => Some(self.key(key)),
            Ref::Name(_) => None,
        };
        let name = saying.name.map(|name| self.names.group(name));
        Statement {
            says,
            group: name.map(|name| name.name.to_string()),
            key,
            occurred_at: saying.at.time.to_string(),
            received_at: saying.received.to_string(),
            counts: because.is_none(),
            because,
        }
    }

    pub(super) fn never_counts(&self, teller: Teller<'_>) -> Option<String> {
        let silent = teller.source.is_none();
        silent.then(|| "the source is not configured".to_owned())
    }

    /// Why what a configured source said does not count.
    fn because(
        &self,
        teller: Teller<'_>,
        saying: &Remembered,
        deciding: &Deciding<'_>,
    ) -> Option<String> {
        let view = teller.view;
        if matches!(saying.what, NamedSaying::Renamed(_)) {
            return None;
        }
        if let Some(seeded) = self.seeded.filter(|seeded| saying.at.time <= *seeded) {
            return Some(format!("it is not newer than the seed as of {seeded}"));
        }
        let record = view.record(saying.subject)?;
        let placed = record.placed.map(|(mark, _)| mark);
        let newest = match saying.what {
            NamedSaying::Gone => record.gone,
            NamedSaying::Exists(None) => record.exists.max(placed),
            NamedSaying::Exists(Some(_)) | NamedSaying::Member(_) => placed,
            NamedSaying::Renamed(_) => None,
        };
        if let Some(newer) = newest.filter(|newest| newest.own > saying.at) {
            return Some(format!("something newer was said as of {}", newer.own.time));
        }
        let life = view.life(record, self.names);
        match (saying.what, life) {
            (NamedSaying::Gone, Some(Life::Lives(mark))) => {
                return Some(format!("it was said to exist as of {}", mark.own.time));
            }
            (NamedSaying::Gone, Some(Life::Ended(_)) | None) => return None,
            (_, Some(Life::Ended(at))) => {
                let gone = record.gone.is_some_and(|gone| gone.own.time == at);
                return Some(match gone {
                    true => format!("it was said to be gone as of {at}"),
                    false => format!("all groups were said as of {at}, and it was not among them"),
                });
            }
            (_, Some(Life::Lives(_)) | None) => {}
        }
        saying.what.placement()?;
        if !view.is_placed(record, self.names) {
            return Some("what was said later took it back".to_owned());
        }
        let claim = deciding.claims.get(&(teller.source?, saying.subject))?;
        self.overruled(claim, deciding)
    }

    /// The sources' claims on the group, by whom and as what they speak of it.
    pub(super) fn said_of_it(&self) -> SaidOfIt<'_> {
        let said = self.claims.map_or(&[][..], |claims| claims.said.as_slice());
        let mut claims = HashMap::with_capacity(said.len());
        for claim in said {
            claims.entry((claim.source, claim.subject)).or_insert(claim);
        }
        claims
    }

    /// Why another's word decides on the parent, where one does.
    fn overruled(&self, claim: &SaidClaim, deciding: &Deciding<'_>) -> Option<String> {
        let own = (claim.source, claim.subject);
        if deciding.waiting.contains(&own) {
            return Some("it waits".to_owned());
        }
        let choice = deciding.choice?;
        let (mark, parent) = claim.placed?;
        let By::Source(winner, subject) = choice.by else {
            return None;
        };
        let winner = (winner, subject);
        if winner == own || same_place(choice.parent, parent) {
            return None;
        }
        let winner = deciding.claims.get(&winner)?;
        let name = self.views.name(winner.source)?;
        Some(match (winner.priority == claim.priority, winner.placed) {
            (false, _) => format!(
                "{name} (priority {}) is over it (priority {})",
                winner.priority, claim.priority
            ),
            (true, Some((newer, _))) if newer.own.time > mark.own.time => {
                format!("{name} is newer, as of {}", newer.own.time)
            }
            (true, _) => format!("{name} said otherwise at the same time, and comes after it"),
        })
    }
}

/// Whether two claims name one parent: of a key that nobody has named that is not known.
pub(super) fn same_place(a: ParentOf, b: ParentOf) -> bool {
    let place = |parent| match parent {
        ParentOf::Top => Some(None),
        ParentOf::Under(target) => target.group().map(Some),
    };
    place(a).is_some() && place(a) == place(b)
}
