#!/usr/bin/env bash
# Fuzzes: `ci/fuzz.sh RUNS [TARGET…]` runs each target, or those that are named, so many times, from the seeds and what was found
# before. FUZZ_PROFILE=fuzz builds all of it anew and optimised, for long runs; FUZZ_OUT is where corpora and findings go.
#
# It is plain cargo: libfuzzer-sys brings libFuzzer, instrument.sh the counters, and both are stable Rust's. There is no
# sanitizer, since there is no `unsafe` for one to look into.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly runs=${1:?how many runs}
shift
readonly out=${FUZZ_OUT:-target/fuzzing} profile=${FUZZ_PROFILE:-dev}
declare -a targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

cargo build --locked --package fuzz --bin seeds
declare -a bins=()
for target in "${targets[@]}"; do bins+=(--bin "$target"); done
# Overflow checks and debug assertions are on in both profiles.
declare -a optimised=()
if [ "$profile" = dev ]; then
    for package in calven-bridge stand-ins fuzz; do optimised+=(--config "profile.dev.package.$package.opt-level=1"); done
fi
RUSTC_WORKSPACE_WRAPPER="$PWD/fuzz/instrument.sh" cargo build --locked --package fuzz --features libfuzzer --profile "$profile" \
    --target-dir "${FUZZ_TARGET_DIR:-target}" "${optimised[@]}" "${bins[@]}"

readonly built="${FUZZ_TARGET_DIR:-target}/${profile/#dev/debug}"
for target in "${targets[@]}"; do
    mkdir -p "$out/corpus/$target" "$out/seeds/$target" "$out/findings/$target"
    target/debug/seeds "$target" "$out/seeds/$target"
    declare -a known=("$out/seeds/$target")
    if [ -d "fuzz/kept/$target" ]; then known+=("fuzz/kept/$target"); fi
    declare -a dictionary=()
    if [ -f "fuzz/dictionaries/$target.dict" ]; then dictionary=("-dict=fuzz/dictionaries/$target.dict"); fi
    # A history of sixteen deliveries is long enough, and each is projected a dozen times.
    longest=4096
    if [ "$target" = ledger ]; then longest=512; fi
    log="$out/$target.log"
    if ! "$built/$target" -runs="$runs" -entropic=0 -seed="${FUZZ_SEED:-1}" -max_len=$longest -timeout=1200 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$out/findings/$target/" "${dictionary[@]}" "$out/corpus/$target" "${known[@]}" >"$log" 2>&1; then
        tail -60 "$log"
        printf '%s: FOUND something, see above; the input is in %s\n' "$target" "$out/findings/$target"
        exit 1
    fi
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    if [ "${executed:-0}" -lt "$runs" ]; then
        printf '%s: %s runs instead of %s\n' "$target" "${executed:-no}" "$runs"
        exit 1
    fi
    printf '%s: %s runs, %s a second, nothing found\n' "$target" "$executed" "$speed"
done
