//! The bodies: a plain one, and those that are made to be slow.

use std::fmt::Write as _;

/// The senders, all signed by Standard Webhooks.
pub(crate) const SOURCES: &str = r#"
[sources.acme]
preset = "generic"
secret_id = "acme"

# As terse as a mapping can be: the more records fit into a body.
[sources.terse]
preset = "generic"
secret_id = "terse"
[sources.terse.groups.group]
at = "$.g"
time = "$.t"
key = "$.i"
name = "$.n"
type = { value = "T" }
parent_key = "$.q"
parent_name = "$.p"
parent_type = { value = "T" }
removed = [{ at = "$.gone" }]

# By name alone, as most senders.
[sources.named]
preset = "generic"
secret_id = "named"
[sources.named.groups.group]
at = "$.g"
time = "$.t"
name = "$.n"
type = { value = "T" }
parent_name = "$.p"
parent_type = { value = "T" }
removed = [{ at = "$.gone" }]

# Records that say all their members.
[sources.whole]
preset = "generic"
secret_id = "whole"
[sources.whole.groups.group]
at = "$.g"
key = "$.i"
name = "$.n"
type = { value = "T" }
[sources.whole.groups.group.members]
at = "$.m"
key = "$.i"
complete = "$.m"

# Persons.
[sources.staff]
preset = "generic"
secret_id = "staff"
[sources.staff.persons.person]
at = "$.s"
time = "body:$.t"
id = "$.i"
chain = [
  { type = { value = "D" }, name = "$.d" },
  { type = { value = "T" }, name = "$.n" },
]

# The most that a path may ask for.
[sources.paths]
preset = "generic"
secret_id = "paths"
[sources.paths.groups.group]
at = "$..*[?@.a[*].b || @.*.*.*]"
name = "$.n"
type = { value = "T" }
parent_name = "$.a.*[?@.*.*].n"
parent_type = { value = "T" }
removed = [{ at = "$.*.*.*.*" }]

# The most that is searched for in records.
[sources.within]
preset = "generic"
secret_id = "within"
[sources.within.groups.group]
at = "$[*]"
name = ["$..n[?@.*.*.*]", "$..*", "$..n"]
type = { value = "T" }
removed = [{ at = "$..*[?@.*.*.*]", is = ["x"] }, { at = "$..*" }]
"#;

/// A webhook, before it is signed.
pub(crate) struct Body {
    pub(crate) source: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// A body, and what is sent before it.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) before: Vec<Body>,
    pub(crate) body: Body,
}

/// A company's groups in five levels, with names as long as such names are.
pub(crate) fn plain(bytes: usize) -> Attack {
    let body = changes(bytes, |at| {
        let parent = match at {
            0 => String::new(),
            at => format!(
                r#","parent":"Department of matters {}","parentType":"Department""#,
                at / 8
            ),
        };
        format!(r#"{{"group":"Department of matters {at}","groupType":"Department"{parent}}}"#)
    });
    attack("plain", [], body)
}

/// All that are made to be slow.
pub(crate) fn all(bytes: usize) -> Vec<Attack> {
    let mut all = of_bytes(bytes);
    all.extend(of_the_model(bytes));
    all.extend(of_what_is_there(bytes));
    all
}

/// Slow to read.
fn of_bytes(bytes: usize) -> Vec<Attack> {
    let filled = |before: &str, unit: &str, after: &str| {
        let units = (bytes - before.len() - after.len()) / unit.len();
        json("acme", format!("{before}{}{after}", unit.repeat(units)))
    };
    let deep = |open: &str, close: &str, depth: usize| {
        let one = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let many = vec![one.as_str(); bytes / (one.len() + 1)].join(",");
        format!("[{many}]")
    };
    let form = |source, unit: &dyn Fn(usize) -> String| Body {
        source,
        content_type: "application/x-www-form-urlencoded",
        bytes: until(bytes, "", "&", "", unit).into_bytes(),
    };
    vec![
        attack("nested 500,000 deep", [], filled("", "[", "")),
        attack("nested 100,000 deep, and closed", [], {
            let depth = (bytes / 2).min(100_000);
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let spaces = " ".repeat(bytes.saturating_sub(text.len()));
            json("acme", text + &spaces)
        }),
        attack("objects nested 100,000 deep", [], {
            let depth = (bytes / 6).min(100_000);
            json(
                "acme",
                format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)),
            )
        }),
        attack(
            "nested as deep as may be, many times",
            [],
            json("acme", deep("[", "]", 60)),
        ),
        attack(
            "a hostile path: nested arrays",
            [],
            json("paths", deep("[", "]", 60)),
        ),
        attack(
            "a hostile path in a record: nested arrays",
            [],
            json("within", deep("[", "]", 60)),
        ),
        attack(
            "a hostile path in a record: nested objects",
            [],
            json("within", deep("{\"a\":", "}", 60)),
        ),
        attack(
            "a hostile path in one record: a flat list",
            [],
            json("within", format!("[[[{}1]]]", "1,".repeat(bytes / 2 - 5))),
        ),
        attack(
            "a hostile path: nested objects",
            [],
            json("paths", deep("{\"a\":", "}", 60)),
        ),
        attack(
            "a hostile path: a flat list",
            [],
            json("paths", format!("[{}1]", "1,".repeat(bytes / 2 - 3))),
        ),
        attack(
            "a hostile path: what is found",
            [],
            list("paths", bytes, |_| {
                r#"[[{"a":[{"b":1}],"c":1,"n":"x"}]]"#.to_owned()
            }),
        ),
        attack(
            "a hostile path: records by the thousand",
            [],
            list("paths", bytes, |at| {
                format!(r#"[[{{"a":{{"a":{{"a":1}}}},"n":"{at}"}}]]"#)
            }),
        ),
        attack(
            "nothing but escapes",
            [],
            filled(r#"{"id":""#, r"\u0061", r#""}"#),
        ),
        attack(
            "escaped surrogates",
            [],
            filled(r#"{"changes":[{"group":""#, r"\ud83d\ude00", r#""}]}"#),
        ),
        attack(
            "a number of a million digits",
            [],
            filled(r#"{"id":"#, "9", "}"),
        ),
        attack(
            "many big numbers",
            [],
            filled(r#"{"id":["#, "1.7976931348623157e308,", "1]}"),
        ),
        attack(
            "keys that are not known",
            [],
            json(
                "acme",
                until(bytes, "{", ",", "}", &|at| format!(r#""{at}":0"#)),
            ),
        ),
        attack(
            "faults by the thousand",
            [],
            changes(bytes, |_| r#"{"x":1}"#.to_owned()),
        ),
        attack("empty changes", [], changes(bytes, |_| "{}".to_owned())),
        attack(
            "a name of a megabyte",
            [],
            filled(
                r#"{"changes":[{"groupType":"T","group":""#,
                "e\u{301}",
                r#""}]}"#,
            ),
        ),
        attack(
            "a name of white space",
            [],
            filled(
                r#"{"changes":[{"groupType":"T","group":"a"#,
                "\u{2003}",
                r#"b"}]}"#,
            ),
        ),
        attack(
            "combining marks",
            [],
            filled(
                r#"{"changes":[{"groupType":"T","group":"a"#,
                "\u{316}\u{301}",
                r#"b"}]}"#,
            ),
        ),
        attack(
            "a form with brackets",
            [],
            form("terse", &|at| format!("g[{at}]{}=1", "[a]".repeat(28))),
        ),
        attack(
            "a form nested too deeply",
            [],
            form("terse", &|_| format!("g{}=1", "[a]".repeat(bytes / 4))),
        ),
        attack(
            "a form of brackets that do not pair",
            [],
            form("terse", &|_| format!("g{}=1", "[".repeat(1_000))),
        ),
        attack(
            "a form of escapes",
            [],
            form("terse", &|at| format!("%61%61%61%61%61%61{at}=%62%62")),
        ),
        attack(
            "a form of groups",
            [],
            form("named", &|at| format!("g[{at}][n]=a{at}")),
        ),
        attack(
            "a form that appends",
            [],
            form("named", &|_| "g[][n]=a".to_owned()),
        ),
    ]
}

/// Slow to merge and project.
fn of_the_model(bytes: usize) -> Vec<Attack> {
    let rename = |from: &dyn Fn(usize) -> String, to: &dyn Fn(usize) -> String| {
        changes(bytes, |at| {
            let (from, to) = (from(at), to(at));
            format!(r#"{{"op":"rename","group":"{from}","groupType":"T","to":"{to}"}}"#)
        })
    };
    vec![
        attack("one cycle of 40,000", [], {
            let count = bytes / 24;
            list("named", bytes, move |at| {
                format!(r#"{{"n":"{at:x}","p":"{:x}"}}"#, (at + 1) % count)
            })
        }),
        attack(
            "cycles of two",
            [],
            list("named", bytes, |at| {
                format!(r#"{{"n":"{at:x}","p":"{:x}"}}"#, at ^ 1)
            }),
        ),
        attack(
            "a chain of 40,000",
            [],
            list("named", bytes, |at| {
                format!(r#"{{"n":"{at:x}","p":"{:x}"}}"#, at + 1)
            }),
        ),
        attack(
            "a chain of 40,000, the other way",
            [],
            list("named", bytes, |at| {
                format!(r#"{{"n":"{:x}","p":"{at:x}"}}"#, at + 1)
            }),
        ),
        attack(
            "a chain by keys",
            [],
            list("terse", bytes, |at| {
                format!(r#"{{"i":{at},"n":"{at:x}","q":{}}}"#, at + 1)
            }),
        ),
        attack(
            "a chain by keys, the other way",
            [],
            list("terse", bytes, |at| {
                format!(r#"{{"i":{},"n":"{at:x}","q":{at}}}"#, at + 1)
            }),
        ),
        attack(
            "50,000 equal names",
            [],
            list("named", bytes.min(500_007), |_| r#"{"n":"a"}"#.to_owned()),
        ),
        attack(
            "equal names, times backwards",
            [],
            list("named", bytes, |at| {
                format!(r#"{{"n":"a","t":{}}}"#, 1_700_000_000 - at)
            }),
        ),
        attack(
            "equal names under many parents",
            [],
            list("named", bytes, |at| format!(r#"{{"n":"a","p":"{at:x}"}}"#)),
        ),
        attack(
            "ids of one name",
            [],
            list("terse", bytes, |at| format!(r#"{{"i":{at},"n":"a"}}"#)),
        ),
        attack(
            "ids of one name, each a parent",
            [],
            list("terse", bytes, |at| {
                format!(r#"{{"i":{at},"n":"a","p":"a"}}"#)
            }),
        ),
        attack(
            "ids of one name, whose parents wait",
            [],
            list("terse", bytes, |at| {
                format!(r#"{{"i":{at},"n":"a","q":"x{at}"}}"#)
            }),
        ),
        attack(
            "ids of one name, each under another that waits",
            [],
            list("terse", bytes, |at| match at % 2 {
                0 => format!(r#"{{"i":"p{at}","n":"p{at}","q":"x"}}"#),
                _ => format!(r#"{{"i":{at},"n":"a","q":"p{}"}}"#, at - 1),
            }),
        ),
        attack(
            "groups that wait for one another",
            [],
            list("terse", bytes, |at| {
                let above = match at {
                    0 => "x".to_owned(),
                    at => format!("k{}", at - 1),
                };
                format!(r#"{{"i":"k{at}","n":"{at:x}","q":"{above}"}}"#)
            }),
        ),
        attack(
            "names of one id",
            [],
            list("terse", bytes, |at| format!(r#"{{"i":1,"n":"{at:x}"}}"#)),
        ),
        attack(
            "names of one id, times backwards",
            [],
            list("terse", bytes, |at| {
                format!(r#"{{"i":1,"n":"{at:x}","t":{}}}"#, 1_700_000_000 - at)
            }),
        ),
        attack(
            "names of one id, each somebody's parent",
            [],
            list("terse", bytes, |at| {
                format!(r#"{{"i":{},"n":"{at:x}","p":"{:x}"}}"#, at % 2, at / 2)
            }),
        ),
        attack(
            "ids that take a name from one another",
            [],
            list("terse", bytes, |at| {
                format!(
                    r#"{{"i":{},"n":"{}"}}"#,
                    at / 2,
                    if at % 2 == 0 {
                        "a".to_owned()
                    } else {
                        format!("{at:x}")
                    }
                )
            }),
        ),
        attack(
            "a chain of renames",
            [],
            rename(&|at| format!("{at:x}"), &|at| format!("{:x}", at + 1)),
        ),
        attack(
            "a chain of renames, backwards",
            [],
            rename(&|at| format!("{:x}", 100_000 - at), &|at| {
                format!("{:x}", 100_001 - at)
            }),
        ),
        attack(
            "one name renamed to many",
            [],
            rename(&|_| "a".to_owned(), &|at| format!("{at:x}")),
        ),
        attack(
            "many names renamed to one",
            [],
            rename(&|at| format!("{at:x}"), &|_| "a".to_owned()),
        ),
        attack(
            "renamed to and fro",
            [],
            rename(&|at| format!("{}", at % 2), &|at| {
                format!("{}", (at + 1) % 2)
            }),
        ),
        attack("a chain that is renamed to many", [], {
            let half = bytes / 55 / 2;
            rename(
                &move |at| {
                    if at < half {
                        format!("{at:x}")
                    } else {
                        format!("{half:x}")
                    }
                },
                &move |at| {
                    if at < half {
                        format!("{:x}", at + 1)
                    } else {
                        format!("z{at:x}")
                    }
                },
            )
        }),
        attack(
            "renames of ids' names",
            [changes_as_of("2026-01-10T10:00:00Z", bytes, |at| {
                format!(r#"{{"key":"{at}","group":"{at:x}","groupType":"T"}}"#)
            })],
            rename(&|at| format!("{at:x}"), &|_| "a".to_owned()),
        ),
        attack(
            "renames of one name that many ids bear",
            [changes_as_of("2026-01-10T10:00:00Z", bytes, |at| {
                format!(r#"{{"key":"{at}","group":"a","groupType":"T"}}"#)
            })],
            rename(&|_| "a".to_owned(), &|at| format!("{at:x}")),
        ),
        attack(
            "renames of one name, before many ids bear it",
            [changes_as_of("2026-01-10T11:30:00Z", bytes, |at| {
                format!(r#"{{"key":"{at}","group":"a","groupType":"T"}}"#)
            })],
            rename(&|_| "a".to_owned(), &|at| format!("{at:x}")),
        ),
        attack(
            "ids that are called two things at once, and who is under the one",
            [changes(bytes / 2, |at| {
                format!(
                    r#"{{"key":"{at}","group":"a","groupType":"T","parent":"b","parentType":"T","parentKey":"{at}"}}"#
                )
            })],
            changes(bytes, |at| {
                format!(r#"{{"group":"{at:x}","groupType":"T","parent":"a","parentType":"T"}}"#)
            }),
        ),
        attack(
            "renames of one id, to and fro",
            [changes_as_of("2026-01-10T10:00:00Z", 0, |at| {
                format!(r#"{{"key":"{at}","group":"{at}","groupType":"T"}}"#)
            })],
            rename(&|at| format!("{}", at % 2), &|at| {
                format!("{}", (at + 1) % 2)
            }),
        ),
        attack(
            "names that differ only in case",
            [],
            list("named", bytes, |at| {
                let name: String = (0..16)
                    .map(|bit| if at >> bit & 1 == 0 { 'a' } else { 'A' })
                    .collect();
                format!(r#"{{"n":"{name}"}}"#)
            }),
        ),
        attack(
            "members of all",
            [],
            list("whole", bytes, |at| {
                format!(r#"{{"i":{at},"n":"{at}","m":[]}}"#)
            }),
        ),
        attack(
            "one group of many members",
            [],
            json(
                "whole",
                until(
                    bytes,
                    r#"{"g":[{"i":"x","n":"x","m":["#,
                    ",",
                    "]}]}",
                    &|at| format!(r#"{{"i":{at}}}"#),
                ),
            ),
        ),
        attack(
            "one person, often",
            [],
            json(
                "staff",
                until(
                    bytes,
                    r#"{"t":"2026-01-10T11:00:00Z","s":["#,
                    ",",
                    "]}",
                    &|at| format!(r#"{{"i":1,"n":"{at:x}"}}"#),
                ),
            ),
        ),
        attack(
            "persons of one team under many",
            [],
            json(
                "staff",
                until(bytes, r#"{"s":["#, ",", "]}", &|at| {
                    format!(r#"{{"i":{at},"d":"{at:x}","n":"a"}}"#)
                }),
            ),
        ),
        attack(
            "removed by the thousand",
            [],
            list("named", bytes, |at| format!(r#"{{"n":"{at:x}","gone":1}}"#)),
        ),
    ]
}

/// Slow because of what was said before.
fn of_what_is_there(bytes: usize) -> Vec<Attack> {
    let count = bytes / 60;
    let half = count / 2;
    vec![
        attack(
            "one cycle, closed again by what was published",
            [list("named", bytes, move |at| match at {
                // A long chain, and one by which those who are let go of fall back on the next.
                at if at < half => format!(r#"{{"n":"l{at:x}","p":"l{:x}"}}"#, at + 1),
                at if at == half => format!(r#"{{"n":"l{at:x}","p":"x0"}}"#),
                at => format!(r#"{{"n":"x{:x}","p":"x{:x}"}}"#, at - half - 1, at - half),
            })],
            list("named", bytes, |at| {
                format!(r#"{{"n":"x{at:x}","p":"l0","t":{}}}"#, 1_768_000_000 - at)
            }),
        ),
        attack(
            "a chain turned over",
            [list("named", bytes, |at| {
                format!(r#"{{"n":"{at:x}","p":"{:x}"}}"#, at + 1)
            })],
            list("named", bytes, |at| {
                format!(r#"{{"n":"{:x}","p":"{at:x}"}}"#, at + 1)
            }),
        ),
        attack(
            "names of one id, times backwards, behind as many",
            [list("terse", bytes, |at| {
                format!(r#"{{"i":1,"n":"{at:x}","t":{}}}"#, 1_700_000_000 + at)
            })],
            list("terse", bytes, |at| {
                format!(r#"{{"i":1,"n":"z{at:x}","t":{}}}"#, 1_700_000_000 - at)
            }),
        ),
        attack(
            "renames of one id, before its later names",
            [
                changes_as_of("2026-01-10T10:00:00Z", 0, |_| {
                    r#"{"key":"1","group":"a00000","groupType":"T"}"#.to_owned()
                }),
                changes(bytes, |at| {
                    format!(r#"{{"key":"1","group":"z{at:x}","groupType":"T"}}"#)
                }),
            ],
            changes_as_of("2026-01-10T10:30:00Z", bytes, |at| {
                format!(
                    r#"{{"op":"rename","group":"a{at:05x}","groupType":"T","to":"a{:05x}"}}"#,
                    at + 1
                )
            }),
        ),
        attack(
            "names of the published that are all renamed",
            // About twice as many as one body can rename.
            [list("named", bytes / 2, |at| {
                format!(r#"{{"n":"{at:x}"}}"#)
            })],
            changes(bytes, |at| {
                format!(
                    r#"{{"op":"rename","group":"{at:x}","groupType":"T","to":"{:x}"}}"#,
                    at + 1
                )
            }),
        ),
    ]
}

fn attack<const N: usize>(name: &'static str, before: [Body; N], body: Body) -> Attack {
    Attack {
        name,
        before: before.into(),
        body,
    }
}

fn json(source: &'static str, text: String) -> Body {
    Body {
        source,
        content_type: "application/json",
        bytes: text.into_bytes(),
    }
}

/// A body of the bridge's own contract.
fn changes(bytes: usize, change: impl Fn(usize) -> String) -> Body {
    changes_as_of("2026-01-10T11:00:00Z", bytes, change)
}

/// The same, of another time.
fn changes_as_of(time: &str, bytes: usize, change: impl Fn(usize) -> String) -> Body {
    let before = format!(r#"{{"occurredAt":"{time}","changes":["#);
    json("acme", until(bytes, &before, ",", "]}", &change))
}

/// A body of terse records.
fn list(source: &'static str, bytes: usize, record: impl Fn(usize) -> String) -> Body {
    json(source, until(bytes, r#"{"g":["#, ",", "]}", &record))
}

/// As many units as fit.
fn until(
    bytes: usize,
    before: &str,
    between: &str,
    after: &str,
    unit: &dyn Fn(usize) -> String,
) -> String {
    let mut text = before.to_owned();
    for at in 0.. {
        let unit = unit(at);
        if at > 0 && text.len() + between.len() + unit.len() + after.len() > bytes {
            break;
        }
        // Writing into a string does not fail.
        let _written = write!(text, "{}{unit}", if at > 0 { between } else { "" });
    }
    text + after
}
