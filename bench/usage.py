"""Reads CPU time and memory of a process from `/proc`; Linux only."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def cpu_s(pid: int) -> float:
    """Return the user and system CPU seconds of a process, all threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_peak_kib(pid: int) -> int:
    """Return the peak resident memory of a process in KiB."""
    found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def machine_cpu_s() -> float:
    """Return the CPU seconds of the whole machine, idle time excluded."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / _TICKS_PER_S
