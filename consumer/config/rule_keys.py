"""Keys of a field rule: one entry below `fields` of a route."""

from __future__ import annotations

from typing import Literal

from consumer.config.keys import Section, defaulted, optional, required
from consumer.config.kinds import Boolean, Choice, PlainValue, Text, Whole
from consumer.config.literal_text import LiteralText
from consumer.config.secrets import SecretFile, SecretReference
from consumer.config.several import ListOf, MapOf
from consumer.mapping.settings import NormalForm, TimeUnit

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
FIRST_OF_FROM = optional(
    "from", Text("a source path such as address.city"), "Source path of the value."
)
FIRST_OF_TEMPLATE = optional(
    "template",
    Text('a template such as "{first} {last}"'),
    "Text with source paths in braces; it has no value if one of them has none.",
)
FIRST_OF = optional(
    "first_of",
    ListOf(
        Section(
            "source paths, or templates such as {template: '{first} {last}'}",
            FIRST_OF_FROM,
            FIRST_OF_TEMPLATE,
            shorthand="from",
        )
    ),
    "Sources in order: the first one that is neither missing nor null gives the value.",
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
UPPER = defaulted("upper", Boolean(), "false", "Convert the text to upper case.")
TRIM = defaulted("trim", Boolean(), "false", "Remove white space at both ends.")
REPLACE = optional(
    "replace",
    MapOf(
        LiteralText("the text that replaces it"),
        keys="texts, each with its replacement",
        dotted=True,
    ),
    "Replace each of these texts everywhere in the value, the longest one first.",
)
REGEX_PATTERN = required(
    "pattern",
    LiteralText("a regular expression"),
    "Regular expression in RE2's syntax; every match is replaced.",
)
REGEX_WITH = required(
    "with",
    LiteralText("the text that replaces a match"),
    r"Replacement, may be empty: `\1` to `\9` are groups of the pattern, `\0` is the match.",
)
REGEX = optional(
    "regex",
    Section(r"a mapping such as {pattern: '[^0-9]', with: ''}", REGEX_PATTERN, REGEX_WITH),
    "Replace every match of a regular expression, in bounded time.",
)
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

FORMAT_PATTERN = required(
    "pattern",
    Text("a pattern such as dd.MM.yyyy"),
    "Symbols `yyyy`, `yy`, `MM`, `M`, `dd`, `d`, `HH`, `H`, `hh`, `h`, `a`, `mm`, `ss`, `SSS`,"
    " `XXX` and `XX`; other symbols in single quotes.",
)
FORMAT_ZONE = optional(
    "zone",
    Text("a time zone such as Europe/Berlin"),
    "Time zone in which a point in time is written; UTC when absent.",
)
RULE_FORMAT = optional(
    "format",
    Section(
        "a pattern such as dd.MM.yyyy",
        FORMAT_PATTERN,
        FORMAT_ZONE,
        shorthand="pattern",
    ),
    "Write a date, a time of day or a date-time into a string field by this pattern.",
)
NORMALISE = optional(
    "normalise",
    Choice[NormalForm]("email", "phone", "name"),
    "One form for values that mean the same: email without white space around it and in lower"
    " case; phone in E.164; name in lower case with single spaces.",
)
HASH = optional(
    "hash",
    Choice[Literal["sha256"]]("sha256"),
    "Send the SHA-256 of the text as hex in lower case; empty text stays empty.",
)
SALT_FILE = optional(
    "salt_file",
    SecretFile(),
    "File with the salt of `hash`. The salt is put before the text; it is read at startup.",
)
SALT = optional(
    "salt", SecretReference(), "Salt of `hash` from the environment, instead of `salt_file`."
)
MASK_KEEP_FIRST = defaulted(
    "keep_first", Whole(0, 1000), "0", "How many characters stay at the start."
)
MASK_KEEP_LAST = defaulted("keep_last", Whole(0, 1000), "0", "How many characters stay at the end.")
MASK_WITH = defaulted(
    "with", Text("one character", r"[^\s\x00-\x1f]"), "*", "Character that replaces the others."
)
MASK = optional(
    "mask",
    Section("a mapping such as {keep_last: 4}", MASK_KEEP_FIRST, MASK_KEEP_LAST, MASK_WITH),
    "Replace all characters except the first and last ones. Text that is not longer than these is"
    " replaced completely.",
)

RULE = Section(
    "a source path, or a rule such as {const: 5}",
    FROM,
    FIRST_OF,
    CONST,
    TEMPLATE,
    VALUES,
    RULE_DEFAULT,
    LOWER,
    UPPER,
    TRIM,
    REPLACE,
    REGEX,
    NUMBER,
    JSON,
    PARSE,
    REQUIRED,
    UNIT,
    SCALE,
    RULE_FORMAT,
    NORMALISE,
    HASH,
    SALT_FILE,
    SALT,
    MASK,
    shorthand="from",
)
