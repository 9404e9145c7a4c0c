//! What comes before the model, whatever the company's size: proofs, the mapping of each preset's samples, `sources.toml`.
//!
//! ```sh
//! cargo bench --bench edges
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use calven_bridge::{
    secrets::SourceSecret,
    sources::{
        config::{Source, Sources},
        given::Given,
        presets,
        proof::{Proof, ProofFault},
        scheme::SignatureFault,
    },
    timestamp::Timestamp,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use toml::Table;

const KIB: usize = 1_024;

criterion_group! {
    name = edges;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    targets = proofs, mappings, file
}
criterion_main!(edges);

/// A `sources.toml` with a source of each preset, of the preset's name.
fn every_preset() -> String {
    let mut text = String::new();
    for name in presets::names() {
        // Those that leave the proof to their user.
        let proof = match presets::text(name).unwrap().contains("\nproof = ") {
            true => "",
            false => "proof = \"bearer\"\n",
        };
        writeln!(
            text,
            "[sources.{name}]\npreset = \"{name}\"\nsecret_id = \"{name}\"\n{proof}"
        )
        .unwrap();
    }
    text
}

fn sources() -> Vec<Source> {
    let sources = Sources::parse(&every_preset()).unwrap();
    sources.by_name.into_values().collect()
}

/// Each scheme that a preset names, once.
fn proofs(criterion: &mut Criterion) {
    let mut measured: Vec<Proof> = Vec::new();
    let mut group = criterion.benchmark_group("proof");
    let key = STANDARD.encode([7; 32]);
    for source in sources() {
        let Proof::Signature(_) = &source.proof else {
            continue;
        };
        if measured.contains(&source.proof) {
            continue;
        }
        let preset = source.preset.unwrap();
        let keys: Table = presets::text(preset).unwrap().parse().unwrap();
        let headers = headers(keys.get("signature").unwrap().as_table().unwrap());
        let secret = format!("{{\"signingSecret\": \"{key}\"}}");
        let secrets = [SourceSecret::from_text(&secret, preset).unwrap()];
        for size in [KIB, 64 * KIB, KIB * KIB] {
            let body = vec![b'x'; size];
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(format!("{preset}/{size}"), |bencher| {
                bencher.iter(|| {
                    let now = Timestamp::from_seconds(1_768_204_800);
                    let proof = source.proof.verify(&headers, &body, &secrets, now);
                    let fault = proof.unwrap_err();
                    let is_computed =
                        matches!(fault, ProofFault::Signature(SignatureFault::NoMatch(_)));
                    assert!(is_computed, "{preset}: {fault}");
                });
            });
        }
        measured.push(source.proof);
    }
}

/// A signature of the right form that is none. All is computed for it that is for a right one, and compared in constant time.
fn headers(signature: &Table) -> BTreeMap<String, String> {
    let text = |key: &str| signature.get(key).and_then(|value| value.as_str());
    let bytes = match text("hash") {
        Some("sha512") => 64,
        Some(_) | None => 32,
    };
    let code = match text("encoding") {
        Some("hex") => hex::encode(vec![0; bytes]),
        Some(_) | None => STANDARD.encode(vec![0; bytes]),
    };
    let time = match text("timestamp_unit") {
        Some("ms") => "1768204800000",
        Some(_) | None => "1768204800",
    };
    let header = text("header").unwrap();
    let mut headers = vec![(
        header,
        format!("{}{code}", text("prefix").unwrap_or_default()),
    )];
    headers.extend(text("timestamp_header").map(|name| (name, time.to_owned())));
    headers.extend(text("id_header").map(|name| (name, "msg_1".to_owned())));
    let headers = headers.into_iter();
    headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}

/// Every sample that lies in `tests/fixtures/payloads`, whose names begin with their preset's.
fn mappings(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let mut samples: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    samples.sort();
    let mut group = criterion.benchmark_group("mapping");
    for source in sources() {
        let preset = source.preset.unwrap();
        for path in &samples {
            let sample = path.file_stem().unwrap().to_str().unwrap();
            if sample.split('-').next() != Some(preset) {
                continue;
            }
            let body = fs::read(path).unwrap();
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(sample, |bencher| {
                let given = Given::default();
                bencher.iter(|| source.mapping.map(&body, &given).unwrap());
            });
        }
    }
}

fn file(criterion: &mut Criterion) {
    let text = every_preset();
    criterion.bench_function("sources.toml of every preset", |bencher| {
        bencher.iter(|| Sources::parse(&text).unwrap());
    });
}
