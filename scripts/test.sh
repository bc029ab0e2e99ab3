#!/bin/bash
# Runs what `make test` built, and ends with the counts on a line of their own.
#
#   scripts/test.sh [CARGO FLAGS]
#
# Two runs: everything that may share the machine, then the lab one test at a time, since it measures latencies.
set -u -o pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
run() { cargo test --locked "$@" 2>&1 | tee -a "$log" || status=1; }

# The lab makes network namespaces: as root, by sudo without a password, or in a user namespace of its own.
lab_can_run() {
    command -v ip >/dev/null && command -v nft >/dev/null &&
        { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || unshare -Urnm true 2>/dev/null; }
}

run "${@:1}" --no-fail-fast --lib --bins --test tidy --test corpus --test sim --test net
if lab_can_run; then
    rm -f target/tmp/lab-figures.txt
    run "${@:1}" --no-fail-fast --test lab -- --test-threads=1
    [ ! -s target/tmp/lab-figures.txt ] || { echo "Measured in the lab:"; sed 's/^/  /' target/tmp/lab-figures.txt; }
else
    echo "Left out: the lab (tests/lab). It needs ip and nft, and root, sudo without a password, or user namespaces."
fi

awk '/^test result:/ { for (i = 1; i < NF; i++) { if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i
     if ($(i+1) ~ /^ignored/) s += $i } } END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$log"
exit "$status"
