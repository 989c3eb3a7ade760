"""`lint --sample`: map the newest records of each topic and report the outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.clock import SystemClock
from consumer.masking import escape
from consumer.operations.plurals import count_of
from consumer.operations.sampling.sampled_routes import sampled_topics, warnings_of
from consumer.operations.sampling.sampler import NoSample, Sampler

if TYPE_CHECKING:
    from consumer.config.settings import Settings
    from consumer.operations.sampling.sampled_routes import SampledTopic
    from consumer.operations.sampling.trial import Trial


class SampleReport(msgspec.Struct):
    """The result of sampling the topics of one configuration, as text and as JSON."""

    lines: list[str] = []
    value: list[dict[str, object]] = []
    warnings: int = 0
    """How many of the lines are warnings."""
    beyond_fuse: bool = False
    """Whether a topic has more dead letters in its sample than `dead_letter.fuse` allows."""


def sample_of(settings: Settings, count: int) -> SampleReport:
    """Sample all topics of a configuration.

    If the brokers do not answer, the report has a warning instead of samples.
    """
    report = SampleReport()
    try:
        with Sampler(settings.kafka) as sampler:
            for seen in sampled_topics(settings, sampler, count, SystemClock().wall_ms()):
                _add(report, settings, seen)
    except NoSample as error:
        report.lines.append(f"kafka: warning: {error}")
        report.value.append({"problem": str(error)})
        report.warnings += 1
    return report


def _add(report: SampleReport, settings: Settings, seen: SampledTopic) -> None:
    """Add one topic to the report."""
    warnings = list(warnings_of(settings, seen))
    report.beyond_fuse |= bool(seen.beyond_fuse)
    report.warnings += len(warnings)
    report.lines += [escape(f"{one.place}: warning: {one.text}") for one in warnings]
    for trial in seen.trials:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in trial.outcomes.most_common())
        report.lines.append(
            f"{trial.route.place}: {seen.topic} -> {trial.route.object}:"
            f" {count_of(seen.record_count, 'record')}: {counts}"
        )
        if trial.never_filled:
            fields = ", ".join(trial.never_filled)
            report.lines.append(
                f"{trial.route.place}: {seen.topic} -> {trial.route.object}: always null: {fields}"
            )
    report.value.append(
        {
            "topic": seen.topic,
            "records": seen.record_count,
            "problem": seen.problem or None,
            "beyond_fuse": seen.beyond_fuse or None,
            "formats": dict(seen.recognition.formats) if seen.recognition else {},
            "warnings": [{"route": one.place, "message": one.text} for one in warnings],
            "routes": [_trial(trial) for trial in seen.trials],
        }
    )


def _trial(trial: Trial) -> dict[str, object]:
    """Return the outcomes of one route as they are printed in JSON."""
    return {
        "route": trial.route.place,
        "object": trial.route.object,
        "outcomes": dict(trial.outcomes),
        "dead_letters": [
            {
                "reason": fault.reason,
                "field": fault.field,
                "detail": fault.detail,
                "records": faulty.count,
                "first": faulty.first,
            }
            for fault, faulty in trial.faults.items()
        ],
        "always_null": trial.never_filled,
    }
