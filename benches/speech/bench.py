"""Recognition: this program against faster-whisper with the weights of the same model.

Each round runs, one after another for each set of recordings, our speech worker, our
`analyze` (decoding, recognition, speakers, score: a whole process), and each setting of
faster-whisper (peer.py: int8, 2 threads). The tables show the median of the rounds.

What is compared:

- The worker and faster-whisper get the same samples and have been warmed by one short
  utterance; the time to load the model is shown apart. A call in stereo is one request
  with two channels for us, and two transcriptions, one a channel, for faster-whisper.
- `analyze` begins with a file and loads the model; next to it stands faster-whisper's
  transcription and load together, without the start of Python and without decoding, and
  it tells no speakers apart.
- Ours gives each word its times; faster-whisper is not asked for them, which is cheaper.
- Memory is VmHWM of the process; for `analyze` of the process and its child, added.
- WER of stereo is that of both channels together, each against its own party's text; it
  is what the ratios go by. Beside it stands the WER of all the text in the order of time,
  which suffers where segments are long: faster-whisper's batches reach over many turns.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import audio
import machine
import program
import table
import text

SETTINGS = ["beam 1", "beam 5", "beam 1, VAD", "beam 5, VAD", "batched, beam 1", "batched, beam 5"]
WORKER, ANALYZE = "ours: worker", "ours: analyze"
PEER = "faster-whisper "
# A setting of faster-whisper counts as accurate within so many points of its best WER.
EQUAL_POINTS = 0.5


@dataclass
class Recording:
    """What is recognized."""

    name: str
    file: Path
    channels: list
    # The text of each channel, and of all in the order of time.
    references: list
    whole: str
    seconds: float


@dataclass
class Result:
    """What was recognized, and what it cost."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    load_s: float
    load_cpu_s: float
    wer: float
    wer_by_time: float
    wer_channels: list


# --- what is recognized --------------------------------------------------------


def _recording(place, name, file, references, whole):
    samples = audio.read(file)
    paths = [audio.write_samples(place / f"{name}.{i}.s16", channel) for i, channel in enumerate(samples)]
    return Recording(name, file, paths, references, whole, len(samples[0]) / audio.RATE)


def _call(place, name, file):
    turns = audio.call_turns()
    whole = " ".join(turn["text"] for turn in turns)
    if audio.channels(file) == 1:
        return _recording(place, name, file, [whole], whole)
    references = [
        " ".join(turn["text"] for turn in turns if turn["speaker"] == speaker)
        for speaker in ("operator", "client")
    ]
    return _recording(place, name, file, references, whole)


def _mixed(place):
    left, right = audio.read(audio.AUDIO / "call_stereo_16k.flac")
    return audio.write_wav(place / "call_mono_16k.wav", (left + right) / 2)


def _golos(place):
    """The utterances joined with 0.75 s of faint noise between them."""
    random = np.random.default_rng(0)
    pieces, said = [], []
    for samples, reference in audio.golos():
        pieces += [np.zeros(int(0.75 * audio.RATE)), samples]
        said.append(reference)
    samples = np.concatenate(pieces)
    file = audio.write_wav(place / "golos.wav", samples + random.normal(0, 1e-4, len(samples)))
    return _recording(place, "golos, 16 kHz mono", file, [" ".join(said)], " ".join(said))


def _recordings(place):
    """Name → how the recording is made ready."""
    return {
        "call, 8 kHz mono": lambda name: _call(place, name, audio.AUDIO / "call_mono_8k.flac"),
        "call, 8 kHz stereo": lambda name: _call(place, name, audio.AUDIO / "call_stereo_8k.flac"),
        "call, 16 kHz mono": lambda name: _call(place, name, _mixed(place)),
        "call, 16 kHz stereo": lambda name: _call(place, name, audio.AUDIO / "call_stereo_16k.flac"),
        "golos, 16 kHz mono": lambda _: _golos(place),
    }


# --- one run -------------------------------------------------------------------


def _by_time(channels):
    """The texts of (start, text) of all channels in the order of time."""
    return " ".join(said for _, said in sorted(part for channel in channels for part in channel))


def _result(recording, channels, cost, load_s=0.0, load_cpu_s=0.0):
    """`channels`: the (start, text) of each channel."""
    heard = [" ".join(said for _, said in channel) for channel in channels]
    pairs = [(text.normalize(said), text.normalize(found)) for said, found in zip(recording.references, heard)]
    errors = [text.distance(*pair) for pair in pairs]
    lengths = [len(said) for said, _ in pairs]
    each = [100 * wrong / length for wrong, length in zip(errors, lengths)]
    together = 100 * sum(errors) / sum(lengths)
    by_time = text.wer(recording.whole, _by_time(channels))
    costs = (cost.wall_s, cost.cpu_s, cost.peak_mib, load_s, load_cpu_s)
    return Result(*costs, together, by_time, each)


def _run_worker(recording, warm_up):
    with program.Worker() as worker:
        _, first = worker.transcribe([warm_up])
        _, second = worker.transcribe([warm_up])
        recognition, cost = worker.transcribe(recording.channels)
    channels = [
        [(words[0]["start_ms"], " ".join(word["text"] for word in words)) for words in _segments(channel)]
        for channel in recognition["channels"]
    ]
    load_s, load_cpu_s = first.wall_s - second.wall_s, first.cpu_s - second.cpu_s
    return _result(recording, channels, cost, load_s, load_cpu_s)


def _segments(channel):
    return [segment["words"] for segment in channel["segments"]]


def _run_analyze(recording, _):
    analysis, cost = program.analyze(recording.file)
    turns = [
        (turn["speaker"], turn["words"][0]["start_ms"], " ".join(word["text"] for word in turn["words"]))
        for turn in analysis["transcript"]["turns"]
    ]
    speakers = ["operator", "client"] if len(recording.channels) == 2 else [None]
    channels = [
        [(start, said) for speaker, start, said in turns if wanted in (None, speaker)] for wanted in speakers
    ]
    return _result(recording, channels, cost)


def _run_peer(setting):
    def run(recording, warm_up):
        command = [sys.executable, str(Path(__file__).with_name("peer.py"))]
        command += [os.environ["PEER_MODEL"], setting, *map(str, recording.channels)]
        settings = {**os.environ, "WARM_UP": str(warm_up), "OMP_NUM_THREADS": "2"}
        done = subprocess.run(command, stdout=subprocess.PIPE, env=settings, check=True)
        answer = json.loads(done.stdout)
        channels = [[(s["start_s"], s["text"]) for s in channel] for channel in answer["channels"]]
        cost = program.Cost(answer["wall_s"], answer["cpu_s"], answer["peak_mib"])
        return _result(recording, channels, cost, answer["load_s"], answer["load_cpu_s"])

    return run


def _runs(settings):
    """Name → one run of a recording."""
    peers = {PEER + setting: _run_peer(setting) for setting in settings}
    return {WORKER: _run_worker, ANALYZE: _run_analyze, **peers}


# --- rounds --------------------------------------------------------------------


def _round(recording, runs, warm_up, number):
    found = {}
    for name, run in runs.items():
        with machine.Disturbance() as other:
            found[name] = run(recording, warm_up)
        print(f"{recording.name}, round {number}, {name}: {other.told()}", file=sys.stderr)
    return found


def _median(results):
    """The median of each figure."""
    numbers = {
        key: statistics.median(getattr(result, key) for result in results)
        for key in ("wall_s", "cpu_s", "peak_mib", "load_s", "load_cpu_s", "wer", "wer_by_time")
    }
    each = [statistics.median(values) for values in zip(*(result.wer_channels for result in results))]
    return Result(**numbers, wer_channels=each)


def _measure(recording, runs, warm_up, rounds):
    found = [_round(recording, runs, warm_up, number + 1) for number in range(rounds)]
    return {name: _median([results[name] for results in found]) for name in found[0]}


# --- tables --------------------------------------------------------------------


def _accurate(peers):
    """The fastest setting whose WER is within EQUAL_POINTS of the best."""
    best = min(result.wer for result in peers.values())
    equal = {name: result for name, result in peers.items() if result.wer <= best + EQUAL_POINTS}
    return min(equal, key=lambda name: equal[name].wall_s)


def _figures(recording, results):
    heads = ["run", "wall s", "CPU s", "peak MiB", "× real time", "WER %", "per channel", "by time", "load s"]
    rows = [
        [
            name,
            result.wall_s,
            result.cpu_s,
            f"{result.peak_mib:.0f}",
            recording.seconds / result.wall_s,
            result.wer,
            " / ".join(f"{value:.1f}" for value in result.wer_channels),
            result.wer_by_time,
            "in wall" if name == ANALYZE else f"{result.load_s:.2f}",
        ]
        for name, result in results.items()
    ]
    return table.markdown(heads, rows)


def _ratios(results):
    """Ours by theirs: the worker once models are loaded, `analyze` with the load of both."""
    peers = {name: result for name, result in results.items() if name.startswith(PEER)}
    accurate = _accurate(peers)
    for ours, loads in ((WORKER, 0), (ANALYZE, 1)):
        for name in [accurate, *(name for name in peers if name != accurate)]:
            mine, peer = results[ours], peers[name]
            mark = ", **its fastest accurate**" if name == accurate else ""
            yield [
                f"{ours} ÷ {name}{' with load' * loads}{mark}",
                f"{mine.wall_s / (peer.wall_s + loads * peer.load_s):.2f}",
                f"{mine.cpu_s / (peer.cpu_s + loads * peer.load_cpu_s):.2f}",
                f"{mine.peak_mib / peer.peak_mib:.2f}",
                f"{mine.wer - peer.wer:+.1f}",
            ]


def _print(recording, results):
    print(f"\n### {recording.name}, {recording.seconds:.0f} s\n")
    print(_figures(recording, results))
    print("\nOurs ÷ theirs: below 1 we need less.\n")
    print(table.markdown(["", "time", "CPU", "memory", "WER, points"], _ratios(results)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="median of so many [3]")
    parser.add_argument("--only", action="append", help="a recording by its name; may be repeated")
    parser.add_argument("--setting", action="append", choices=SETTINGS, help="of faster-whisper; may be repeated")
    arguments = parser.parse_args()
    runs = _runs(arguments.setting or SETTINGS)
    versions = {name: importlib.metadata.version(name) for name in ("faster-whisper", "ctranslate2", "numpy")}
    print(f"## Speech recognition, median of {arguments.rounds}\n")
    print(machine.describe(**versions))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        warm_up = audio.write_samples(place / "warm_up.s16", audio.golos()[0][0])
        for name, make in _recordings(place).items():
            if arguments.only is None or name in arguments.only:
                recording = make(name)
                _print(recording, _measure(recording, runs, warm_up, arguments.rounds))


if __name__ == "__main__":
    main()
