//! Times as senders write them.
//!
//! Numbers have no unit, so their size tells it: no sender's clock is off by a thousand years. Texts are ISO 8601, and those
//! without a zone are in the source's own (`HiBob`: <https://apidocs.hibob.com/docs/webhooks-v2>).

use serde_json::Value;
use time::{OffsetDateTime, UtcOffset};

use crate::timestamp::Timestamp;

/// Numbers below are seconds; a thousand times as much, milliseconds; beyond, microseconds.
const SECONDS_BELOW: i128 = 100_000_000_000;

/// A time before the year 1990 is older than every HRIS that sends webhooks: it is what some write for none.
pub const EARLIEST: Timestamp = Timestamp::from_seconds(631_152_000);

/// Reads a time, if the value is one: a number or a text of digits (seconds, milliseconds or microseconds by its size); or ISO
/// 8601 with a zone or, in `offset`, without; a date alone is its beginning. Digits past the microsecond are dropped. None
/// outside the years 0 to 9999.
pub fn read(value: &Value, offset: UtcOffset) -> Option<Timestamp> {
    match value {
        Value::Number(number) => read_text(&number.to_string(), offset),
        Value::String(text) => read_text(text, offset),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// As [`read`], of a text.
pub(super) fn read_text(text: &str, offset: UtcOffset) -> Option<Timestamp> {
    let text = text.trim();
    let time = read_number(text).or_else(|| read_iso(text, offset))?;
    let nanos = i128::from(time.micros()).checked_mul(1_000)?;
    let year = OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()?
        .year();
    (year >= 0).then_some(time)
}

/// Reads an offset from UTC: `Z`, `+02:00` or `+0200`.
pub fn parse_offset(text: &str) -> Option<UtcOffset> {
    if text.eq_ignore_ascii_case("z") {
        return Some(UtcOffset::UTC);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(both) => both,
        None if digits.len() == 2 => (digits, "00"),
        None => digits.split_at_checked(2)?,
    };
    let number = |text: &str, below: i8| {
        let is_plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i8>().ok().filter(|_| is_plain)?;
        (number < below).then_some(number.saturating_mul(sign))
    };
    UtcOffset::from_hms(number(hours, 24)?, number(minutes, 60)?, 0).ok()
}

/// `-12345.678`, in digits to the last: a binary fraction would not keep the microsecond.
fn read_number(text: &str) -> Option<Timestamp> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let number: i128 = whole.parse().ok()?;
    let micros_each: i128 = match number {
        seconds if seconds < SECONDS_BELOW => 1_000_000,
        millis if millis < SECONDS_BELOW * 1_000 => 1_000,
        _ => 1,
    };
    // Six digits of fraction are the most that matter.
    let millionths: i128 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let part = millionths.checked_mul(micros_each)?.div_euclid(1_000_000);
    let micros = number.checked_mul(micros_each)?.checked_add(part)?;
    let micros = micros.checked_mul(sign)?;
    i64::try_from(micros).ok().map(Timestamp::from_micros)
}

/// Brings a text into RFC 3339's form, of which ISO 8601 leaves more to choose.
fn read_iso(text: &str, offset: UtcOffset) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = match rest.split_at_checked(1) {
        None if rest.is_empty() => "00:00",
        Some(("T" | "t" | " ", rest)) => rest,
        None | Some(_) => return None,
    };
    let is_zone = |c: char| matches!(c, 'Z' | 'z' | '+' | '-');
    let (clock, zone) = rest.split_at_checked(rest.find(is_zone).unwrap_or(rest.len()))?;
    let offset = match zone {
        "" => offset,
        zone => parse_offset(zone)?,
    };
    let clock = clock.trim_end().replace(',', ".");
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    let (hours, minutes) = (hours.unsigned_abs(), minutes.unsigned_abs());
    let text = format!("{date}T{clock}{seconds}{sign}{hours:02}:{minutes:02}");
    Timestamp::parse_rfc3339(&text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: Value, expected: &str) {
        let time = read(&value, UtcOffset::UTC).map(|time| time.to_string());
        assert_eq!(time.as_deref(), Some(expected), "{value}");
    }

    #[track_caller]
    fn check_none(value: Value) {
        assert_eq!(read(&value, UtcOffset::UTC), None, "{value}");
    }

    #[test]
    fn the_size_of_a_number_tells_its_unit() {
        check(json!(1_769_884_920), "2026-01-31T18:42:00Z");
        check(json!(1_769_884_920_123_i64), "2026-01-31T18:42:00.123Z");
        check(
            json!(1_769_884_920_123_456_i64),
            "2026-01-31T18:42:00.123456Z",
        );
        check(json!(99_999_999_999_i64), "5138-11-16T09:46:39Z");
        check(json!(100_000_000_000_i64), "1973-03-03T09:46:40Z");
        check(json!(99_999_999_999_999_i64), "5138-11-16T09:46:39.999Z");
        check(json!(100_000_000_000_000_i64), "1973-03-03T09:46:40Z");
        check(json!(-1), "1969-12-31T23:59:59Z");
        check(json!(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn numbers_are_read_to_the_last_digit_whether_text_or_not() {
        check(json!("1769884920"), "2026-01-31T18:42:00Z");
        check(json!(" 1769884920123 "), "2026-01-31T18:42:00.123Z");
        check(json!("1769884920.120411"), "2026-01-31T18:42:00.120411Z");
        check(json!(1_769_884_920.5), "2026-01-31T18:42:00.5Z");
        check(json!("1769884920123.4567"), "2026-01-31T18:42:00.123456Z");
        check(json!("-0.5"), "1969-12-31T23:59:59.5Z");
    }

    #[test]
    fn iso_8601_is_read_as_senders_write_it() {
        check(json!("2026-01-31T18:42:00+0000"), "2026-01-31T18:42:00Z");
        check(json!("2026-01-31T18:42:00-08:00"), "2026-02-01T02:42:00Z");
        check(json!("2026-01-31T18:42:00-08"), "2026-02-01T02:42:00Z");
        check(
            json!("2024-12-26T11:31:02.120411"),
            "2024-12-26T11:31:02.120411Z",
        );
        check(
            json!("2022-09-21T16:29:08.713+03:00"),
            "2022-09-21T13:29:08.713Z",
        );
        check(json!("2026-01-31 18:42:00 +0100"), "2026-01-31T17:42:00Z");
        check(json!("2026-01-31t18:42:00,25z"), "2026-01-31T18:42:00.25Z");
        check(json!("2026-01-31T18:42Z"), "2026-01-31T18:42:00Z");
        check(json!("2026-01-31"), "2026-01-31T00:00:00Z");
        check(
            json!("2026-01-31T18:42:00.1234567890123Z"),
            "2026-01-31T18:42:00.123456Z",
        );
        check(json!("0000-01-01T00:00:00Z"), "0000-01-01T00:00:00Z");
        check(
            json!("9999-12-31T23:59:59.999999Z"),
            "9999-12-31T23:59:59.999999Z",
        );
        check(json!("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59.999999Z");
    }

    #[test]
    fn a_time_without_a_zone_is_in_the_source_s_own() {
        let offset = parse_offset("-05:30").unwrap();
        let read = |text: &str| read(&json!(text), offset).map(|time| time.to_string());
        assert_eq!(read("2026-01-31T18:42:00").unwrap(), "2026-02-01T00:12:00Z");
        assert_eq!(read("2026-01-31").unwrap(), "2026-01-31T05:30:00Z");
        assert_eq!(
            read("2026-01-31T18:42:00Z").unwrap(),
            "2026-01-31T18:42:00Z"
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        let texts = [
            "",
            " ",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "0000-00-00 00:00:00",
            "2026-01-31T",
            "2026-01-31T25:00:00Z",
            "2026-01-31T18:42:60Z",
            "2026-01-31T18:42:00.Z",
            "2026-01-31T18:42:00+24:00",
            "2026-01-31T18:42:00+00:60",
            "2026-01-31T18:42:00+1",
            "2026-01-31_18:42:00",
            "2026-01-31T18",
            "+2026-01-31",
            "2026-01-31T18:42:00ZZ",
            "99999999999999999999999999999999999999999999",
            "1e9",
            ".5",
            "5.",
            "-",
            "--1",
            "1_0",
            "9223372036854775807",
            "-9223372036854775808",
            "12026-01-31",
            "２０２６-01-31",
            "éééééééééééé",
            "0000-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
        ];
        for text in texts {
            check_none(json!(text));
        }
        for value in [
            json!(null),
            json!(true),
            json!([1]),
            json!({}),
            json!(u64::MAX),
            json!(f64::MAX),
            json!(1e-9),
        ] {
            check_none(value);
        }
    }

    #[test]
    fn an_offset_is_read_in_its_usual_forms() {
        let seconds = |text: &str| parse_offset(text).map(UtcOffset::whole_seconds);
        assert_eq!(seconds("+02:00"), Some(7_200));
        assert_eq!(seconds("-0530"), Some(-19_800));
        assert_eq!(seconds("Z"), Some(0));
        for text in [
            "",
            "+",
            "02:00",
            "+2:00",
            "+02:0",
            "+24:00",
            "+02:60",
            "CET",
            "+02:00:00",
            "+-2:00",
            "+02:",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_that_is_written_is_read_back(micros in 100_000_000_000_000..253_402_300_799_999_999_i64) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(read(&json!(time.to_string()), UtcOffset::UTC), Some(time));
            prop_assert_eq!(read(&json!(micros), UtcOffset::UTC), Some(time));
            prop_assert_eq!(read(&json!(micros.to_string()), UtcOffset::UTC), Some(time));
        }

        #[test]
        fn no_text_makes_a_time_panic(text in "\\PC{0,40}", near in "[0-9]{1,5}-[0-9]{2}-[0-9]{2}[T ]?[0-9:.,+Zz -]{0,20}", number in any::<f64>()) {
            for value in [json!(text), json!(near), json!(number)] {
                let time = read(&value, UtcOffset::UTC);
                prop_assert!(time.is_none_or(|time| time.to_string().ends_with('Z')));
            }
        }
    }
}
