"""Who speaks when: errors and cost of telling the speakers apart.

One channel: a speech worker transcribes each recording, then diarizes it with the speech
which that found, as the server does; the time and the processor time are those of the
diarization alone, the memory is VmHWM of a fresh worker that did both. The voices are
compared with the reference (der.py) at collars of 0 and 0.25 s. Recordings: the acted
call, a call-centre call mixed to mono, twelve calls simulated from read speech. Of two
voices that could not be told apart nothing is found: all speech counts as missed.

Two channels: `analyze` as a whole. Of the time in which only one party speaks by the
reference, the share in which the product says that this party speaks, that the other one
does, and that nobody does.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

import audio
import der
import machine
import program
import table

CALLS = audio.AUDIO / "diarization"


def _mono():
    """(file, reference) of each recording with one channel."""
    yield audio.AUDIO / "call_mono_8k.flac", audio.AUDIO / "call.rttm"
    yield CALLS / "auto_repairs_40_mono.flac", CALLS / "auto_repairs_40.rttm"
    for file in sorted(CALLS.glob("sim_*.flac")):
        yield file, file.with_suffix(".rttm")


def _stereo():
    """(file, reference, name of the operator in it) of each recording with two channels."""
    yield audio.AUDIO / "call_stereo_8k.flac", audio.AUDIO / "call.rttm", "operator"
    yield CALLS / "auto_repairs_40_stereo.flac", CALLS / "auto_repairs_40.rttm", "AGENT"


def _diarize(path):
    """Voices of a file of samples, and what telling them apart cost."""
    with program.Worker() as worker:
        recognition, _ = worker.transcribe([path])
        voices, cost = worker.diarize(path, recognition["channels"][0]["speech"])
    spans = [(v["span"]["start_ms"] / 1000, v["span"]["end_ms"] / 1000, str(v["voice"])) for v in voices]
    return spans, cost


def _mono_row(place, file, reference):
    samples = audio.read(file)[0]
    seconds = len(samples) / audio.RATE
    with machine.Disturbance() as other:
        found, cost = _diarize(audio.write_samples(Path(place) / "mono.s16", samples))
    print(f"{file.name}: {other.told()}", file=sys.stderr)
    exact, tolerant = (der.errors(der.read_rttm(reference), found, collar) for collar in (0, 0.25))
    return [
        file.stem,
        seconds,
        len({speaker for _, _, speaker in found}),
        exact.der,
        exact.confused,
        tolerant.der,
        tolerant.confused,
        seconds / cost.wall_s,
        cost.cpu_s,
        f"{cost.peak_mib:.0f}",
    ]


def _mean_row(rows):
    """The mean over the simulated calls."""
    columns = list(zip(*(row[1:9] for row in rows)))
    return [f"mean of {len(rows)} simulated", *map(statistics.mean, columns), ""]


def _mono_table(place):
    rows = [_mono_row(place, *item) for item in _mono()]
    rows.append(_mean_row([row for row in rows if row[0].startswith("sim_")]))
    heads = ["one channel", "s", "voices", "DER % (0)", "confused % (0)", "DER % (0.25)", "confused % (0.25)"]
    return table.markdown([*heads, "× real time", "CPU s", "peak MiB"], rows)


def _speaks(spans, speaker, steps):
    return der.activity([span for span in spans if span[2] == speaker], [speaker], steps)[0]


def _stereo_row(file, reference, operator):
    """Shares of the time in which one party alone speaks."""
    analysis, cost = program.analyze(file)
    transcript = analysis["transcript"]
    found = [
        (span["start_ms"] / 1000, span["end_ms"] / 1000, party["speaker"])
        for party in transcript["speech"]
        for span in party["spans"]
    ]
    spoken = [
        (start, end, "operator" if name == operator else "client")
        for start, end, name in der.read_rttm(reference)
    ]
    steps = der.step(max(end for _, end, _ in spoken + found)) + 1
    alone = right = wrong = nobody = 0
    for one, another in (("operator", "client"), ("client", "operator")):
        only = _speaks(spoken, one, steps) & ~_speaks(spoken, another, steps)
        said, other = _speaks(found, one, steps), _speaks(found, another, steps)
        alone += only.sum()
        right += (only & said).sum()
        wrong += (only & other & ~said).sum()
        nobody += (only & ~said & ~other).sum()
    shares = [100 * float(part) / float(alone) for part in (right, wrong, nobody)]
    return [file.stem, transcript["separation"], *shares, cost.wall_s, cost.cpu_s, f"{cost.peak_mib:.0f}"]


def _stereo_table():
    heads = ["two channels", "separation", "right party %", "wrong party %", "nobody %"]
    return table.markdown([*heads, "wall s", "CPU s", "peak MiB"], (_stereo_row(*item) for item in _stereo()))


def main():
    print("## Who speaks when\n")
    print(machine.describe(numpy=np.__version__) + "\n")
    with tempfile.TemporaryDirectory() as place:
        print(_mono_table(place) + "\n", flush=True)
    print(_stereo_table())
    print("\nTimes of one channel: the diarization alone; of two channels: the whole of `analyze`.")


if __name__ == "__main__":
    main()
