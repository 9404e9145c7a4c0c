use crate::{
    hierarchy::{
        Delivery, Digest, GroupRef, Key, Ledger, Merged, Parent, Plan, Projection, Rules, Salt,
        SourceName, Stated, Statement, plan::Counts, statement,
    },
    operator::{ExportAnswer, HistoryAnswer, HistoryRow, LargestMove, PlanAnswer},
    report::{HierarchyCounts, PlanView, Report, StatementCounts, Status, Untold},
};

use super::*;

const NOW: &str = "2026-01-10T12:00:00Z";

fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// `Team Platform`.
fn of(text: &str) -> Group {
    let (group_type, name) = text.split_once(' ').unwrap();
    statement::group(name, group_type).unwrap()
}

/// What `hr` and `it` said at noon: each group and its parent, `-` for the top, `#7` for a key.
fn projected(said: &[(&str, &str, &str)]) -> Projection {
    let mut ledger = Ledger::new(Salt::new([1; 32]));
    for (source, group, parent) in said {
        let parent = match (*parent, parent.strip_prefix('#')) {
            ("-", _) => Parent::Top,
            (_, Some(key)) => Parent::Under(GroupRef::Keyed {
                key: Key::new(key).unwrap(),
                named: None,
            }),
            (parent, None) => Parent::Under(GroupRef::Named(of(parent))),
        };
        let group = GroupRef::Named(of(group));
        ledger.merge(&Delivery {
            source: SourceName::new(source),
            event_id: None,
            received: time(NOW),
            attempted: time(NOW),
            statements: vec![Stated {
                at: None,
                statement: Statement::Exists { group, parent },
            }],
        });
    }
    let priorities = [("hr", 10), ("it", 0)];
    let rules = Rules {
        priorities: priorities
            .map(|(name, priority)| (SourceName::new(name), priority))
            .into(),
        attach_roots: false,
    };
    Projection::of(&ledger, None, &rules, &Merged::default())
}

fn report(status: Status, changes: Counts) -> Report {
    Report {
        status,
        reason: None,
        source: None,
        event_id: None,
        statements: StatementCounts::default(),
        hierarchy: HierarchyCounts {
            version: 11,
            groups: 14,
            changes,
        },
        held: Vec::new(),
        conflicts: Vec::new(),
        warnings: Vec::new(),
        untold: Untold::default(),
        saved: None,
        plan: None,
    }
}

fn fresh() -> Freshness {
    Freshness {
        last_webhook: Some("2026-01-10T11:57:00Z".to_owned()),
        last_publish: Some("2026-01-09T11:00:00Z".to_owned()),
        last_reread: None,
        sources: vec![
            SourceFreshness {
                source: "hr".to_owned(),
                last_statement: Some("2026-01-10T11:59:59Z".to_owned()),
                age_seconds: Some(1),
                last_reread: Some("2026-01-01T12:00:00Z".to_owned()),
                due_since: Some("2026-01-10T11:58:01Z".to_owned()),
            },
            SourceFreshness {
                source: "it".to_owned(),
                last_statement: None,
                age_seconds: None,
                last_reread: None,
                due_since: None,
            },
        ],
    }
}

fn plan_of_all_kinds() -> Plan {
    let mut plan = Plan::default();
    plan.added = vec![
        (of("Team Platform"), Some(of("Division Engineering"))),
        (of("Division Labs"), None),
    ];
    plan.moved = vec![
        (of("Team X"), Some(of("Division A")), Some(of("Division B"))),
        (of("Team Y"), None, Some(of("Division B"))),
        (of("Team Z"), Some(of("Division A")), None),
    ];
    plan.renamed = vec![
        (of("Division Mktg"), of("Division Marketing")),
        (of("Division Legal"), of("Department Legal")),
    ];
    plan.removed = vec![
        (of("Department Fax"), Some(of("Division Ops"))),
        (of("Division Ops"), None),
    ];
    plan
}

fn answer(report: Report, largest_move: Option<LargestMove>) -> PlanAnswer {
    PlanAnswer {
        report,
        groups_after: 14,
        largest_move,
        freshness: fresh(),
        unsure: false,
        published: None,
        after: projected(&[]).hierarchy,
    }
}

#[track_caller]
fn check(answer: Answer, expected: &str) {
    let commands = Commands {
        function_name: Some("bridge".to_owned()),
    };
    let text = super::of(&answer, &commands, time(NOW));
    assert_eq!(text, expected.trim_matches('\n'), "\n{text}");
}

#[test]
fn a_plan_reads_as_a_diff_with_all_that_one_must_know_to_approve_it() {
    let plan = plan_of_all_kinds();
    let said = [
        ("hr", "Department Facilities", "Department Finance"),
        ("it", "Department Facilities", "Division Ops"),
        ("hr", "Division Up", "Team Down"),
        ("hr", "Team Down", "Division Up"),
        ("it", "Team Lost", "#7"),
    ];
    let projection = projected(&said);
    let mut report = report(Status::Planned, plan.counts());
    report.held = vec![HeldEntry::Plan(HeldPlan::new(HeldReason::Guard, &plan))];
    report
        .held
        .extend(projection.held.into_iter().map(HeldEntry::Statement));
    report.conflicts = projection.conflicts;
    report.warnings = vec!["source old is not configured: its statements do not count".to_owned()];
    let digest = Some(Digest::from_text("4a0d"));
    report.plan = Some(PlanView { digest, plan });
    let largest = LargestMove {
        group: (&of("Team X")).into(),
        below: 3,
    };
    check(
        Answer::Plan(Box::new(answer(report, Some(largest)))),
        r#"
+ Team "Platform" under Division "Engineering"
+ Division "Labs" at the top
~ Team "X" moved from Division "A" to Division "B"
~ Team "Y" moved from the top to Division "B"
~ Team "Z" moved from Division "A" to the top
~ Division "Mktg" renamed to "Marketing"
~ Division "Legal" renamed to Department "Legal"
- Department "Fax" (was under Division "Ops")
- Division "Ops" (was at the top)

Plan: 2 to add, 3 to move, 2 to rename, 2 to remove.
Groups: 14 now (version 11), 14 after.
Largest move: Team "X", with 3 groups below it.

Held (guard): the plan removes or moves more than the guard lets pass: look at the plan and approve its digest.
Held (unknown_parent): Team "Lost" under the key "7", as it said as of 2026-01-10T12:00:00Z. It takes effect by itself once it names the group of the key 7; let it send that group.
Held (cycle): Team "Down" under Division "Up", as hr said as of 2026-01-10T12:00:00Z: that would be a cycle, Team "Down" under Division "Up" under Team "Down". It takes effect by itself once a group of the cycle is placed elsewhere; let a source place one of them elsewhere, or seed them.
Conflict: Department "Facilities" is under Department "Finance" (hr), and not under Division "Ops" (it).
Warning: source old is not configured: its statements do not count.

Last webhook: 2026-01-10T11:57:00Z (3 minutes ago)
Last publish: 2026-01-09T11:00:00Z (25 hours ago)
Last re-read: never
Source hr: last statement 2026-01-10T11:59:59Z (1 second ago), last re-read 2026-01-01T12:00:00Z (9 days ago), a re-read is due since 2026-01-10T11:58:01Z (119 seconds ago)
Source it: last statement never

Digest: 4a0d
To approve it: aws lambda invoke --function-name bridge --cli-binary-format raw-in-base64-out --payload '{"action":"approve","digest":"4a0d"}' /dev/stdout
"#,
    );
}

#[test]
fn a_plan_without_changes_says_so_and_tells_no_digest() {
    let mut report = report(Status::Planned, Counts::default());
    report.plan = Some(PlanView {
        digest: None,
        plan: Plan::default(),
    });
    let mut answer = answer(report, None);
    answer.freshness.sources.clear();
    check(
        Answer::Plan(Box::new(answer)),
        r"
No changes: what is published is what follows from all that was said.
Groups: 14 now (version 11), 14 after.

Last webhook: 2026-01-10T11:57:00Z (3 minutes ago)
Last publish: 2026-01-09T11:00:00Z (25 hours ago)
Last re-read: never
",
    );
}

#[test]
fn a_plan_that_nothing_holds_says_that_it_goes_by_itself() {
    let mut plan = Plan::default();
    plan.added = vec![(of("Team A"), None)];
    let mut report = report(Status::Planned, plan.counts());
    let digest = Some(Digest::from_text("00"));
    report.plan = Some(PlanView { digest, plan });
    let text = super::of(
        &Answer::Plan(Box::new(answer(report, None))),
        &Commands::default(),
        time(NOW),
    );
    let end = r#"
Digest: 00
Nothing holds the plan: the next webhook or the schedule publishes it.
To approve it: aws lambda invoke --function-name "$AWS_LAMBDA_FUNCTION_NAME" --cli-binary-format raw-in-base64-out --payload '{"action":"approve","digest":"00"}' /dev/stdout"#;
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn before_the_first_seed_a_plan_says_what_to_do() {
    let plan = Plan::default();
    let entry = HeldEntry::Plan(HeldPlan::new(HeldReason::NotSeeded, &plan));
    assert_eq!(
        held(&entry),
        "Held (not_seeded): the plan waits for the first seed: what Calven holds is not known before it. Seed the complete hierarchy, or approve the plan's digest."
    );
}

#[test]
fn a_name_is_never_taken_for_something_else() {
    for (group_type, name, expected) in [
        ("Team", "A", r#"Team "A""#),
        (
            "Team",
            r#"A" under Team "B"#,
            r#"Team "A\" under Team \"B""#,
        ),
        (r#"Te"am"#, "A", r#""Te\"am" "A""#),
        ("Team", "A\u{202e}B", r#"Team "A\u{202e}B""#),
        ("Équipe", "Über", r#"Équipe "Über""#),
    ] {
        assert_eq!(named(group_type, name), expected);
    }
}

#[test]
fn a_report_says_what_became_of_it_and_what_waits() {
    let changes = Counts {
        added: 1,
        moved: 2,
        renamed: 3,
        removed: 4,
    };
    check(
        Answer::Report(Box::new(report(Status::Published, changes))),
        r"
Published: version 11, 14 groups.
Changes: 1 added, 2 moved, 3 renamed, 4 removed.
Statements: 0 applied, 0 stale.
",
    );
    let plan = plan_of_all_kinds();
    let mut held = report(Status::Held, plan.counts());
    held.held = vec![HeldEntry::Plan(HeldPlan::new(
        HeldReason::RolledBack,
        &plan,
    ))];
    check(
        Answer::Report(Box::new(held)),
        r"
Held: what is pending was not sent. Published is version 11, 14 groups.
Pending: 2 added, 3 moved, 2 renamed, 2 removed.
Statements: 0 applied, 0 stale.

Held (rolled_back): the plan waits since the rollback: look at the plan and approve its digest.
",
    );
}

#[test]
fn a_report_of_a_dry_run_shows_the_changes() {
    let mut plan = Plan::default();
    plan.added = vec![(of("Team A"), None)];
    let mut report = report(Status::Planned, plan.counts());
    report.plan = Some(PlanView { digest: None, plan });
    report.reason = Some("it is a trial".to_owned());
    report.warnings = vec!["dry run: nothing was saved, nothing was sent".to_owned()];
    check(
        Answer::Report(Box::new(report)),
        r#"
+ Team "A" at the top

Planned: nothing was saved or sent. Published is version 11, 14 groups.
Why: it is a trial.
Pending: 1 added, 0 moved, 0 renamed, 0 removed.
Statements: 0 applied, 0 stale.

Warning: dry run: nothing was saved, nothing was sent.
"#,
    );
}

#[test]
fn a_history_is_a_table_and_tells_how_to_go_back() {
    let row = |version, cause: &str, counts| HistoryRow {
        version,
        time: NOW.to_owned(),
        cause: cause.to_owned(),
        groups: 24,
        counts,
        changed: true,
    };
    let two = Counts {
        added: 2,
        removed: 1,
        ..Counts::default()
    };
    let history = vec![
        row(10, "webhook acme", two),
        row(9, "seed", Counts::default()),
    ];
    let mut freshness = fresh();
    freshness.sources.clear();
    check(
        Answer::History(HistoryAnswer { history, freshness }),
        r#"
version 10  2026-01-10T12:00:00Z  webhook acme  24 groups  2 added, 1 removed
version 9   2026-01-10T12:00:00Z  seed          24 groups  no change

Last webhook: 2026-01-10T11:57:00Z (3 minutes ago)
Last publish: 2026-01-09T11:00:00Z (25 hours ago)
Last re-read: never

To go back to version 9: aws lambda invoke --function-name bridge --cli-binary-format raw-in-base64-out --payload '{"action":"rollback","version":9}' /dev/stdout
"#,
    );
    let nothing = HistoryAnswer {
        history: Vec::new(),
        freshness: Freshness::default(),
    };
    check(
        Answer::History(nothing),
        "
Nothing has been published yet.

Last webhook: not known
Last publish: never
Last re-read: never
",
    );
}

#[test]
fn a_history_tells_how_to_go_back_before_the_last_version_that_changed_anything() {
    for (changed, expected) in [
        (&[true, true, true][..], Some(2)),
        (&[false, true, true], Some(1)),
        (&[false, true, false, true], Some(2)),
        (&[false, true], None),
        (&[true], None),
        (&[false, false], None),
    ] {
        let rows = changed.iter().zip((0..changed.len()).rev());
        let rows = rows.map(|(changed, below)| HistoryRow {
            version: u64::try_from(below).unwrap() + 1,
            time: NOW.to_owned(),
            cause: "reconcile".to_owned(),
            groups: 24,
            counts: Counts::default(),
            changed: *changed,
        });
        let answer = Answer::History(HistoryAnswer {
            history: rows.collect(),
            freshness: Freshness::default(),
        });
        let text = super::of(&answer, &Commands::default(), time(NOW));
        let back = text.split_once("To go back to version ");
        let back = back.map(|(_, rest)| rest.split_once(':').unwrap().0.parse().unwrap());
        assert_eq!(back, expected, "{changed:?}");
    }
}

#[test]
fn a_plan_says_that_a_put_is_owed() {
    let mut report = report(Status::Planned, Counts::default());
    report.plan = Some(PlanView {
        digest: None,
        plan: Plan::default(),
    });
    let mut answer = answer(report, None);
    answer.unsure = true;
    let text = super::of(
        &Answer::Plan(Box::new(answer)),
        &Commands::default(),
        time(NOW),
    );
    let start = "No changes: what is published is what follows from all that was said.
Calven may hold something else: a PUT was not answered; the next reconcile sends what is published once more.
Groups: 14 now";
    assert!(text.starts_with(start), "{text}");
}

fn export(said: &[(&str, &str, &str)]) -> Answer {
    Answer::Export(ExportAnswer {
        hierarchy: projected(said).hierarchy,
        version: 1,
        time: None,
    })
}

#[test]
fn an_export_is_a_tree() {
    let said = [
        ("hr", "Team B", "Division A"),
        ("hr", "Team A", "Division A"),
        ("hr", "Team C", "Team A"),
        ("hr", "Division Z", "-"),
    ];
    check(
        export(&said),
        r#"
Division "A"
  Team "A"
    Team "C"
  Team "B"
Division "Z"

5 groups.
"#,
    );
    check(export(&[]), "0 groups.");
}

#[test]
fn how_long_ago_is_told_in_what_one_counts_it_in() {
    let ago = |seconds: u64| {
        let at = time(NOW)
            .minus(std::time::Duration::from_secs(seconds))
            .to_string();
        let text = when(Some(&at), time(NOW));
        text.split_once(" (")
            .unwrap()
            .1
            .trim_end_matches(" ago)")
            .to_owned()
    };
    for (seconds, expected) in [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7_199, "119 minutes"),
        (7_200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
    ] {
        assert_eq!(ago(seconds), expected);
    }
    assert_eq!(when(None, time(NOW)), "never");
}
