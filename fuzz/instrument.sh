#!/bin/sh
# rustc for this workspace's packages, with libFuzzer's counters; build scripts are no part of what is fuzzed. Cargo calls it by
# RUSTC_WORKSPACE_WRAPPER, so all other packages stay as they are built anyway.
case " $* " in
*" --crate-name build_script_build "* | *" --crate-name ___ "* | *" -vV "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
