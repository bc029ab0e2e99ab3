#!/bin/bash
# Runs libFuzzer over every decoder (src/fuzz.rs), SECONDS each, from the committed corpora.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]
#
# It needs no nightly compiler: coverage comes from LLVM's own pass, which stable rustc can be told to run. What only
# nightly has (AddressSanitizer) matters for unsafe code; ours stands in the codec wrappers and is not fuzzed here.
# New inputs are kept under fuzz/target/; a crash is written to fuzz/artifacts/ and makes this fail. Add what it found to
# fuzz/corpus/TARGET/, where tests/corpus.rs replays it for ever.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:-60}
shift || true
compgen -G "target/*/release/decoders" >/dev/null || echo "Building the fuzzer (about 5 minutes on two cores, once)."
flags=(-Cpasses=sancov-module -Ccodegen-units=1 --cfg fuzzing)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
features=$(cat ../target/.flags 2>/dev/null || true)
host=$(rustc -vV | sed -n 's/^host: //p')
# shellcheck disable=SC2086 # empty or one flag
RUSTFLAGS="${flags[*]}" cargo build --quiet --release --locked --target "$host" $features

targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(ls corpus)
# Without media there are no readers of clips and test cards.
[ -z "$features" ] || mapfile -t targets < <(printf '%s\n' "${targets[@]}" | grep -v -e '^test-card$' -e '^y4m$')
status=0
for target in "${targets[@]}"; do
    mkdir -p "target/found/$target" "artifacts/$target"
    echo "$target: $seconds seconds"
    FUZZ_TARGET=$target "target/$host/release/decoders" -max_total_time="$seconds" -max_len=16384 -rss_limit_mb=1024 \
        -print_final_stats=0 -verbosity=0 -artifact_prefix="artifacts/$target/" "target/found/$target" "corpus/$target" || {
        echo "$target fell; the input is in fuzz/artifacts/$target/."
        status=1
    }
done
exit "$status"
