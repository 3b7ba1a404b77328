"""The program under measurement: its speech worker, and `analyze` as a whole.

The worker is asked as the server asks it (src/speech/protocol.rs): one JSON value a
line. Its standard input stays open until the answer is there, since it ends with it.
"""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass

import usage

PROGRAM = os.environ["CALL_ANALYTICS"]
MODEL = os.environ["CALL_ANALYTICS_MODEL_FILE"]


@dataclass
class Cost:
    """What one piece of work cost."""

    wall_s: float
    cpu_s: float
    peak_mib: float


class Worker:
    """A speech worker; models stay loaded between questions."""

    def __init__(self, threads=2):
        self._threads = threads
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [PROGRAM, "speech-worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()

    def transcribe(self, channels):
        """Recognition of files of samples, one a channel, and what it cost."""
        request = {
            "do": "transcribe",
            "channels": [str(path) for path in channels],
            "model": MODEL,
            "model_name": "base",
            "language": "ru",
            "threads": self._threads,
        }
        answer, cost = self._ask(request)
        return answer["recognized"], cost

    def diarize(self, channel, speech):
        """Who speaks when in a file of samples, and what it cost."""
        answer, cost = self._ask({"do": "diarize", "channel": str(channel), "speech": speech})
        return answer["voices"], cost

    def _ask(self, request):
        pid = self._process.pid
        wall, cpu = time.monotonic(), usage.cpu_seconds(pid)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        cost = Cost(
            time.monotonic() - wall, usage.cpu_seconds(pid) - cpu, usage.peak_mib(pid)
        )
        return answer, cost

    def _answer(self):
        for line in self._process.stdout:
            answer = json.loads(line)
            if "failed" in answer:
                raise SystemExit(f"the speech worker refused: {answer['failed']}")
            if "progress" not in answer:
                return answer
        self._log.seek(0)
        raise SystemExit(f"the speech worker died: {self._log.read().decode()[-2000:]}")


def words(channel):
    """The words of one channel of a recognition, in order."""
    return [word for segment in channel["segments"] for word in segment["words"]]


def channel_text(channel):
    """The words of one channel with spaces between them."""
    return " ".join(word["text"] for word in words(channel))


def analyze(file, threads=2):
    """What `analyze --json` says of a file, and what the whole command cost."""
    with tempfile.TemporaryDirectory() as place:
        config = os.path.join(place, "config.toml")
        with open(config, "w") as out:
            out.write(f"[speech]\nthreads = {threads}\n")
        command = [PROGRAM, "analyze", "--json", "--config", config]
        command += ["--data-dir", place, "--model", MODEL, "--language", "ru", str(file)]
        wall = time.monotonic()
        with open(os.path.join(place, "out"), "w+") as out, open(os.path.join(place, "log"), "w+") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
            with usage.TreeMeter(process.pid) as meter:
                _, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - wall
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                log.seek(0)
                raise SystemExit(f"analyze {file} failed: {log.read()[-2000:]}")
            out.seek(0)
            result = json.load(out)
    return result, Cost(wall, used.ru_utime + used.ru_stime, max(meter.mib, used.ru_maxrss / 1024))
