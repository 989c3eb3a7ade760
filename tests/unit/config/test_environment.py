"""References to environment variables in values."""

from __future__ import annotations

import pytest

from consumer.config import yaml_file
from consumer.config.environment import expand
from consumer.config.findings import Findings
from consumer.config.tree import MappingNode, ScalarNode

ENVIRON = {"NAME": "blue", "NUMBER": "17", "EMPTY": "", "TRICKY": "${NAME}", "COLON": "a:b"}


def expanded(value: str) -> tuple[ScalarNode, Findings]:
    """Expand one value of a file."""
    findings = Findings()
    tree = expand(yaml_file.parse(f"key: {value}\n", "file", findings), ENVIRON, findings)
    assert isinstance(tree, MappingNode)
    node = tree.members[0].node
    assert isinstance(node, ScalarNode)
    return node, findings


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${NAME}", "blue"),
        ("a-${NAME}-z", "a-blue-z"),
        ("${NAME}${NUMBER}", "blue17"),
        ("${NUMBER}", 17),
        ('"${NUMBER}"', "17"),
        ("${MISSING:red}", "red"),
        ("${MISSING:}", None),
        ("${NAME:red}", "blue"),
        ("${EMPTY:red}", None),
        ("${MISSING:a:b}", "a:b"),
        ("${COLON}", "a:b"),
        ("$${NAME}", "${NAME}"),
        ("$NAME", "$NAME"),
        ("cost $5", "cost $5"),
    ],
)
def test_a_reference_becomes_its_value(written: str, value: object) -> None:
    """References are replaced anywhere in a value; without quotes the result is typed."""
    node, findings = expanded(written)
    assert (value, ()) == (node.value, findings.faults)


def test_the_value_of_a_variable_is_not_expanded_again() -> None:
    """The value of a variable stays text, even if it looks like a reference."""
    node, _ = expanded("${TRICKY}")
    assert node.text == "${NAME}"


def test_i49_a_variable_that_is_not_set() -> None:
    """I49: the message names the variable and the key that refers to it."""
    _, findings = expanded("${SF_SECRET}")
    [fault] = findings.faults
    assert str(fault).startswith("file:1:6: key: environment variable SF_SECRET is not set")


def test_every_missing_variable_is_named() -> None:
    """Two missing variables in one value are two faults."""
    _, findings = expanded("${ONE}-${TWO}")
    assert len(findings.faults) == 2


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("${NAME}", True),
        ("x${NAME}", False),
        ("${MISSING:red}", False),
        ("${NAME:red}", True),
        ("blue", False),
    ],
)
def test_a_secret_must_come_whole_from_the_environment(written: str, taken: object) -> None:
    """A default or literal text in the value would be a secret in the file."""
    node, _ = expanded(written)
    assert taken == node.taken
