//! What won and why, a sentence each.

use super::{
    super::{
        claims::{By, Choice, ParentOf, SaidClaim},
        name::Group,
        records::Ref,
        table::GroupId,
        view::{Life, Target},
        views::SourceId,
    },
    MOST_NAMED,
    looking::{Looking, same_place},
    said::{ParentText, PersonsSay, Seeding, SourceSays},
};

impl Looking<'_> {
    /// Why it exists, or does not, and why it stands where it stands.
    pub(super) fn why(
        &self,
        sources: &[SourceSays],
        seed: Option<&Seeding>,
        children: &[GroupId],
    ) -> Vec<String> {
        match (self.choice(), self.edge) {
            (Some(choice), Some(edge)) => {
                let mut why = vec![self.exists(sources, seed)];
                why.extend(self.decided(choice, sources, seed));
                let chosen = match choice.parent {
                    ParentOf::Top => None,
                    ParentOf::Under(target) => target.group(),
                };
                why.extend(self.takes_over(choice.by));
                if self.waits(|by| by == choice.by) {
                    why.push(format!(
                        "but what decides waits: until then it stays {}",
                        self.under(edge.parent)
                    ));
                } else if edge.parent != chosen {
                    why.push(format!(
                        "whatever is at the top and is no organisation goes {}: CAPILLARY_ATTACH_ROOTS says so",
                        self.under(edge.parent)
                    ));
                }
                why
            }
            (None, Some(edge)) => vec![self.stays(edge.parent, children)],
            (_, None) => vec![self.is_not_there(sources)],
        }
    }

    /// Whether a statement on its parent waits, by one of these.
    fn waits(&self, whose: impl Fn(By) -> bool) -> bool {
        self.waiting
            .iter()
            .any(|w| w.group == self.group && whose(w.by))
    }

    /// What waits and outranks what decides: it was set aside until its parent's key is named.
    fn takes_over(&self, decides: By) -> Vec<String> {
        let claims = self.said_of_it();
        let waiting = self.waiting.iter();
        let waiting = waiting.filter(|w| w.group == self.group && w.by != decides);
        let takes_over = waiting.filter_map(|waiting| {
            let By::Source(source, subject) = waiting.by else {
                return None;
            };
            let (_, parent) = claims.get(&(source, subject))?.placed?;
            let once = match parent {
                ParentOf::Under(Target::Unnamed(_)) => "the key is named",
                ParentOf::Under(Target::ByKey(..) | Target::ByName(_)) | ParentOf::Top => {
                    "that group waits no more"
                }
            };
            Some(format!(
                "{} says {}: that waits, and takes over once {once}",
                self.name_with_priority(source),
                self.place(parent)
            ))
        });
        takes_over.collect()
    }

    fn exists(&self, sources: &[SourceSays], seed: Option<&Seeding>) -> String {
        let said = self.claims.iter().flat_map(|claims| &claims.said);
        let living = said.filter(|claim| matches!(claim.life, Life::Lives(_)));
        let mut by: Vec<String> = living
            .filter_map(|claim| self.views.name(claim.source))
            .map(ToString::to_string)
            .collect();
        by.dedup();
        for source in sources {
            let persons: usize = counting(source).map(|say| say.persons).sum();
            if persons > 0 {
                by.push(format!("{} of {}", persons_text(persons), source.source));
            }
        }
        by.extend(seed.map(|seed| format!("the seed as of {}", seed.occurred_at)));
        format!("it exists: {}", listed("so say ", &by))
    }

    /// Whose word decides on the parent, and over whose.
    fn decided(
        &self,
        choice: Choice,
        sources: &[SourceSays],
        seed: Option<&Seeding>,
    ) -> Vec<String> {
        let place = self.place(choice.parent);
        // Who has the group first in a record names no parent.
        let naming = || {
            let all = sources.iter();
            let all = all.flat_map(|source| counting(source).map(move |say| (source, say)));
            all.filter(|(_, say)| say.parent != ParentText::default())
        };
        let by_persons = |(source, say): (&SourceSays, &PersonsSay)| {
            format!(
                "{} of {} ({})",
                persons_text(say.persons),
                source.source,
                say.parent
            )
        };
        let is_same = |parent: &ParentText| parent.to_string() == place;
        let same = |(source, say): (&SourceSays, &PersonsSay)| {
            let says = if say.persons == 1 { "says" } else { "say" };
            let persons = persons_text(say.persons);
            format!("{persons} of {} {says} the same", source.source)
        };
        match choice.by {
            By::Source(source, subject) => {
                let winner = self.name_with_priority(source);
                let at = choice.at.time;
                let mut why = vec![format!(
                    "{winner} decides on its parent: {place}, as of {at}"
                )];
                why.extend(self.others(source, subject, choice.parent));
                why.extend(naming().map(|persons| match is_same(&persons.1.parent) {
                    true => same(persons),
                    false => format!("over {}: what is said of the group itself counts before what persons imply", by_persons(persons)),
                }));
                why.extend(seed.map(|seed| match is_same(&seed.parent) {
                    true => format!("the seed as of {} says the same", seed.occurred_at),
                    false => format!(
                        "over the seed as of {}: what is newer than a seed counts",
                        seed.occurred_at
                    ),
                }));
                why
            }
            By::Persons(source, count) => {
                let name = self.views.name(source).map(ToString::to_string);
                let name = name.unwrap_or_default();
                let of_source = sources.iter().filter(|source| source.source == name);
                let all: usize = of_source.flat_map(counting).map(|say| say.persons).sum();
                let mut why = vec![format!(
                    "{count} of {} of {name} decide on its parent: {place}",
                    persons_text(all)
                )];
                let others = naming().filter(|(s, say)| s.source != name || !is_same(&say.parent));
                why.extend(others.map(|other| {
                    if is_same(&other.1.parent) {
                        return same(other);
                    }
                    let rule = match other.0.source == name {
                        true => "among persons of a source the parent that most of them name wins, then the newest",
                        false => "between sources the higher priority wins, then the newer",
                    };
                    format!("over {}: {rule}", by_persons(other))
                }));
                why.extend(seed.map(|seed| {
                    format!("over the seed as of {}: at least two persons, newer than it and the most, name the same other parent", seed.occurred_at)
                }));
                why
            }
            By::Seed => {
                let newer = match self.waits(|by| by != By::Seed) {
                    true => "nothing newer counts yet",
                    false => "nothing newer is said of it",
                };
                let mut why = vec![format!(
                    "the seed as of {} decides on its parent: {place}; {newer}",
                    choice.at.time
                )];
                why.extend(naming().map(|persons| match is_same(&persons.1.parent) {
                    true => same(persons),
                    false => format!("over {}: persons win over a seed once at least two, and the most, name the same other parent", by_persons(persons)),
                }));
                why
            }
            By::Nobody => vec!["nobody names its parent, so it is at the top".to_owned()],
        }
    }

    /// The other sources' words on the parent.
    fn others(&self, source: SourceId, subject: Ref, won: ParentOf) -> Vec<String> {
        let winner = self.said_of_it().remove(&(source, subject));
        let said = self.claims.iter().flat_map(|claims| &claims.said);
        let others = said.filter(|claim| {
            (claim.source, claim.subject) != (source, subject)
                && claim.is_placed
                && !claim.held
                && matches!(claim.life, Life::Lives(_))
        });
        let others = others.filter_map(|claim| {
            let (_, parent) = claim.placed?;
            let other = self.name_with_priority(claim.source);
            if same_place(parent, won) {
                return Some(format!("{other} says the same"));
            }
            let rule = rule(winner?, claim)?;
            Some(format!(
                "over {other}, which says {}: {rule}",
                self.place(parent)
            ))
        });
        others.collect()
    }

    fn stays(&self, parent: Option<GroupId>, children: &[GroupId]) -> String {
        let under = self.under(parent);
        if self.waits(|_| true) {
            return format!(
                "what is said of it waits: until then it stays {under}, as it was published"
            );
        }
        let mut names: Vec<String> = children
            .iter()
            .take(MOST_NAMED)
            .map(|child| self.names.group(*child).to_string())
            .collect();
        if let Some(others @ 1..) = children.len().checked_sub(MOST_NAMED) {
            names.push(format!("{others} more"));
        }
        let children = listed("it is the parent of ", &names);
        match self.claims.is_none_or(|claims| claims.said.is_empty()) {
            true => format!("nobody states the group itself: {children}, so it is there, {under}"),
            false => format!(
                "it is gone by all that is said of it, but {children}, so it stays {under} until it is no more"
            ),
        }
    }

    fn is_not_there(&self, sources: &[SourceSays]) -> String {
        if self.waits(|_| true) {
            return "it is not in the hierarchy yet: what is said of it waits".to_owned();
        }
        let ended = self.claims.iter().flat_map(|claims| &claims.said);
        let ended = ended.filter_map(|claim| match claim.life {
            Life::Ended(at) => Some(format!("{} as of {at}", self.views.name(claim.source)?)),
            Life::Lives(_) => None,
        });
        let ended: Vec<String> = ended.collect();
        if !ended.is_empty() {
            return format!("it is gone: {}", listed("so say ", &ended));
        }
        match (self.seeded, sources.is_empty()) {
            (Some(at), _) => format!(
                "a newer seed than the one as of {at} leaves it out, and nobody else claims it"
            ),
            (None, true) => "nobody claims it any more".to_owned(),
            (None, false) => "nothing that counts claims it".to_owned(),
        }
    }

    fn name_with_priority(&self, source: SourceId) -> String {
        let said = self.claims.iter().flat_map(|claims| &claims.said);
        let priority = said.filter(|claim| claim.source == source);
        let priority = priority
            .map(|claim| claim.priority)
            .next()
            .unwrap_or_default();
        match self.views.name(source) {
            Some(name) => format!("{name} (priority {priority})"),
            None => format!("priority {priority}"),
        }
    }

    fn place(&self, parent: ParentOf) -> String {
        match parent {
            ParentOf::Top => "at the top".to_owned(),
            ParentOf::Under(target) => self.target(target).to_string(),
        }
    }

    fn under(&self, parent: Option<GroupId>) -> String {
        under(parent.map(|parent| self.names.group(parent)))
    }
}

/// By which rule one claim wins over another.
fn rule(won: &SaidClaim, lost: &SaidClaim) -> Option<&'static str> {
    let ((newer, _), (older, _)) = (won.placed?, lost.placed?);
    Some(if won.priority != lost.priority {
        "the higher priority wins"
    } else if newer.own.time != older.own.time {
        "of equal priority the newer wins"
    } else {
        "of what is said at once the last by name wins"
    })
}

fn under(parent: Option<&Group>) -> String {
    match parent {
        Some(parent) => format!("under {parent}"),
        None => "at the top".to_owned(),
    }
}

fn counting(source: &SourceSays) -> impl Iterator<Item = &PersonsSay> {
    source.persons.iter().filter(|say| say.counts)
}

fn persons_text(count: usize) -> String {
    match count {
        1 => "1 person".to_owned(),
        count => format!("{count} persons"),
    }
}

/// `so say a, b and c`.
fn listed(before: &str, items: &[String]) -> String {
    match items {
        [] => before.trim_end().to_owned(),
        [only] => format!("{before}{only}"),
        [first @ .., last] => format!("{before}{} and {last}", first.join(", ")),
    }
}
