#!/bin/sh
# What needs the network of the world or a long build, and is therefore no part of `make check`: cargo-deny with known
# security advisories, and cargo-machete. Both are built once into .cache/tools.
set -eu
cd "$(dirname "$0")/.."
tools=$(pwd)/.cache/tools
status=0
fetch() {
    command -v "$1" >/dev/null 2>&1 || [ -x "$tools/bin/$1" ] || {
        echo "Building $1 (about 5 minutes on two cores, once)."
        cargo install --quiet --locked --root "$tools" "$1" || { echo "$1 could not be built."; return 1; }
    }
}
PATH=$tools/bin:$PATH
fetch cargo-deny && { cargo deny check bans licenses sources || status=1; }
if fetch cargo-deny; then
    cargo deny check advisories || {
        echo "Advisories: found some, or the advisory database cannot be reached from here; see above."
        status=1
    }
fi
fetch cargo-machete && { cargo machete --skip-target-dir || status=1; }
exit "$status"
