"""`lint --sample`: what would become of the newest records, as lines and as a JSON value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from consumer.clock import SystemClock
from consumer.operations.sampling.sampled_routes import sampled_topics, warnings_of
from consumer.operations.sampling.sampler import NoSample, Sampler

if TYPE_CHECKING:
    from consumer.config.settings import Settings
    from consumer.operations.sampling.sampled_routes import SampledTopic
    from consumer.operations.sampling.trial import Trial


class SampleReport(msgspec.Struct):
    """What the samples of one configuration showed, in both forms.

    `warnings` counts what is to be looked at.
    """

    lines: list[str] = []
    value: list[dict[str, object]] = []
    warnings: int = 0


def sample_of(settings: Settings, count: int) -> SampleReport:
    """Sample all topics of a configuration.

    Brokers that do not answer are a warning like any other.
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
    """Add one topic."""
    warnings = list(warnings_of(settings, seen))
    report.warnings += len(warnings)
    report.lines += [f"{one.place}: warning: {one.text}" for one in warnings]
    for trial in seen.trials:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in trial.outcomes.most_common())
        report.lines.append(
            f"{trial.route.place}: {seen.topic} -> {trial.route.object}:"
            f" {seen.record_count} records: {counts}"
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
            "formats": dict(seen.recognition.formats) if seen.recognition else {},
            "warnings": [{"route": one.place, "message": one.text} for one in warnings],
            "routes": [_trial(trial) for trial in seen.trials],
        }
    )


def _trial(trial: Trial) -> dict[str, object]:
    """Write what became of a sample under one route."""
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
