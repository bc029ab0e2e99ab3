#!/bin/bash
# Runs what `make test` built, and ends with the counts on a line of their own.
#
#   scripts/test.sh [CARGO FLAGS]
#
# Runs: everything that may share the machine, voices, then the windows, then the lab one test at a time, since it measures
# latencies.
set -u -o pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
left_out=0
run() { cargo test --locked "$@" 2>&1 | tee -a "$log" || status=1; }

# The lab makes network namespaces: as root, by sudo without a password, or in a user namespace of its own. The same
# probes as in tests/lab/host.rs.
lab_can_run() {
    command -v ip >/dev/null && command -v nft >/dev/null &&
        { [ "$(id -u)" = 0 ] || sudo -n true </dev/null >/dev/null 2>&1 ||
            unshare -Urnm sh -c 'mount -t tmpfs tmpfs /run' </dev/null >/dev/null 2>&1; }
}

run "${@:1}" --no-fail-fast --lib --bins --test tidy --test corpus --test sim --test net
# What is done to voices, with real words; a build without sound has none.
case " $* " in
*" --no-default-features "*) ;;
*) run "${@:1}" --no-fail-fast --test voice --test realtime ;;
esac
# Windows on displays of their own, one test after another; a build without pictures has none.
case " $* " in
*" --no-default-features "*) ;;
*) run "${@:1}" --no-fail-fast --test window ;;
esac
if lab_can_run; then
    rm -f target/tmp/lab-figures.txt
    run "${@:1}" --no-fail-fast --test lab -- --test-threads=1
    [ ! -s target/tmp/lab-figures.txt ] || { echo "Measured in the lab:"; sed 's/^/  /' target/tmp/lab-figures.txt; }
else
    # What was left out is counted as skipped, and CI must leave out nothing.
    left_out=$(cargo test --locked "$@" --test lab -- --list 2>/dev/null | grep -c ': test$')
    echo "Left out: the lab (tests/lab). It needs ip and nft, and root, sudo without a password, or user namespaces."
    [ "${CI:-}" != true ] || { echo "CI runs every test: this is a failure."; status=1; }
fi

awk -v s="$left_out" '/^test result:/ { for (i = 1; i < NF; i++) {
     if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i; if ($(i+1) ~ /^ignored/) s += $i } }
     END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$log"
exit "$status"
