#!/bin/sh
# Spelling, by `typos` (a program that PyPI carries). Fetched once into .cache/ when it is not on the machine.
set -eu
cd "$(dirname "$0")/.."
tool=$(command -v typos || true)
if [ -z "$tool" ]; then
    tool=.cache/typos/bin/typos
    if [ ! -x "$tool" ]; then
        echo "Fetching the spelling checker (typos, about 10 seconds)."
        python3 -m pip install -q --disable-pip-version-check --target .cache/typos 'typos==1.*' 2>/dev/null || {
            echo "Left out: spelling, since typos could not be fetched (python3 -m pip install typos)."
            exit 0
        }
    fi
fi
"$tool" --config typos.toml
