"""Sounds of a telephone line in which nobody speaks.

Each generator gets a number of seconds and a seeded random source and gives samples at
16 kHz. `KINDS` lists them all.
"""

import numpy as np

from audio import RATE


def _time(seconds):
    return np.arange(int(seconds * RATE)) / RATE


def _at_level(samples, dbfs):
    """The samples with this root mean square."""
    rms = np.sqrt(np.mean(samples**2))
    return samples * (10 ** (dbfs / 20) / max(rms, 1e-9))


def _band(samples, low, high):
    """Only what lies between two frequencies."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return np.fft.irfft(spectrum, len(samples))


def _put(into, samples, at):
    """Adds samples from a second on, as far as there is room."""
    start = int(at * RATE)
    end = min(len(into), start + len(samples))
    if start < end:
        into[start:end] += samples[: end - start]


# --- silence and noise ---------------------------------------------------------


def silence(seconds, _):
    return np.zeros(int(seconds * RATE))


def dither(seconds, random):
    return random.integers(-1, 2, int(seconds * RATE)) / 32768


def _coloured(exponent, dbfs):
    def make(seconds, random):
        samples = random.standard_normal(int(seconds * RATE))
        spectrum = np.fft.rfft(samples)
        frequencies = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 20)
        return _at_level(np.fft.irfft(spectrum / frequencies**exponent, len(samples)), dbfs)

    return make


def _hum(crackles_a_second):
    def make(seconds, random):
        t = _time(seconds)
        out = sum(a * np.sin(2 * np.pi * f * t) for f, a in [(50, 0.05), (100, 0.03), (150, 0.02), (250, 0.01)])
        out += 0.002 * random.standard_normal(len(t))
        decay = np.exp(-np.arange(80) / 12)
        for at in random.uniform(0, seconds, int(crackles_a_second * seconds)):
            _put(out, random.uniform(-0.5, 0.5) * decay * random.standard_normal(80), at)
        return out

    return make


# --- tones ---------------------------------------------------------------------


def _cadence(frequencies, on, off):
    """Tones that sound and pause by turns."""

    def make(seconds, _):
        t = _time(seconds)
        tone = sum(np.sin(2 * np.pi * f * t) for f in frequencies) / len(frequencies)
        return 0.3 * tone * ((t % (on + off)) < on)

    return make


def special_information(seconds, _):
    """Three rising tones, as before “the number you have dialled…”."""
    out = np.zeros(int(seconds * RATE))
    for at in np.arange(0, seconds, 4.0):
        for step, frequency in enumerate((950, 1400, 1800)):
            _put(out, 0.3 * np.sin(2 * np.pi * frequency * _time(0.33)), at + 0.33 * step)
    return out


def dtmf(seconds, random):
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    out = np.zeros(int(seconds * RATE))
    at = 0.5
    while at < seconds:
        for _ in range(11):
            t = _time(random.uniform(0.07, 0.2))
            key = np.sin(2 * np.pi * random.choice(rows) * t) + np.sin(2 * np.pi * random.choice(columns) * t)
            _put(out, 0.2 * key, at)
            at += len(t) / RATE + random.uniform(0.05, 0.25)
        at += 2.0
    return out


def beep(seconds, _):
    """An answering machine's beep between silences."""
    out = np.zeros(int(seconds * RATE))
    for at in np.arange(5.0, seconds, 12.0):
        _put(out, 0.4 * np.sin(2 * np.pi * 1000 * _time(0.5)), at)
    return out


def fax(seconds, random):
    """Calling tone, answering tone, then frequency-shift keying of V.21."""
    out = np.zeros(int(seconds * RATE))
    for at in (1.0, 4.5, 8.0):
        _put(out, 0.3 * np.sin(2 * np.pi * 1100 * _time(0.5)), at)
    _put(out, 0.3 * np.sin(2 * np.pi * 2100 * _time(3.0)), 10.0)
    bits = random.integers(0, 2, int(300 * max(seconds - 14, 1)))
    frequency = np.repeat(np.where(bits, 1650, 1850), RATE // 300)
    _put(out, 0.3 * np.sin(2 * np.pi * np.cumsum(frequency) / RATE), 14.0)
    return out


def modem(seconds, random):
    """Data on a carrier: four phases, 2400 symbols a second, at 1800 Hz."""
    t = _time(seconds)
    phases = np.pi / 2 * random.integers(0, 4, int(seconds * 2400) + 1)
    return 0.3 * _band(np.sin(2 * np.pi * 1800 * t + phases[(t * 2400).astype(int)]), 600, 3000)


# --- music ---------------------------------------------------------------------

CHORDS = [(0, 4, 7), (-3, 0, 4), (5, 9, 12), (7, 11, 14)]
SCALE = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16]


def _frequency(semitones):
    return 261.63 * 2 ** (semitones / 12)


def _shape(samples, attack, release):
    t = np.arange(len(samples)) / RATE
    return samples * np.minimum(1, t / attack) * np.minimum(1, (t[-1] - t) / release)


def _organ(semitones, seconds):
    t = _time(seconds)
    tone = sum(np.sin(2 * np.pi * _frequency(semitones) * n * t) / n for n in (1, 2, 3, 4, 6))
    return _shape(tone, 0.02, 0.05)


def _piano(semitones, seconds):
    t = _time(seconds)
    base = _frequency(semitones)
    tone = sum(np.sin(2 * np.pi * base * n * t) * np.exp(-t * (1.5 + n)) / n for n in range(1, 7))
    return _shape(tone, 0.003, 0.02)


def _bell(semitones, seconds):
    """Frequency modulation with a falling index."""
    t = _time(seconds)
    base = _frequency(semitones + 12)
    index = 4 * np.exp(-3 * t)
    tone = np.sin(2 * np.pi * base * t + index * np.sin(2 * np.pi * base * 1.4 * t)) * np.exp(-2 * t)
    return _shape(tone, 0.002, 0.02)


def _strings(semitones, seconds):
    """A saw tooth with vibrato."""
    t = _time(seconds)
    phase = _frequency(semitones) * t + 0.03 * np.sin(2 * np.pi * 5.5 * t)
    return _shape(_band(2 * (phase % 1) - 1, 80, 4000), 0.25, 0.25)


def _flute(semitones, seconds):
    t = _time(seconds)
    phase = 2 * np.pi * _frequency(semitones + 12) * t + 0.15 * np.sin(2 * np.pi * 5 * t)
    return _shape(np.sin(phase) + 0.2 * np.sin(2 * phase), 0.06, 0.06)


def _choir(semitones, seconds):
    """A saw tooth through the formants of “a”: the hardest for a recognizer of speech."""
    saw = _strings(semitones - 12, seconds)
    return sum(a * _band(saw, f - 90, f + 90) for f, a in [(730, 1.0), (1090, 0.7), (2440, 0.4)])


def _drums(seconds, beat, random):
    out = np.zeros(int(seconds * RATE))
    t = _time(0.2)
    kick = np.sin(2 * np.pi * (50 * t + 8 * (1 - np.exp(-30 * t)))) * np.exp(-15 * t)
    for step, at in enumerate(np.arange(0, seconds, beat / 2)):
        noise = random.standard_normal(len(t))
        _put(out, 0.2 * _band(noise, 4000, 8000) * np.exp(-60 * t), at)
        if step % 4 == 0:
            _put(out, kick, at)
        if step % 4 == 2:
            _put(out, 0.4 * noise * np.exp(-25 * t), at)
    return out


def _music(chord=None, melody=None, beat=0.5, drums=False, dbfs=-20):
    """Chords of four beats, a random melody above them, drums."""

    def make(seconds, random):
        out = np.zeros(int(seconds * RATE))
        for bar, at in enumerate(np.arange(0, seconds, 4 * beat)):
            for note in CHORDS[bar % 4] if chord else ():
                _put(out, 0.3 * chord(note, 4 * beat), at)
        at = 0.0
        while melody and at < seconds:
            length = beat * random.choice([0.5, 1, 1, 2])
            _put(out, 0.5 * melody(int(random.choice(SCALE)), length), at)
            at += length
        if drums:
            out += _drums(seconds, beat, random)
        return np.clip(_at_level(out, dbfs), -1, 1)

    return make


# The hold music that is mixed under speech and that plays for ten minutes.
hold_music = _music(chord=_strings, melody=_piano, drums=True)


# --- people who do not speak ---------------------------------------------------


def _cough(dbfs):
    def make(seconds, random):
        out = np.zeros(int(seconds * RATE))
        at = 1.0
        while at < seconds:
            for _ in range(random.integers(1, 4)):
                t = _time(random.uniform(0.2, 0.4))
                shape = np.minimum(1, t / 0.01) * np.exp(-t * 12) + 0.3 * np.exp(-(((t - 0.2) / 0.05) ** 2))
                _put(out, shape * _band(random.standard_normal(len(t)), 300, 3000), at)
                at += len(t) / RATE + 0.1
            at += random.uniform(2, 5)
        return _at_level(out, dbfs)

    return make


def _breathing(dbfs):
    def make(seconds, random):
        t = _time(seconds)
        swell = np.maximum(0, np.sin(2 * np.pi * 0.3 * t)) ** 2
        return _at_level(swell * _band(random.standard_normal(len(t)), 400, 2500), dbfs)

    return make


def _keyboard(clicks_a_second):
    def make(seconds, random):
        out = 0.0005 * random.standard_normal(int(seconds * RATE))
        for at in random.uniform(0, seconds, int(clicks_a_second * seconds)):
            t = _time(0.03)
            click = _band(random.standard_normal(len(t)), 1000, 6000) * np.exp(-200 * t)
            _put(out, random.uniform(0.05, 0.3) * click, at)
            _put(out, random.uniform(0.02, 0.1) * click, at + 0.08)
        return out

    return make


def _voiced(frequency, formants):
    """Pulses of a throat with the frequency of each sample, through formants."""
    pulses = 2 * (np.cumsum(frequency) / RATE % 1) - 1
    return sum(_band(pulses, formant - 120, formant + 120) for formant in formants)


def humming(seconds, random):
    """Somebody hums with the mouth closed, a breath after each phrase."""
    out = np.zeros(int(seconds * RATE))
    for at in np.arange(1.0, seconds, 4.0):
        t = _time(3.0)
        notes = np.repeat(130 * 2 ** (random.choice(SCALE, 6) / 12), len(t) // 6)
        _put(out, 0.3 * _shape(_voiced(notes, (250, 1000)), 0.1, 0.2), at)
    return out


def laughter(seconds, random):
    """Bursts of breath and voice, five a second, falling in pitch."""
    out = np.zeros(int(seconds * RATE))
    for at in np.arange(1.0, seconds, 5.0):
        for step in range(random.integers(4, 9)):
            t = _time(0.12)
            voice = _voiced(np.full(len(t), 260 - 12 * step), (700, 1200, 2600))
            breath = 0.3 * _band(random.standard_normal(len(t)), 500, 3500)
            _put(out, 0.3 * 0.9**step * _shape(voice + breath, 0.02, 0.06), at + 0.2 * step)
    return out


def crying(seconds, _):
    """A baby cries: a high voice that rises and falls, a second at a time."""
    out = np.zeros(int(seconds * RATE))
    for at in np.arange(0.5, seconds, 1.6):
        t = _time(1.1)
        _put(out, 0.4 * _shape(_voiced(420 + 120 * np.sin(np.pi * t / 1.1), (1100, 3000)), 0.1, 0.2), at)
    return out


def barking(seconds, random):
    out = np.zeros(int(seconds * RATE))
    for at in np.sort(random.uniform(0, seconds, int(seconds))):
        t = _time(0.18)
        voice = _voiced(500 - 1200 * t, (600, 1300))
        _put(out, 0.6 * _shape(voice + 0.3 * random.standard_normal(len(t)), 0.01, 0.1), at)
    return np.clip(out, -1, 1)


def whistling(seconds, random):
    notes = np.repeat(1000 * 2 ** (random.choice(SCALE, int(seconds * 3) + 1) / 12), RATE // 3)
    return 0.2 * np.sin(2 * np.pi * np.cumsum(notes) / RATE)[: int(seconds * RATE)]


# Kind → its variants, by name. A quick run takes the first variant of each.
KINDS = {
    "silence": {"digital": silence, "one bit of dither": dither},
    "white noise": {f"{db} dBFS": _coloured(0, db) for db in (-40, -60, -20)},
    "pink noise": {f"{db} dBFS": _coloured(0.5, db) for db in (-40, -60, -20)},
    "brown noise": {f"{db} dBFS": _coloured(1, db) for db in (-40, -60, -20)},
    "50 Hz hum": {"crackle": _hum(5), "much crackle": _hum(40)},
    "ring-back, Russia": {"425 Hz, 1 s / 4 s": _cadence([425], 1, 4)},
    "busy": {"425 Hz, 0.35 s / 0.35 s": _cadence([425], 0.35, 0.35)},
    "ring-back, USA": {"440 + 480 Hz, 2 s / 4 s": _cadence([440, 480], 2, 4)},
    "special information tones": {"950, 1400, 1800 Hz": special_information},
    "DTMF": {"numbers": dtmf},
    "answering machine": {"1 kHz, 0.5 s": beep},
    "fax and modem": {"V.21": fax, "four phases": modem},
    "hold music": {
        "strings, piano, drums": hold_music,
        "organ chords": _music(chord=_organ),
        "piano": _music(melody=_piano, beat=0.4),
        "music box": _music(melody=_bell, beat=0.4),
        "pads and bells": _music(chord=_strings, melody=_bell, beat=0.8),
        "flute and organ": _music(chord=_organ, melody=_flute),
        "flute": _music(melody=_flute, beat=0.6, dbfs=-26),
        "drums": _music(drums=True),
        "choir": _music(chord=_choir),
        "choir melody": _music(melody=_choir, beat=0.4),
    },
    "cough": {"-25 dBFS": _cough(-25), "-40 dBFS": _cough(-40)},
    "breathing": {"-35 dBFS": _breathing(-35), "-25 dBFS": _breathing(-25)},
    "voice without words": {
        "humming": humming,
        "laughter": laughter,
        "a baby cries": crying,
        "a dog barks": barking,
        "whistling": whistling,
    },
    "keyboard": {"slow": _keyboard(2), "fast": _keyboard(8)},
}

# What is also made ten minutes long.
LONG = {
    "silence": silence,
    "white noise": KINDS["white noise"]["-40 dBFS"],
    "hold music": hold_music,
}
