#!/usr/bin/env bash
# Builds the commit that is checked out twice, as ci/release.sh does, in two clones at two paths, the second with Cargo's home at
# another path too, and compares every byte. ci/reproducible.sh OUT; takes two release builds. A step of the release's checklist.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mkdir -p "${1:?where to put it}" && cd "$1" && pwd)
readonly out
folders=$(mktemp -d)
trap 'rm -rf "$folders"' EXIT
commit=$(git rev-parse HEAD)

build() {
    local clone=$1 result=$2
    git clone --quiet --no-hardlinks . "$clone"
    git -C "$clone" checkout --quiet --detach "$commit"
    rm -rf "$result"
    "$clone/ci/release.sh" "$result"
    # One at a time, as each is a gigabyte.
    rm -rf "$clone"
}

build "$folders/one" "$out/one"
ln -s "${CARGO_HOME:-$HOME/.cargo}" "$folders/home-of-cargo"
export CARGO_HOME="$folders/home-of-cargo"
build "$folders/another/one-elsewhere" "$out/another"

if diff --recursive --brief "$out/one" "$out/another"; then
    printf 'the same to the byte, of %s by %s:\n' "$commit" "$(rustc --version)"
    cat "$out/one/SHA256SUMS"
else
    printf 'two builds of %s differ, see above\n' "$commit"
    exit 1
fi
