#!/usr/bin/env bash
# What is in the build, by deny.toml and Cargo.lock: ci/supply_chain.sh lock|machete|deny|advisories. Each is a step of .ci/run, and
# first shows that it finds what is planted in a copy. Needs cargo-deny and cargo-machete in PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
readonly folder
trap 'rm -rf "$folder"' EXIT

# finds WHAT WORDS COMMAND…: the command must fail, and say these words.
finds() {
    local what=$1 words=$2
    shift 2
    if "$@" >"$folder/found.txt" 2>&1; then
        printf 'MISSED  %s: nothing is found\n' "$what"
        return 1
    fi
    if ! grep -q -F -e "$words" "$folder/found.txt"; then
        cat "$folder/found.txt"
        printf 'MISSED  %s: it fails by something else, see above\n' "$what"
        return 1
    fi
    printf 'found   %s\n' "$what"
}

# Cargo.lock says what Cargo.toml asks for, to the letter, and each crate with its checksum.
lock() {
    cargo metadata --locked --format-version 1 >"$folder/metadata.json"
    git clone --quiet --no-hardlinks . "$folder/copy"
    sed -i '0,/^version = "/s//version = "9/' "$folder/copy/Cargo.lock"
    finds 'a planted change of Cargo.lock' 'lock file' cargo metadata --locked --offline --format-version 1 --manifest-path "$folder/copy/Cargo.toml"
    python3 - <<'END'
import tomllib
packages = tomllib.load(open("Cargo.lock", "rb"))["package"]
strays = [package["name"] for package in packages if "source" in package and ("checksum" not in package or not package["source"].startswith("registry+https://github.com/rust-lang/crates.io-index"))]
assert not strays, f"not of crates.io, or without a checksum: {strays}"
print(f"Cargo.lock: {len(packages)} packages, {sum('source' in package for package in packages)} of crates.io, each with its checksum")
END
}

machete() {
    mkdir -p "$folder/planted/src"
    printf '[package]\nname = "planted"\nversion = "0.0.0"\n\n[dependencies]\nserde = "1"\n' >"$folder/planted/Cargo.toml"
    printf 'fn main() {}\n' >"$folder/planted/src/main.rs"
    finds 'a planted dependency that nothing uses' 'serde' cargo machete "$folder/planted"
    # By their metadata, as the library of a crate may have another name than the crate.
    cargo machete --skip-target-dir --with-metadata
}

deny() {
    local planted
    for planted in \
        's/^    "MIT",$//|a licence that is not allowed|rejected' \
        's/crate = "openssl"/crate = "ring"/|a crate that is banned|explicitly banned' \
        '/crate = "base64@/d|two versions of a crate|duplicate entries' \
        '/^    "rustix",$/d|a build script that nobody knows|build script' \
        's/^allow-registry = .*/allow-registry = []/|another registry|source'; do
        sed "${planted%%|*}" deny.toml >"$folder/deny.toml"
        planted=${planted#*|}
        finds "${planted%|*}" "${planted#*|}" cargo deny --workspace --locked --config "$folder/deny.toml" check bans licenses sources
    done
    cargo deny --workspace --locked check bans licenses sources
}

# By the database of known faults, of which there may be none here: then it is said, loudly, and nothing else.
advisories() {
    local planted="$folder/planted" name=serde_json
    mkdir -p "$planted/crates/$name"
    cat >"$planted/crates/$name/RUSTSEC-2020-0001.md" <<END
\`\`\`toml
[advisory]
id = "RUSTSEC-2020-0001"
package = "$name"
date = "2020-01-01"

[versions]
patched = []
\`\`\`

# Planted

A fault of $name.
END
    git -C "$planted" init --quiet --initial-branch main
    git -C "$planted" add --all
    git -C "$planted" -c user.name=planted -c user.email=planted@localhost commit --quiet --message planted
    # cargo-deny takes no address without a host, so git is told where that one is.
    sed "s|^\[advisories\]\$|[advisories]\ndb-urls = [\"https://planted.invalid/db\"]\ndb-path = \"$folder/databases\"|" deny.toml >"$folder/deny.toml"
    finds 'a planted advisory' 'RUSTSEC-2020-0001' env GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$planted.insteadOf" \
        GIT_CONFIG_VALUE_0=https://planted.invalid/db cargo deny --workspace --locked --config "$folder/deny.toml" check advisories

    if ! cargo deny fetch db >"$folder/fetched.txt" 2>&1; then
        cat "$folder/fetched.txt"
        printf '\nadvisories: NOT CHECKED, the database (RustSec/advisory-db) cannot be fetched, see above.\n'
        printf 'Whether a crate has a known fault is not known. The checklist of a release asks for this check where it can be had.\n'
        return 0
    fi
    cargo deny --workspace --locked check --disable-fetch advisories
    printf 'advisories: checked\n'
}

case "${1:-}" in
    lock | machete | deny | advisories) "$1" ;;
    *) printf 'lock, machete, deny or advisories?\n' >&2; exit 2 ;;
esac
