"""Speech must not be dropped by what keeps noise out.

Transcribes speech that is easily taken for noise, and compares it with the same speech
as it was recorded: a quiet call, speech with hold music 10 dB below it, utterances that
begin at the first sample and end at the last, and a short «да» between pauses.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

import audio
import machine
import program
import sounds
import table
import text

PAUSE_S = 3
# The short word is spoken with each of these speeds (words a minute) and pitches.
VOICES = [(speed, pitch) for speed in (120, 150, 180) for pitch in (30, 50, 70)]


def _pause(seconds, random):
    return random.normal(0, 1e-4, int(seconds * audio.RATE))


class Listener:
    """Transcribes samples with one worker."""

    def __init__(self, worker, place):
        self._worker = worker
        self._file = Path(place) / "speech"

    def channel(self, samples):
        """The recognition of the samples."""
        audio.write_samples(self._file, samples)
        recognition, _ = self._worker.transcribe([self._file])
        return recognition["channels"][0]

    def text(self, samples):
        """What is heard in the samples."""
        return program.channel_text(self.channel(samples))


def _rms_of_speech(call):
    """Root mean square of the samples within the turns."""
    spans = [call[int(turn["start"] * audio.RATE) : int(turn["end"] * audio.RATE)] for turn in audio.call_turns()]
    return np.sqrt(np.mean(np.concatenate(spans) ** 2))


def _over_music(call, snr_db):
    random = np.random.default_rng(7)
    music = sounds.hold_music(len(call) / audio.RATE + 1, random)[: len(call)]
    music *= _rms_of_speech(call) / np.sqrt(np.mean(music**2)) * 10 ** (-snr_db / 20)
    return call + music


def _call_rows(listener):
    call = audio.read(audio.AUDIO / "call_mono_8k.flac")[0]
    reference = " ".join(turn["text"] for turn in audio.call_turns())
    variants = {
        "call as recorded": call,
        "call 20 dB quieter": call * 10 ** (-20 / 20),
        "call 35 dB quieter": call * 10 ** (-35 / 20),
        "call, hold music 10 dB below": _over_music(call, 10),
    }
    for name, samples in variants.items():
        heard = listener.text(samples)
        yield [name, len(text.normalize(reference)), len(text.normalize(heard)), text.wer(reference, heard)]


def _cut(samples):
    """From the first frame of 10 ms within 30 dB of the loudest to the last such frame."""
    frame = audio.RATE // 100
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.sqrt(np.mean(whole**2, axis=1))
    speaks = np.flatnonzero(loud > loud.max() * 10 ** (-30 / 20))
    return samples[speaks[0] * frame : (speaks[-1] + 1) * frame]


def _utterance_rows(listener):
    """Each utterance in a file of its own, with pauses around it and cut to the word."""
    random = np.random.default_rng(1)
    variants = {
        "utterances between pauses": lambda x: np.concatenate([_pause(0.75, random), x, _pause(0.75, random)]),
        "utterances as recorded": lambda x: x,
        "utterances cut to the word": _cut,
    }
    spoken = audio.golos()
    reference = [text.normalize(said) for _, said in spoken]
    for name, change in variants.items():
        heard = [text.normalize(listener.text(change(samples))) for samples, _ in spoken]
        wrong = sum(text.distance(*pair) for pair in zip(reference, heard))
        expected = sum(map(len, reference))
        nothing = sum(not words for words in heard)
        label = f"{name} ({nothing} of {len(heard)} without words)"
        yield [label, expected, sum(map(len, heard)), 100 * wrong / expected]


def _speak(place, words, speed, pitch):
    path = Path(place) / "spoken.wav"
    subprocess.run(
        ["espeak-ng", "-v", "ru", "-s", str(speed), "-p", str(pitch), "-w", str(path), words], check=True
    )
    return audio.through_telephone(audio.read(path)[0])


def _joined(spoken, random):
    """The samples with pauses around them, and the middle of each in seconds."""
    pieces, middles, seconds = [_pause(PAUSE_S, random)], [], PAUSE_S
    for samples in spoken:
        length = len(samples) / audio.RATE
        middles.append(seconds + length / 2)
        seconds += length + PAUSE_S
        pieces += [samples, _pause(PAUSE_S, random)]
    return np.concatenate(pieces), middles


def _near(channel, second):
    """True when a word is heard around this second."""
    return any(
        word["start_ms"] / 1000 - 0.6 < second < word["end_ms"] / 1000 + 0.6 for word in program.words(channel)
    )


def _short_word_rows(listener, place):
    """How often anything is heard where the word was said: in one file with pauses, made
    several times with other noise in them, and in a file for each."""
    spoken = [_speak(place, "да", *voice) for voice in VOICES]
    for seed in range(4):
        samples, middles = _joined(spoken, np.random.default_rng(seed))
        channel = listener.channel(samples)
        found = sum(_near(channel, second) for second in middles)
        yield [f"one file, noise {seed}", len(middles), found, program.channel_text(channel)]
    single = [listener.text(_joined([word], np.random.default_rng(0))[0]) for word in spoken]
    yield ["a file each", len(single), sum(map(bool, single)), " | ".join(single)]


def main():
    print("\n## Speech that must not be dropped\n")
    with tempfile.TemporaryDirectory() as place, program.Worker() as worker:
        listener = Listener(worker, place)
        rows = [*_call_rows(listener), *_utterance_rows(listener)]
        short = list(_short_word_rows(listener, place))
    print(table.markdown(["speech", "words said", "words found", "WER %"], rows))
    print(f"\nA short «да» between pauses of {PAUSE_S} s:\n")
    print(table.markdown(["recording", "said", "heard as any word", "text"], short))
    print(f"\nload average at the end: {machine.load():.2f}")


if __name__ == "__main__":
    main()
