//! Records that are groups.

use serde_json::Value;

use super::{
    NOT_TWICE, Records, read_path,
    reference::{OWN, PARENT, Reference},
    too_many,
};
use crate::{
    hierarchy::{GroupRef, Parent, Scope, Statement},
    sources::{
        fault::Faults,
        given::Asked,
        place::Here,
        reader::{KeyPath, Reader},
        search::{Search, TooMany},
    },
};

/// A rule for groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupRule {
    pub(super) records: Records,
    group: Reference,
    parent: Option<Reference>,
    no_parent: Parent,
    members: Option<Members>,
}

/// The groups that are part of one, as edges.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Members {
    key: KeyPath,
    at: Search,
    member: Reference,
    complete: Option<Search>,
    /// What each item of the complete list has: where one lacks it, it is not known which items are groups.
    each_has: Option<Search>,
}

impl GroupRule {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let records = Records::read(reader);
        let group = Reference::required(reader, OWN);
        let parent = Reference::read(reader, PARENT);
        let words = [("not_said", &Parent::NotSaid), ("top", &Parent::Top)];
        let no_parent = reader.one_of("no_parent", &words);
        let members = reader.child("members").and_then(|mut reader| {
            let members = Members::read(&mut reader);
            reader.finish();
            members
        });
        let others = group.iter().chain(&parent).any(Reference::descends)
            || members.iter().any(Members::descends);
        records.check_descents(others, reader);
        Some(Self {
            records,
            group: group?,
            parent,
            no_parent: no_parent.unwrap_or(&Parent::NotSaid).clone(),
            members,
        })
    }

    pub(super) fn asks(&self, asked: &mut Asked) {
        let Self {
            records,
            group,
            parent,
            no_parent: _,
            members,
        } = self;
        records.asks(asked);
        group.asks(asked);
        parent.iter().for_each(|parent| parent.asks(asked));
        if let Some(Members {
            key: _,
            at: _,
            member,
            complete: _,
            each_has: _,
        }) = members
        {
            member.asks(asked);
        }
    }

    pub(super) fn says(
        &self,
        here: Here<'_>,
        removed: bool,
        faults: &mut Faults,
    ) -> Result<Vec<Statement>, ()> {
        let group = self.group.demand(here, faults);
        if removed {
            return Ok(vec![Statement::Gone { group: group? }]);
        }
        let parent = match &self.parent {
            Some(parent) => parent.find(here, faults),
            None => Ok(None),
        };
        let members = match &self.members {
            Some(members) => members.find(here, faults),
            None => Ok(Vec::new()),
        };
        let (group, parent, members) = (group?, parent?, members?);
        let parent = parent.map_or_else(|| self.no_parent.clone(), Parent::Under);
        let mut said = vec![Statement::Exists {
            group: group.clone(),
            parent,
        }];
        // First what is complete, then what it consists of.
        if self
            .members
            .as_ref()
            .is_some_and(|members| members.are_all(here))
        {
            said.push(Statement::Complete(Scope::ChildrenOf(group.clone())));
        }
        said.extend(members.into_iter().map(|member| Statement::Member {
            group: member,
            parent: group.clone(),
        }));
        Ok(said)
    }
}

impl Members {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        if !reader.has("at") {
            reader.problem("at", "is missing");
        }
        let at = read_path(reader, "at");
        let member = Reference::required(reader, OWN);
        let complete = read_path(reader, "complete");
        let each_has = read_path(reader, "each_has");
        let descends = |search: &Option<Search>| search.as_ref().is_some_and(Search::descends);
        if descends(&at) && member.iter().any(Reference::descends) {
            reader.problem("at", NOT_TWICE);
        }
        if descends(&complete) && descends(&each_has) {
            reader.problem("complete", NOT_TWICE);
        }
        Some(Self {
            key: reader.here(),
            at: at?,
            member: member?,
            complete,
            each_has,
        })
    }

    fn descends(&self) -> bool {
        let Self {
            key: _,
            at,
            member,
            complete,
            each_has,
        } = self;
        let mut searches = [at].into_iter().chain(complete).chain(each_has);
        searches.any(Search::descends) || member.descends()
    }

    fn find(&self, here: Here<'_>, faults: &mut Faults) -> Result<Vec<GroupRef>, ()> {
        let records = self.at.records(here.record, here.at);
        let records = records.map_err(|TooMany| faults.tell(too_many(here, &self.key)))?;
        // All of them are read, so that all faults are told.
        let members: Vec<Result<GroupRef, ()>> = records
            .map(|(record, at)| {
                let at = &at;
                let member = Here { record, at, ..here };
                self.member.demand(member, faults)
            })
            .collect();
        members.into_iter().collect()
    }

    fn are_all(&self, here: Here<'_>) -> bool {
        self.complete.as_ref().is_some_and(|path| {
            let mut selected = path.values(here.record).into_iter();
            selected.any(|value| value.as_array().is_some_and(|items| self.is_sure_of(items)))
        })
    }

    fn is_sure_of(&self, items: &[Value]) -> bool {
        let has = |path: &Search| items.iter().all(|item| !path.values(item).is_empty());
        self.each_has.as_ref().is_none_or(has)
    }
}
