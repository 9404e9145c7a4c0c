#!/usr/bin/env bash
# Builds what is released, of the commit that is checked out: ci/release.sh OUT [x86_64|arm64]. docs/release.md is the checklist.
#
# In OUT are then the binary, the package for Lambda, what is in them (CycloneDX), its licences, and the SHA-256 of each. Of the same commit,
# by the same compiler and the tools of ci/requirements.txt, they are the same to the byte, wherever and whenever they are
# built: ci/reproducible.sh shows it. The tools that it needs in PATH are put there by the checklist's fourth step.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mkdir -p "${1:?where to put it}" && cd "$1" && pwd)
readonly out architecture=${2:-x86_64}
case "$architecture" in
    x86_64) target=x86_64-unknown-linux-gnu flags=() ;;
    arm64) target=aarch64-unknown-linux-gnu flags=(--arm64) ;;
    *) printf 'x86_64 or arm64, not %s\n' "$architecture" >&2; exit 2 ;;
esac
if [ -n "$(git status --porcelain)" ]; then
    printf 'the work tree has changes that no commit has\n' >&2
    exit 1
fi
mkdir -p target

# Where a crate's sources lie is in every message of a panic. The compiler is told by a wrapper, since Cargo mixes RUSTFLAGS into
# the names of files, and by those names the linker sorts two versions of a crate.
wrapper="$PWD/target/rustc-remapped"
sysroot=$(rustc --print sysroot)
commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
cat >"$wrapper" <<END
#!/bin/sh
exec "\$@" --remap-path-prefix='$PWD=/source' --remap-path-prefix='${CARGO_HOME:-$HOME/.cargo}=/cargo' \\
    --remap-path-prefix='$sysroot/lib/rustlib/src/rust=/rustc/$commit'
END
chmod +x "$wrapper"

# Nothing of this machine, and no time but that of the commit.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR
for name in $(compgen -v | grep -E '^CARGO_PROFILE_' || true); do unset "$name"; done
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH RUSTC_WRAPPER="$wrapper" CARGO_INCREMENTAL=0 TZ=UTC LC_ALL=C

# As template.yaml's build method does it.
cargo lambda build --release --locked --bin calven-bridge "${flags[@]}"
cp target/lambda/calven-bridge/bootstrap "$out/bootstrap"
if strings -a "$out/bootstrap" | grep -F -e "$PWD" -e "${CARGO_HOME:-$HOME/.cargo}" -e "$sysroot"; then
    printf 'the binary has paths of this machine, see above\n' >&2
    exit 1
fi

python3 ci/package.py "$out/bootstrap" "$out/calven-bridge-$architecture.zip"
python3 ci/sbom.py "$target" "$out/calven-bridge-$architecture.cdx.json"
python3 ci/notices.py "$out/calven-bridge-$architecture.cdx.json" "$out/calven-bridge-$architecture.licences.txt"
(cd "$out" && sha256sum bootstrap "calven-bridge-$architecture".* | tee SHA256SUMS)
