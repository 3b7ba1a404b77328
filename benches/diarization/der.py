"""Diarization error rate.

Of the time in which somebody speaks by the reference (twice where two do), the share that
is missed, invented, or given to the wrong speaker, under the best match of names. With a
collar, the time so near to a boundary of the reference is left out. Steps of 10 ms.
"""

import itertools
from dataclasses import dataclass

import numpy as np

STEP_S = 0.01


@dataclass
class Errors:
    """Percent of the reference's speech."""

    missed: float
    invented: float
    confused: float

    @property
    def der(self):
        """All together."""
        return self.missed + self.invented + self.confused


def read_rttm(path):
    """(start, end, speaker) of each line; seconds."""
    with open(path) as file:
        fields = [line.split() for line in file if line.startswith("SPEAKER")]
    return [(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in fields]


def step(seconds):
    """Number of the step at a time."""
    return max(0, round(seconds / STEP_S))


def activity(spans, speakers, steps):
    """A row of booleans a speaker."""
    active = np.zeros((len(speakers), steps), bool)
    for start, end, speaker in spans:
        active[speakers.index(speaker), step(start) : step(end)] = True
    return active


def _outside_collar(reference, collar_s, steps):
    counts = np.ones(steps, bool)
    for boundary in (time for start, end, _ in reference for time in (start, end)):
        counts[step(boundary - collar_s) : step(boundary + collar_s)] = False
    return counts


def _matched(reference, found):
    """Most steps in which a speaker is the one found, under any match of names."""
    common = reference.astype(int) @ found.T.astype(int)
    size = max(common.shape)
    padded = np.zeros((size, size), int)
    padded[: common.shape[0], : common.shape[1]] = common
    return max(
        sum(padded[row, column] for row, column in enumerate(order))
        for order in itertools.permutations(range(size))
    )


def errors(reference, found, collar_s=0.0):
    """Errors of (start, end, speaker) spans against those of the reference."""
    steps = step(max(end for _, end, _ in reference + found)) + 1
    rows = []
    for spans in (reference, found):
        speakers = sorted({speaker for _, _, speaker in spans})
        rows.append(activity(spans, speakers, steps))
    if collar_s:
        rows = [row[:, _outside_collar(reference, collar_s, steps)] for row in rows]
    expected, heard = (row.sum(0) for row in rows)
    missed = np.maximum(expected - heard, 0).sum()
    invented = np.maximum(heard - expected, 0).sum()
    confused = np.minimum(expected, heard).sum() - _matched(*rows)
    return Errors(*(100 * part / expected.sum() for part in (missed, invented, confused)))
