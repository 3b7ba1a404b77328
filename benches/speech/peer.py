"""One run of faster-whisper, in a process of its own, so that its memory is its own.

Usage: peer.py MODEL SETTING CHANNEL…, where a channel is a file of samples. Prints one
JSON value: the segments of each channel, the time to load the model, and what the
transcription cost after one short utterance (WARM_UP) had warmed it.
"""

import json
import os
import sys
import time

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

import usage

THREADS = 2
BATCH = 8

# Setting → how it transcribes.
SETTINGS = {
    "beam 1": {"beam_size": 1},
    "beam 5": {"beam_size": 5},
    "beam 1, VAD": {"beam_size": 1, "vad_filter": True},
    "beam 5, VAD": {"beam_size": 5, "vad_filter": True},
    "batched, beam 1": {"beam_size": 1, "batch_size": BATCH},
    "batched, beam 5": {"beam_size": 5, "batch_size": BATCH},
}


def _samples(path):
    return np.fromfile(path, "<i2").astype(np.float32) / 32768


def _transcribe(model, samples, options):
    if "batch_size" in options:
        model = BatchedInferencePipeline(model=model)
    segments, _ = model.transcribe(samples, language="ru", **options)
    return [{"start_s": segment.start, "text": segment.text} for segment in segments]


def main():
    place, setting, *paths = sys.argv[1:]
    options = SETTINGS[setting]
    channels = [_samples(path) for path in paths]
    wall, cpu = time.monotonic(), time.process_time()
    model = WhisperModel(place, device="cpu", compute_type="int8", cpu_threads=THREADS)
    load_s, load_cpu_s = time.monotonic() - wall, time.process_time() - cpu
    _transcribe(model, _samples(os.environ["WARM_UP"]), options)
    wall, cpu = time.monotonic(), time.process_time()
    found = [_transcribe(model, samples, options) for samples in channels]
    result = {
        "channels": found,
        "load_s": load_s,
        "load_cpu_s": load_cpu_s,
        "wall_s": time.monotonic() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": usage.peak_mib(os.getpid()),
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
