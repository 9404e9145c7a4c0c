//! What can go wrong with a remote.

use stand_ins::fault::Fault;

use crate::harness::NOW;

/// What goes wrong, and what the table calls it.
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) wrong: Wrong,
}

pub(super) enum Wrong {
    /// Nobody listens.
    Down,
    /// Answered with this status, and this `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Another fault of the stand-ins'.
    Fault(fn() -> Fault),
}

impl Wrong {
    /// What a stand-in has to do; `None`: it is to be down.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Down => None,
            Self::Status(status, None) => Some(Fault::Status(*status)),
            Self::Status(status, Some(after)) => {
                Some(Fault::StatusRetryAfter(*status, (*after).to_owned()))
            }
            Self::Fault(fault) => Some(fault()),
        }
    }
}

/// No remote's answer, and nothing that may be logged.
pub(super) const GARBAGE: &str = "<html>Quixotry";

/// An hour after [`NOW`].
const LATER: &str = "Sat, 10 Jan 2026 13:00:00 GMT";

const fn status(name: &'static str, status: u16) -> Named {
    let wrong = Wrong::Status(status, None);
    Named { name, wrong }
}

const fn throttled(name: &'static str, after: &'static str) -> Named {
    let wrong = Wrong::Status(429, Some(after));
    Named { name, wrong }
}

const fn other(name: &'static str, fault: fn() -> Fault) -> Named {
    let wrong = Wrong::Fault(fault);
    Named { name, wrong }
}

pub(super) const ALL: [Named; 17] = [
    Named {
        name: "connection refused",
        wrong: Wrong::Down,
    },
    other("no answer", || Fault::Hang),
    other("byte by byte", || Fault::Drip),
    other("reset in mid-body", || Fault::CutInHalf),
    status("401", 401),
    status("403", 403),
    status("408", 408),
    status("413", 413),
    status("429", 429),
    throttled("429 for 3600 s", "3600"),
    throttled("429 until a date", LATER),
    status("500", 500),
    status("503", 503),
    other("wrong content type", || Fault::ContentType("text/html")),
    other("garbage", || Fault::Garbage(GARBAGE.to_owned())),
    other("cut-off JSON", || Fault::HalfABody),
    other("huge body", || Fault::Endless),
];

#[test]
fn the_date_is_an_hour_ahead() {
    let later = crate::harness::time(NOW).plus(std::time::Duration::from_secs(3_600));
    assert_eq!(later, crate::harness::time("2026-01-10T13:00:00Z"));
    assert!(LATER.contains("10 Jan 2026 13:00:00"));
}
