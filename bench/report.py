"""The report of a benchmark: medians, the ratio to the baseline of the same run, and targets."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

import msgspec

from bench.drain import Drain, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


SIDES: Final[tuple[Side, ...]] = ("lean", "baseline", "daemon")

LEAST_RECORDS_PER_S: Final = 40_000
LEAST_FILL: Final = 0.97
MOST_CPU_RATIO: Final = 1.6
MOST_RSS_MIB: Final = 256

_COLUMNS: Final = (
    f"{'scenario':14} {'side':8} {'records/s':>10} {'CPU µs':>8} {'spread':>13}"
    f" {'fill %':>7} {'largest':>8}"
    f" {'RSS MiB':>8} {'conflated':>9} {'tenant %':>8} {'other %':>8}"
)


class Target(msgspec.Struct, frozen=True):
    """One target of the daemon, and the measured value."""

    name: str
    limit: str
    measured: float
    met: bool


class Report(msgspec.Struct, frozen=True):
    """The result of one scenario.

    The ratios compare the daemon's CPU per record with each baseline's. They are `None` if one of
    the two was not measured.
    """

    scenario: str
    drains: list[Drain]
    cpu_ratio: float | None
    lean_cpu_ratio: float | None
    targets: list[Target]


def report(scenario: str, drains: Sequence[Drain], *, has_speed_target: bool) -> Report:
    """Compare the medians of a scenario's rounds with the targets."""
    daemon = _of(drains, "daemon")
    ratio, lean_ratio = (_ratio(daemon, _of(drains, side)) for side in ("baseline", "lean"))
    targets: list[Target] = []
    if daemon:
        if ratio is not None:
            targets.append(
                Target("CPU / baseline", f"<= {MOST_CPU_RATIO}", ratio, ratio <= MOST_CPU_RATIO)
            )
        if has_speed_target:
            speed = median(one.records_per_s for one in daemon)
            limit = f">= {LEAST_RECORDS_PER_S}"
            targets.append(Target("records/s", limit, speed, speed >= LEAST_RECORDS_PER_S))
        fill = median(one.fill for one in daemon)
        targets.append(Target("fill", f">= {LEAST_FILL}", fill, fill >= LEAST_FILL))
        rss = max(one.rss_mib for one in daemon)
        targets.append(Target("RSS MiB", f"<= {MOST_RSS_MIB}", rss, rss <= MOST_RSS_MIB))
    return Report(scenario, [*drains], ratio, lean_ratio, targets)


def _ratio(daemon: Sequence[Drain], baseline: Sequence[Drain]) -> float | None:
    if not daemon or not baseline:
        return None
    return median(one.cpu_us for one in daemon) / median(one.cpu_us for one in baseline)


def table(reports: Iterable[Report]) -> str:
    """Return the medians as a table, and below it the result of each target."""
    lines = [_COLUMNS]
    for one in reports:
        lines += [
            _line(one.scenario, side, drains) for side in SIDES if (drains := _of(one.drains, side))
        ]
    for one in reports:
        if one.lean_cpu_ratio is not None:
            lines.append(
                f"{one.scenario:14} {'CPU / lean baseline':20} {one.lean_cpu_ratio:12,.2f}"
                "  no target"
            )
        for target in one.targets:
            verdict = "met" if target.met else "MISSED"
            lines.append(
                f"{one.scenario:14} {target.name:20} {target.measured:12,.2f} "
                f" {target.limit:10} {verdict}"
            )
    return "\n".join(lines)


def _line(scenario: str, side: Side, drains: Sequence[Drain]) -> str:
    cpu = sorted(one.cpu_us for one in drains)
    return (
        f"{scenario:14} {side:8} {median(one.records_per_s for one in drains):10,.0f}"
        f" {median(cpu):8.2f}"
        f" {f'{cpu[0]:.2f}-{cpu[-1]:.2f}':>13} {100 * median(one.fill for one in drains):7.2f}"
        f" {max(one.largest_body for one in drains):8,} {max(one.rss_mib for one in drains):8.1f}"
        f" {median(one.conflated for one in drains):9,.0f}"
        f" {100 * median(one.tenant_busy for one in drains):8.1f}"
        f" {100 * median(one.elsewhere for one in drains):8.1f}"
    )


def _of(drains: Iterable[Drain], side: Side) -> list[Drain]:
    return [one for one in drains if one.side == side]
