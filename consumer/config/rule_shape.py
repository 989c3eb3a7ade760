"""The keys of a field rule."""

from __future__ import annotations

from consumer.config.keys import Section, defaulted, optional
from consumer.config.kinds import Boolean, Choice, PlainValue, Text, Whole
from consumer.config.several import MapOf
from consumer.mapping.settings import TimeUnit

FROM = optional(
    "from", Text("a source path such as address.city"), "Dotted source path, or a `$` reference."
)
CONST = optional("const", PlainValue(), "The same value for every row.")
TEMPLATE = optional(
    "template", Text('a template such as "{first} {last}"'), "Text with `{source.path}` in it."
)
VALUES = optional(
    "values",
    MapOf(PlainValue(), keys="source values, each with a target value"),
    "Which value becomes which.",
)
RULE_DEFAULT = optional(
    "default", PlainValue(), "Used when the source is missing, null, or not in `values`."
)
LOWER = defaulted("lower", Boolean(), "false", "Lower-case the text.")
TRIM = defaulted("trim", Boolean(), "false", "Cut white space at both ends.")
NUMBER = defaulted("number", Boolean(), "false", "Take a number that is written as text.")
JSON = defaulted("json", Boolean(), "false", "Send a nested value as JSON text.")
REQUIRED = defaulted(
    "required", Boolean(), "false", "A missing or null source is the record's fault."
)
UNIT = optional(
    "unit", Choice[TimeUnit]("s", "ms", "us", "ns", "days"), "How to read a bare number as a time."
)
SCALE = optional("scale", Whole(-400, 400), "Scale of Debezium's decimal bytes without schema.")

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
    REQUIRED,
    UNIT,
    SCALE,
    shorthand="from",
)
