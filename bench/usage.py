"""What a process of this machine has used, read from `/proc`.

Linux only, like the daemon's container.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process, user and system, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_peak_kib(pid: int) -> int:
    """Return the most resident memory that a process has had."""
    found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def machine_cpu_s() -> float:
    """Return the CPU seconds that the whole machine has spent on anything but waiting."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    return (user + nice + system + irq + soft + steal) / _TICKS_PER_S
