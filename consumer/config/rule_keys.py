"""Keys of a field rule: one entry below `fields` of a route."""

from __future__ import annotations

from typing import Literal

from consumer.config.keys import Section, defaulted, optional
from consumer.config.kinds import Boolean, Choice, PlainValue, Text, Whole
from consumer.config.several import MapOf
from consumer.mapping.settings import TimeUnit

FROM = optional(
    "from",
    Text("a source path such as address.city"),
    "Dotted source path such as `address.city`, or a `$` reference such as `$kafka.topic`.",
)
CONST = optional("const", PlainValue(), "The same value for every row.")
TEMPLATE = optional(
    "template",
    Text('a template such as "{first} {last}"'),
    "Text with source paths in braces, such as `{first} {last}`.",
)
VALUES = optional(
    "values",
    MapOf(PlainValue(), keys="source values, each with a target value"),
    "Target value for each source value.",
)
RULE_DEFAULT = optional(
    "default",
    PlainValue(),
    "Value to send when the source is missing, null, or not in `values`.",
)
LOWER = defaulted("lower", Boolean(), "false", "Convert the text to lower case.")
TRIM = defaulted("trim", Boolean(), "false", "Remove white space at both ends.")
NUMBER = defaulted("number", Boolean(), "false", "Accept a number that is written as text.")
JSON = defaulted("json", Boolean(), "false", "Send a nested value as JSON text.")
PARSE = optional(
    "parse",
    Choice[Literal["json"]]("json"),
    "`json`: text on the way to the value holds JSON, and the path goes on inside it; a path of one"
    " step reads the value from its text.",
)
REQUIRED = defaulted(
    "required",
    Boolean(),
    "false",
    "Reject the record when the source is missing or null.",
)
UNIT = optional(
    "unit",
    Choice[TimeUnit]("s", "ms", "us", "ns", "days"),
    "Unit of a number that holds a date or a time.",
)
SCALE = optional(
    "scale",
    Whole(-400, 400),
    "Scale of a Debezium decimal (bytes) in a record without a schema.",
)

RULE = Section(
    "a source path, or a rule such as {const: 5}",
    FROM,
    CONST,
    TEMPLATE,
    VALUES,
    RULE_DEFAULT,
    LOWER,
    TRIM,
    NUMBER,
    JSON,
    PARSE,
    REQUIRED,
    UNIT,
    SCALE,
    shorthand="from",
)
