"""What a measurement was made on, and whether other work disturbed it."""

import os
import platform
import subprocess
from datetime import datetime, timezone

import program

FLAGS = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"]


def load():
    """Processes that want a core, on average over the last minute."""
    return os.getloadavg()[0]


def _cpu():
    with open("/proc/cpuinfo") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines.items()}
    flags = set(facts.get("flags", "").split())
    have = ", ".join(f"{flag} {'yes' if flag in flags else 'no'}" for flag in FLAGS)
    return f"{facts.get('model name')} (family {facts.get('cpu family')}, model {facts.get('model')}): {have}"


def describe(**versions):
    """Markdown lines: machine, date, versions, load."""
    ours = subprocess.run([program.PROGRAM, "version"], capture_output=True, text=True, check=True)
    versions = {"Python": platform.python_version(), **versions}
    return "\n".join(
        [
            f"- date: {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
            f"- processor: {_cpu()}; cores: {os.cpu_count()}",
            f"- system: {platform.system()} {platform.release()}",
            f"- program: {ours.stdout.splitlines()[0]}, model {os.path.basename(program.MODEL)}",
            "- with: " + ", ".join(f"{name} {version}" for name, version in versions.items()),
            f"- load average at the start: {load():.2f}",
        ]
    )


def _busy_ticks():
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return user + nice + system + irq + softirq + steal


class Disturbance:
    """Measures how many cores other processes used while the `with` lasts.

    The load average alone does not tell: it counts the measured work as well. What this
    process and the children it waited for used is taken off the busy time of all cores.
    """

    def __enter__(self):
        self._load = load()
        self._before, self._ticks = os.times(), _busy_ticks()
        return self

    def __exit__(self, *_):
        after = os.times()
        busy = (_busy_ticks() - self._ticks) / os.sysconf("SC_CLK_TCK")
        used = sum(after[:4]) - sum(self._before[:4])
        self._cores = max(0.0, busy - used) / max(after.elapsed - self._before.elapsed, 0.01)

    def told(self):
        """A line on the load before, and a warning where other work ran."""
        line = f"load average before {self._load:.2f}, other work on {self._cores:.1f} cores"
        return f"{line} (warning: the times are disturbed)" if self._cores > 0.2 else line
