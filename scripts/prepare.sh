#!/bin/sh
# Sees to what a fresh machine lacks, says what it does, and goes on.
#
#   scripts/prepare.sh build|test
#
# People read stderr. Stdout is for the Makefile: the cargo flags of the largest feature set that can be built here
# (nothing for all of it, or --no-default-features). Exit 1, with one sentence, when nothing can be built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
want=${1:?build or test}
say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# --- Rust -----------------------------------------------------------------------------------------------------------
need=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$here/../Cargo.toml")
if ! have cargo || ! have rustc; then
    say "Rust is missing: get $need or newer as the first lines of README.md say."
    exit 1
fi
is=$(rustc --version | cut -d' ' -f2 | sed 's/-.*//')
if [ "$(printf '%s\n%s\n' "$need" "$is" | sort -V | head -n 1)" != "$need" ]; then
    say "Lets Meet needs Rust $need or newer and this is $is: run 'rustup update stable'."
    exit 1
fi

# --- System packages ------------------------------------------------------------------------------------------------
# there SIGN: what the third column of the list says is there.
there() {
    case $1 in
    pkg:*) have pkg-config && pkg-config --exists "${1#pkg:}" ;;
    /*)
        # shellcheck disable=SC2046 # the wildcards are meant to be replaced by the paths that fit
        for path in $(printf '%s' "$1" | tr ',' ' '); do
            [ -e "$path" ] && return 0
        done
        return 1
        ;;
    *) have "$1" ;;
    esac
}
# missing WHAT: the packages of that part of the list that are not there.
missing() {
    grep -E "^$1 " "$here/packages.txt" | while read -r _ package sign _; do
        there "$sign" || printf '%s ' "$package"
    done
}
lacking="$(missing build)$(missing devices)"
[ "$want" = test ] && lacking="$lacking$(missing test)"
lacking=${lacking% }

as_root=none
if [ "$(id -u)" = 0 ]; then
    as_root=
elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=sudo
fi

if [ -n "$lacking" ]; then
    if ! have apt-get; then
        say "These are missing here, please install them by your system's own means: $lacking"
    elif [ "$as_root" = none ]; then
        say "These packages are missing and this account may not install them: $lacking"
        say "Ask somebody who may to run: sudo apt-get update && sudo apt-get install -y --no-install-recommends $lacking"
    else
        say "Installing with apt${as_root:+ (by sudo)}: $lacking"
        say "This takes about one minute, once."
        log=$(mktemp)
        export DEBIAN_FRONTEND=noninteractive
        # shellcheck disable=SC2086 # both are lists of words
        if { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends $lacking; } >"$log" 2>&1 </dev/null; then
            say "Installed."
        else
            tail -n 3 "$log" >&2
            say "The installation failed; by hand: sudo apt-get update && sudo apt-get install -y --no-install-recommends $lacking"
        fi
        rm -f "$log"
    fi
fi

# --- What can be built ----------------------------------------------------------------------------------------------
if ! have cc; then
    say "There is no C compiler (cc), without which no Rust program can be linked: install the packages above."
    exit 1
fi
left=$(missing build)
if [ -n "$left" ]; then
    say "Building without pictures and sound (features media, devices, gui), since these are missing: ${left% }"
    echo "--no-default-features"
    exit 0
fi
left=$(missing devices)
if [ -n "$left" ]; then
    say "Building without real cameras, microphones and speakers (feature devices), since these are missing: ${left% }"
    echo "--no-default-features --features gui"
fi
