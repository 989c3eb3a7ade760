"""Options that several verbs share, and how their values are read."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from consumer.config.load import load, load_mapping
from consumer.operations.kafka.range_bounds import InvalidBound, read_bound

if TYPE_CHECKING:
    from consumer.config.settings import MappingSettings, Settings


class Output(StrEnum):
    """Format of the facts that a verb prints."""

    TEXT = "text"
    JSON = "json"


ConfigFile: TypeAlias = Annotated[
    Path,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        envvar="DATACLOUD_CONSUMER_CONFIG",
        help="Configuration file.",
    ),
]
Overrides: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override one configuration key, e.g. log.level=debug; repeatable.",
    ),
]
OutputFormat: TypeAlias = Annotated[Output, typer.Option("--output", help="Output format.")]

RecordsOption: TypeAlias = Annotated[
    int,
    typer.Option(
        "--records", min=1, max=100_000, help="How many of the newest records to read per topic."
    ),
]

Topics: TypeAlias = Annotated[
    list[str], typer.Option("--topic", metavar="TOPIC", help="Topic to read; repeatable.")
]
Partitions: TypeAlias = Annotated[
    list[int] | None,
    typer.Option("--partition", min=0, metavar="N", help="Read only this partition; repeatable."),
]

RECORDS = 200
DEFAULT_FILE = Path("consumer.yaml")


def settings(config: Path, overrides: list[str] | None) -> Settings:
    """Load the configuration of a verb.

    Raises: `ConfigFaults`; `main` prints it and exits with 78.
    """
    return load(config, environ=os.environ, overrides=overrides or [])


def mapping_settings(config: Path, overrides: list[str] | None) -> MappingSettings:
    """Load what a verb needs that maps records and uses no network.

    Raises: `ConfigFaults`, as `settings` does.
    """
    return load_mapping(config, environ=os.environ, overrides=overrides or [])


def validate_bound(option: str, text: str | None) -> None:
    """Check that a text is a range bound.

    Raises: `typer.BadParameter` otherwise.
    """
    if text is not None:
        try:
            read_bound(text, 0)
        except InvalidBound as error:
            raise typer.BadParameter(str(error), param_hint=option) from error
