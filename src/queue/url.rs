//! The address of the queue, as `QUEUE_URL` gives it.
//!
//! Its forms: <https://docs.aws.amazon.com/general/latest/gr/sqs-service.html>, and of VPC endpoints
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-internetwork-traffic-privacy.html>.

use std::{fmt, str::FromStr};

use reqwest::Url;

use crate::http::{BadBaseUrl, BaseUrl};

/// SQS's own limit for a queue's name.
const LONGEST_NAME: usize = 80;

/// An account's number has so many digits.
const ACCOUNT_DIGITS: usize = 12;

/// The address of a standard queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl {
    url: Url,
    region: Option<String>,
}

/// Why a text is no address of a queue; the text itself is not quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQueueUrl {
    /// It could not be asked safely, or at all.
    #[error(transparent)]
    Base(#[from] BadBaseUrl),
    /// The path is not an account and a queue.
    #[error("must be such as https://sqs.eu-west-1.amazonaws.com/123456789012/name")]
    Path,
    /// Its order costs throughput, and nothing here needs it.
    #[error("must name a standard queue, and .fifo ends the name of a FIFO queue")]
    Fifo,
}

impl QueueUrl {
    /// The whole address, by which SQS knows the queue.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The region that the host names, if it does.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Where requests go: scheme, host and port, with a slash as the path.
    pub(super) fn service(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path("/");
        url
    }
}

impl FromStr for QueueUrl {
    type Err = BadQueueUrl;

    fn from_str(text: &str) -> Result<Self, BadQueueUrl> {
        let url = BaseUrl::parse(text)?.at("");
        let mut segments = url.path().trim_start_matches('/').split('/');
        let (Some(account), Some(name), None) = (segments.next(), segments.next(), segments.next())
        else {
            return Err(BadQueueUrl::Path);
        };
        if name.ends_with(".fifo") {
            return Err(BadQueueUrl::Fifo);
        }
        let is_account =
            account.len() == ACCOUNT_DIGITS && account.bytes().all(|b| b.is_ascii_digit());
        let is_name = (1..=LONGEST_NAME).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_account || !is_name {
            return Err(BadQueueUrl::Path);
        }
        let region = url.host_str().and_then(region_in).map(str::to_owned);
        Ok(Self { url, region })
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn region_in(host: &str) -> Option<&str> {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        ["sqs" | "sqs-fips", region, "amazonaws" | "api", ..]
        | [region, "queue", "amazonaws", ..]
        | [_, "sqs", region, "vpce", ..] => Some(region),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, region: Option<&str>, service: &str) {
        let url: QueueUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), text);
        assert_eq!(url.region(), region, "{text}");
        assert_eq!(url.service().as_str(), service, "{text}");
    }

    #[test]
    fn an_address_names_its_region() {
        for (host, region) in [
            ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
            ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("sqs-fips.us-east-1.amazonaws.com", "us-east-1"),
            ("sqs.eu-west-1.api.aws", "eu-west-1"),
            ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
            ("vpce-0a1-b2.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ] {
            let text = format!("https://{host}/123456789012/calven-bridge_1");
            check(&text, Some(region), &format!("https://{host}/"));
        }
        check(
            "https://queues.example.com/123456789012/q",
            None,
            "https://queues.example.com/",
        );
        check(
            "http://127.0.0.1:4566/000000000000/q",
            None,
            "http://127.0.0.1:4566/",
        );
    }

    #[test]
    fn what_names_no_standard_queue_is_refused() {
        let check = |text: &str, expected: BadQueueUrl| {
            assert_eq!(text.parse::<QueueUrl>(), Err(expected), "{text}");
        };
        check("calven-bridge", BadQueueUrl::Base(BadBaseUrl::NotAUrl));
        check(
            "http://sqs.eu-west-1.amazonaws.com/123456789012/q",
            BadQueueUrl::Base(BadBaseUrl::NotHttps),
        );
        let at = |path: &str| format!("https://sqs.eu-west-1.amazonaws.com{path}");
        for path in [
            "",
            "/",
            "/123456789012",
            "/123456789012/",
            "/1234/q",
            "/12345678901x/q",
            "/123456789012/q/r",
            "/123456789012/a%20b",
        ] {
            check(&at(path), BadQueueUrl::Path);
        }
        check(
            &at(&format!("/123456789012/{}", "q".repeat(81))),
            BadQueueUrl::Path,
        );
        check(&at("/123456789012/q.fifo"), BadQueueUrl::Fifo);
    }
}
