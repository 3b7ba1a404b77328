"""Reading and writing sound. Samples are float32 in -1..1 at 16 kHz, unless said
otherwise; files of samples for the speech worker are 16-bit little-endian mono.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np

RATE = 16_000
AUDIO = Path(os.environ["CALL_ANALYTICS_AUDIO"])


def _ffmpeg(arguments, given=None):
    command = ["ffmpeg", "-v", "error", "-nostdin", *arguments]
    if given is not None:
        command.remove("-nostdin")
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout


def _to_bytes(samples):
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def _from_bytes(data):
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768


def channels(path):
    """How many channels a file has."""
    command = ["ffprobe", "-v", "error", "-select_streams", "a:0"]
    command += ["-show_entries", "stream=channels", "-of", "csv=p=0", str(path)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def read(path):
    """The samples of each channel of a file."""
    data = _from_bytes(_ffmpeg(["-i", str(path), "-ar", str(RATE), "-f", "s16le", "-"]))
    return list(data.reshape(-1, channels(path)).T)


def write_samples(path, samples):
    """A file of samples for the speech worker."""
    Path(path).write_bytes(_to_bytes(samples))
    return path


def write_wav(path, samples):
    """A WAV file with 16 bits a sample, of one channel."""
    raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-"]
    _ffmpeg(["-y", *raw, str(path)], _to_bytes(samples))
    return path


def through_telephone(samples):
    """The samples after 8 kHz µ-law coding, as a telephone line carries them."""
    raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-"]
    coded = _ffmpeg([*raw, "-ar", "8000", "-f", "mulaw", "-"], _to_bytes(samples))
    line = ["-f", "mulaw", "-ar", "8000", "-ac", "1", "-i", "-"]
    return _from_bytes(_ffmpeg([*line, "-ar", str(RATE), "-f", "s16le", "-"], coded))


def golos():
    """Short real utterances: (samples, text) of each."""
    folder = AUDIO / "golos"
    items = json.loads((folder / "manifest.json").read_text())
    return [(read(folder / item["filename"])[0], item["reference"]) for item in items]


def call_turns():
    """The turns of the acted call: speaker, start, end in seconds, text."""
    return json.loads((AUDIO / "call.json").read_text())
