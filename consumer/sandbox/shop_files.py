"""The files of the sample shop in the package: connector schema and configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ruamel.yaml import YAML

from consumer.sandbox.schema_file import read_objects

if TYPE_CHECKING:
    from consumer.mapping.settings import ObjectSettings

SHOP: Final = Path(__file__).parent / "shop"
SCHEMA_FILE: Final = SHOP / "connector.yaml"
CONFIGURATION_FILE: Final = SHOP / "consumer.yaml"
SOURCE_NAME: Final = "shop_events"


def shop_objects() -> dict[str, ObjectSettings]:
    """Return the three objects of the shop, from the schema and the configuration."""
    configuration = YAML(typ="safe", pure=True).load(CONFIGURATION_FILE.read_bytes())
    return read_objects(SCHEMA_FILE, configuration["connector"]["objects"])
