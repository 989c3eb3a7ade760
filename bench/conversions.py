"""Measures the CPU time of each conversion, beside the standard library in the same run.

Run: `python -m bench.conversions`. The baseline is the shortest correct line of Python with the
same result; each conversion is first compared with it. `near` are the values of consecutive
records, which share seconds and days. Each `far` value has its own second and day, and there are
more of them than the caches hold. `slow path` is the conversion of the slow path. Each figure is
the best of several rounds, in which all take turns.
"""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from consumer.decoding.opened import Digits
from consumer.mapping.conversion import Conversion
from consumer.mapping.fast_path.converters import fast_converter
from consumer.mapping.fast_path.shapes import Shape, first_shape
from consumer.mapping.settings import FieldRule, FieldType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROUNDS = 15
NEAR_COUNT = 2_000
FAR_COUNT = 40_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_START_US = 1_767_323_045_678_901
_NEAR_US = 2_500
_FAR_US = 86_400_000_000 + 1_000_003
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?").fullmatch
_BERLIN = ZoneInfo("Europe/Berlin")

encode = msgspec.json.Encoder().encode


class Case(NamedTuple):
    """One conversion: field, rule, the source's value for a time in µs, and the baseline."""

    name: str
    target: FieldType
    rule: FieldRule
    value: Callable[[int], str | int]
    baseline: Callable[[Any], str | msgspec.Raw]
    zone: ZoneInfo | None = None


def utc(us: int) -> datetime:
    """Return the time of an epoch number."""
    return _EPOCH + timedelta(microseconds=us)


def utc_text(moment: datetime) -> str:
    """Return a time in the form that Data 360 accepts."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cents(us: int) -> int:
    """Return an amount of money derived from a time."""
    return us // 7_919


def decimal_of_text(text: str) -> msgspec.Raw:
    """Return a decimal with its exact digits."""
    if not _DECIMAL(text):
        raise ValueError(text)
    return msgspec.Raw(text.encode())


def decimal_of_bytes(text: str) -> msgspec.Raw:
    """Return the digits of a decimal of scale 2 whose unscaled value is base64."""
    return msgspec.Raw(
        str(Decimal(int.from_bytes(base64.b64decode(text), "big", signed=True)).scaleb(-2)).encode()
    )


def bytes_of(unscaled: int) -> str:
    """Return a decimal in Debezium's form."""
    return base64.b64encode(unscaled.to_bytes(8, "big", signed=True)).decode()


def rule(**settings: Any) -> FieldRule:  # noqa: ANN401 - of the rule
    """Return a rule that reads the column `x`."""
    return FieldRule(source="x", **settings)


CASES = (
    Case(
        "decimal in text",
        FieldType.NUMBER,
        rule(number=True),
        lambda us: f"{cents(us) / 100:.2f}",
        decimal_of_text,
    ),
    Case(
        "decimal in bytes",
        FieldType.NUMBER,
        rule(scale=2),
        lambda us: bytes_of(cents(us)),
        decimal_of_bytes,
    ),
    Case(
        "days to date",
        FieldType.DATE,
        rule(unit="days"),
        lambda us: us // 86_400_000_000,
        lambda days: date.fromordinal(days + _EPOCH_DAY).isoformat(),
    ),
    Case(
        "date in text",
        FieldType.DATE,
        rule(),
        lambda us: utc(us).date().isoformat(),
        lambda text: date.fromisoformat(text).isoformat(),
    ),
    Case(
        "microseconds to date-time",
        FieldType.DATE_TIME,
        rule(unit="us"),
        lambda us: us,
        lambda us: utc_text(utc(us)),
    ),
    Case(
        "milliseconds to date-time",
        FieldType.DATE_TIME,
        rule(unit="ms"),
        lambda us: us // 1_000,
        lambda ms: utc_text(utc(ms * 1_000)),
    ),
    Case(
        "date-time with Z",
        FieldType.DATE_TIME,
        rule(),
        lambda us: utc(us).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        lambda text: utc_text(datetime.fromisoformat(text)),
    ),
    Case(
        "date-time with +01:00",
        FieldType.DATE_TIME,
        rule(),
        lambda us: utc(us).astimezone(_BERLIN).isoformat(timespec="microseconds"),
        lambda text: utc_text(datetime.fromisoformat(text)),
    ),
    Case(
        "date-time in the route's zone",
        FieldType.DATE_TIME,
        rule(),
        lambda us: (
            utc(us)
            .astimezone(_BERLIN)
            .replace(tzinfo=None, hour=12)
            .isoformat(timespec="microseconds")
        ),
        lambda text: utc_text(datetime.fromisoformat(text).replace(tzinfo=_BERLIN)),
        _BERLIN,
    ),
)


def decoded(value: str | int, shape: Shape) -> Any:  # noqa: ANN401 - as decoded
    """Return a value in the form that the fast path's decoder gives it."""
    return msgspec.Raw(msgspec.json.encode(value)) if shape is Shape.RAW else value


def best_ns(*loops: tuple[Callable[[Any], object], Sequence[object]]) -> list[float]:
    """Return the best CPU time per value of each conversion; the conversions take turns."""
    best = [float("inf")] * len(loops)
    for _ in range(ROUNDS):
        for place, (convert, values) in enumerate(loops):
            start_ns = time.process_time_ns()
            for value in values:
                convert(value)
            best[place] = min(best[place], (time.process_time_ns() - start_ns) / len(values))
    return best


def measured(case: Case) -> list[float]:
    """Measure one conversion: baseline, near, far and slow path.

    Raises: `ValueError` where baseline and conversion differ.
    """
    conversion = Conversion(case.target, case.rule, None, case.zone)
    shape = first_shape(conversion, None)
    convert = fast_converter(conversion, None, shape, case.zone, None)
    if convert is None:
        raise ValueError(case.name)
    near = [case.value(_START_US + number * _NEAR_US) for number in range(NEAR_COUNT)]
    far = [case.value(_START_US + number * _FAR_US) for number in range(FAR_COUNT)]
    for value in near:
        if encode(convert(decoded(value, shape))) != encode(case.baseline(value)):
            raise ValueError(case.name)
    return best_ns(
        (case.baseline, near),
        (convert, [decoded(value, shape) for value in near]),
        (convert, [decoded(value, shape) for value in far]),
        (
            conversion.convert,
            [Digits(value) if isinstance(value, int) else value for value in near],
        ),
    )


def main() -> None:
    """Print one line per conversion."""
    print(
        f"{'conversion':30} {'baseline':>8} {'near':>6} {'ratio':>6} {'far':>6} {'ratio':>6}"
        f" {'slow path':>9}"
    )
    for case in CASES:
        baseline_ns, near_ns, far_ns, slow_path_ns = measured(case)
        print(
            f"{case.name:30} {baseline_ns:8.0f} {near_ns:6.0f} {near_ns / baseline_ns:6.2f}"
            f" {far_ns:6.0f} {far_ns / baseline_ns:6.2f} {slow_path_ns:9.0f}"
        )


if __name__ == "__main__":
    main()
