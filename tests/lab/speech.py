"""How well speech is understood at the far end of a call, by STOI (Taal and others, 2011; the package pystoi).

    speech.py SAID.raw HEARD.raw

Both are 48 kHz 16-bit mono without a head and begin anywhere before one mark, a short tone that is in both at the same
moment. Prints one JSON object: `stoi` (mean over stretches of 3 s with speech), `least` (the worst of them), `lag_ms`
(`p50`, `p95` of how much later each second was heard), `level_db` (heard against said), `stretches`.
"""

import json
import sys

import numpy as np
from pystoi import stoi
from scipy.signal import fftconvolve

RATE = 48_000
LONGEST_LAG = RATE  # one second


def after_mark(path):
    samples = np.fromfile(path, "<i2").astype(float) / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.05)
    if len(loud) == 0:
        sys.exit(f"{path} holds no mark")
    return samples[loud[0] + RATE // 2 :]


def lag(said, heard):
    """Where `said` begins in `heard`, in samples."""
    return int(np.argmax(fftconvolve(heard, said[::-1], mode="valid")))


def stretches(said, heard, length, step):
    loud = np.mean(said**2)
    for start in range(0, min(len(said) - length, len(heard) - length - LONGEST_LAG), step):
        part = said[start : start + length]
        if np.mean(part**2) < 0.3 * loud:
            continue
        there = heard[start : start + length + LONGEST_LAG]
        late = lag(part, there)
        yield part, there[late : late + length], late


def main():
    said, heard = after_mark(sys.argv[1]), after_mark(sys.argv[2])
    spoken = np.flatnonzero(np.abs(said) > 0.01)
    if len(spoken) == 0:
        sys.exit("nothing was said")
    said, heard = said[spoken[0] : spoken[-1]], heard[spoken[0] :]
    lags = [late * 1000 / RATE for _, _, late in stretches(said, heard, RATE, RATE // 2)]
    pairs = [(part, there) for part, there, _ in stretches(said, heard, 3 * RATE, RATE)]
    if not pairs or not lags:
        sys.exit("too little was heard")
    scores = [stoi(part, there, RATE) for part, there in pairs]
    power = [sum(np.mean(pair[side] ** 2) for pair in pairs) for side in (0, 1)]
    print(json.dumps({
        "stoi": float(np.mean(scores)),
        "least": float(np.min(scores)),
        "lag_ms": {"p50": float(np.percentile(lags, 50)), "p95": float(np.percentile(lags, 95))},
        "level_db": float(10 * np.log10(power[1] / power[0])),
        "stretches": len(pairs),
    }))


main()
