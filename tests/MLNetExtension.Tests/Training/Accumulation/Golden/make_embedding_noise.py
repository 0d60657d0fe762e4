"""Writes embedding-noise.json: NEFTune's noise (arXiv 2310.05914, algorithm 1) for rows of unequal length, in float64, from SplitMix64 as its paper defines it.

Nothing of the library is used: numbers are Python's, of any size, cut to 64 bits.
Ran on Python 3.11: python3 make_embedding_noise.py
"""
import json
import math
import pathlib

MASK = 2**64 - 1


def mix(z):
    """Steele, Lea and Flood 2014, with the constants of the variant 13 of D. Stafford."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def stream(seed):
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        yield mix(seed)


def key(seed, position, ids):
    """The row's: of the step's seed, the row's place in the data, and its ids."""
    result = mix((mix(seed & MASK) + position) & MASK)
    for token in ids:
        result = mix((result + token) & MASK)
    return result


def uniform(bits):
    """The highest 31 bits as a number with a sign, over 2^30: from -1 to below 1."""
    high = bits >> 33
    return (high - 2**31 if high >= 2**30 else high) / 2**30


def noise(seed, position, ids, alpha, width):
    size = alpha / math.sqrt(len(ids) * width)
    seeds = stream(key(seed, position, ids))
    rows = []
    for _ in ids:
        channels = stream(next(seeds))
        rows.append([size * uniform(next(channels)) for _ in range(width)])
    return rows


SEED, ALPHA, WIDTH = 8423901231874501, 5.0, 6
ROWS = [(0, [3, 1, 4]), (7, [22]), (123456789012, [0, 0, 5, 22, 9, 1, 1]), (123456789012, [4, 4])]
pathlib.Path(__file__).with_name("embedding-noise.json").write_text(
    json.dumps(
        {
            "seed": SEED,
            "alpha": ALPHA,
            "width": WIDTH,
            "rows": [{"position": p, "ids": ids, "noise": noise(SEED, p, ids, ALPHA, WIDTH)} for p, ids in ROWS],
        },
        indent=1,
    )
)
