"""What a process used: processor time and memory, read from /proc.

Memory is VmHWM, the largest resident set the process ever had. For a program that
starts others, `TreeMeter` looks at the whole tree ten times a second and adds the
peaks of all its processes: an upper bound, since they need not coincide.
"""

import os
import threading

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a living process, of all its threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mib(pid):
    """VmHWM of a living process; 0 where it has ended."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _tree(pid):
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in file.read().split():
                yield from _tree(int(child))


class TreeMeter:
    """Peak memory of a process and all that it starts, while the `with` lasts."""

    def __init__(self, pid):
        self._pid = pid
        self._peaks = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(0.1):
            try:
                for pid in _tree(self._pid):
                    self._peaks[pid] = max(self._peaks.get(pid, 0), peak_mib(pid))
            except OSError:
                # A process ended between being listed and being read.
                continue

    @property
    def mib(self):
        """The peaks of all processes, added."""
        return sum(self._peaks.values())
