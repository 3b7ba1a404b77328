"""Recordings in which nobody speaks must stay without words.

Makes sounds of a telephone line (sounds.py), 30 s of each variant, as they are and after
8 kHz µ-law coding, and ten minutes of three of them; asks the speech worker to transcribe
each, and counts the words. The sounds are the same in every run. Exit status 1 if there is
any word.
"""

import argparse
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

import audio
import machine
import program
import sounds
import table


def _make(kind, name, make, seconds):
    """The samples of a sound; each name has a random source of its own."""
    seed = zlib.crc32(f"{kind}/{name}/{seconds}".encode())
    return make(seconds, np.random.default_rng(seed))


def _sounds(quick):
    """(kind, variant, coding, samples) of all that is asked."""
    for kind, variants in sounds.KINDS.items():
        for name, make in list(variants.items())[: 1 if quick else None]:
            samples = _make(kind, name, make, 30)
            if not quick:
                yield kind, name, "16 kHz", samples
            yield kind, name, "8 kHz µ-law", audio.through_telephone(samples)
    for kind, make in {} if quick else sounds.LONG.items():
        yield kind, "10 minutes", "16 kHz", _make(kind, "long", make, 600)


def _length_s(spans):
    return sum(span["end_ms"] - span["start_ms"] for span in spans) / 1000


def _measure(worker, place, quick):
    """A row for each sound: what it is, its length, speech found, words, processor time."""
    path = Path(place) / "sound"
    for kind, name, coding, samples in _sounds(quick):
        recognition, cost = worker.transcribe([audio.write_samples(path, samples)])
        channel = recognition["channels"][0]
        words = program.words(channel)
        text = program.channel_text(channel)
        seconds = len(samples) / audio.RATE
        yield [kind, name, coding, seconds, _length_s(channel["speech"]), cost.cpu_s, len(words), text]


def _by_kind(rows):
    """One line a kind: files, seconds, words, and the words themselves."""
    for kind in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == kind]
        said = "; ".join(f"{row[1]}, {row[2]}: «{row[7]}»" for row in mine if row[6])
        totals = [sum(row[column] for row in mine) for column in (3, 4, 5, 6)]
        yield [kind, len(mine), *totals, said]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30 s of each kind, µ-law only")
    arguments = parser.parse_args()
    print("## Words in recordings without speech\n")
    print(machine.describe(numpy=np.__version__) + "\n")
    with tempfile.TemporaryDirectory() as place, program.Worker() as worker:
        rows = list(_measure(worker, place, arguments.quick))
    heads = ["kind", "files", "seconds", "taken for speech, s", "CPU s", "words", "which"]
    print(table.markdown(heads, _by_kind(rows)))
    words = sum(row[6] for row in rows)
    print(f"\n{len(rows)} files, {sum(row[3] for row in rows):.0f} s, {words} words (expected: 0)")
    sys.exit(1 if words else 0)


if __name__ == "__main__":
    main()
