//! What round trips say of who made them: how long it waited for them, and how many had to wait for one another.

use std::time::{Duration, Instant};

use stand_ins::traffic::RoundTrip;

use crate::surroundings::Remote;

/// One that was answered: from when until when.
type Span = (Instant, Instant);

/// How long within a span at least one round trip was under way.
pub(super) fn waited(trips: &[(Remote, RoundTrip)], within: Span) -> Duration {
    let mut spans = spans(trips);
    spans.sort_unstable();
    let (mut reached, end) = within;
    let mut waited = Duration::ZERO;
    for (from, to) in spans {
        let (from, to) = (from.max(reached), to.min(end));
        if to > from {
            waited += to - from;
            reached = to;
        }
    }
    waited
}

/// The most round trips before the PUT to Calven of which each began after the one before it had ended; `None` where there was no PUT.
/// Chance may add one where the machine is busy, and can never take one away.
pub(super) fn in_turn_before_the_put(trips: &[(Remote, RoundTrip)]) -> Option<u32> {
    let is_put =
        |(remote, trip): &&(Remote, RoundTrip)| *remote == Remote::Calven && trip.method == "PUT";
    let (_, put) = trips.iter().find(is_put)?;
    let mut spans = spans(trips);
    spans.retain(|(_, to)| *to <= put.began);
    // Who takes what ends first, again and again, has the longest chain.
    spans.sort_unstable_by_key(|(_, to)| *to);
    let mut in_turn = 0;
    let mut reached = None;
    for (from, to) in spans {
        if reached.is_none_or(|reached| from >= reached) {
            in_turn += 1;
            reached = Some(to);
        }
    }
    Some(in_turn)
}

/// Those that were answered, in the order in which they were made: each round has what was under way at once, and begins after the one
/// before it.
pub(super) fn rounds(trips: &[(Remote, RoundTrip)]) -> Vec<Vec<&(Remote, RoundTrip)>> {
    let mut answered: Vec<_> = trips
        .iter()
        .filter_map(|trip| Some((trip.1.began, trip.1.end?.answered, trip)))
        .collect();
    answered.sort_by_key(|(began, ..)| *began);
    let mut rounds: Vec<Vec<_>> = Vec::new();
    let mut first_answered = None;
    for (began, answered, trip) in answered {
        match (rounds.last_mut(), first_answered) {
            (Some(round), Some(first)) if began < first => {
                round.push(trip);
                first_answered = Some(answered.min(first));
            }
            _ => {
                rounds.push(vec![trip]);
                first_answered = Some(answered);
            }
        }
    }
    rounds
}

/// How often the state came over the network, and not only the news that it is as it was.
pub(super) fn downloads(trips: &[(Remote, RoundTrip)]) -> usize {
    let is_download = |(remote, trip): &&(Remote, RoundTrip)| {
        let is_whole = trip.end.is_some_and(|end| end.status == 200);
        *remote == Remote::S3 && trip.method == "GET" && is_whole
    };
    trips.iter().filter(is_download).count()
}

fn spans(trips: &[(Remote, RoundTrip)]) -> Vec<Span> {
    let ended = trips.iter();
    let ended = ended.filter_map(|(_, trip)| Some((trip.began, trip.end?.complete)));
    ended.collect()
}

#[cfg(test)]
mod tests {
    use stand_ins::traffic::End;

    use super::*;

    /// Round trips of S3's, from and to these milliseconds, and a PUT to Calven.
    fn trips(spans: &[(u64, u64)], put: (u64, u64)) -> (Instant, Vec<(Remote, RoundTrip)>) {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let trip = |method: &str, (from, to)| RoundTrip {
            method: method.to_owned(),
            path: "/".to_owned(),
            bytes: 0,
            began: at(from),
            end: Some(End {
                answered: at(to),
                complete: at(to),
                status: 200,
                bytes: 0,
            }),
        };
        let mut all = vec![(Remote::Calven, trip("PUT", put))];
        all.extend(spans.iter().map(|span| (Remote::S3, trip("GET", *span))));
        (zero, all)
    }

    #[track_caller]
    fn check(spans: &[(u64, u64)], in_turn: u32, waited_ms: u64) {
        let (zero, trips) = trips(spans, (50, 60));
        assert_eq!(in_turn_before_the_put(&trips), Some(in_turn), "{spans:?}");
        let within = (zero, zero + Duration::from_millis(55));
        let waited_ms = Duration::from_millis(waited_ms);
        assert_eq!(waited(&trips, within), waited_ms, "{spans:?}");
    }

    #[test]
    fn what_is_asked_at_once_counts_once() {
        check(&[], 0, 5);
        check(&[(0, 10)], 1, 15);
        check(&[(0, 10), (1, 11), (2, 9)], 1, 16);
        check(&[(0, 10), (1, 11), (10, 20), (12, 22), (30, 40)], 3, 37);
        // The long one beside three short ones in turn.
        check(&[(0, 40), (0, 10), (12, 20), (21, 30)], 3, 45);
    }

    #[test]
    fn what_is_under_way_at_once_is_a_round() {
        let check = |spans: &[(u64, u64)], expected: &[usize]| {
            let (_, trips) = trips(spans, (50, 60));
            let sizes: Vec<_> = rounds(&trips).iter().map(Vec::len).collect();
            assert_eq!(sizes, expected, "{spans:?}");
        };
        check(&[], &[1]);
        check(&[(0, 10), (70, 80)], &[1, 1, 1]);
        check(&[(0, 10), (1, 5), (6, 12), (55, 70)], &[2, 1, 2]);
    }

    #[test]
    fn what_comes_after_the_put_or_beside_it_is_not_before_it() {
        check(&[(0, 10), (45, 52), (60, 70)], 1, 20);
        let (_, mut trips) = trips(&[(0, 10)], (50, 60));
        trips.remove(0);
        assert_eq!(in_turn_before_the_put(&trips), None);
        assert_eq!(downloads(&trips), 1);
    }
}
