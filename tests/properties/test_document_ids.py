"""The `_id` of a MongoDB document: the same key in upserts, from the document, and in deletes.

Debezium writes the document in the legacy form of extended JSON and the Kafka key in the relaxed
form, so one id has two spellings.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from consumer.decoding.extended_json import ExtendedJson, checked_json
from consumer.mapping.settings import FieldRule
from tests.unit.decoding.contract import Route

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999


class Spelled(NamedTuple):
    """One value in the legacy and in the relaxed form."""

    legacy: Any
    relaxed: Any


def same(value: object) -> Spelled:
    """Return a value that both forms spell alike."""
    return Spelled(value, value)


def date(ms: int) -> Spelled:
    """Return a date: the relaxed form is text from 1970 to 9999."""
    if not 0 <= ms <= LAST_MS:
        return Spelled({"$date": ms}, {"$date": {"$numberLong": str(ms)}})
    at = (EPOCH + timedelta(milliseconds=ms)).replace(tzinfo=None)
    part = "milliseconds" if ms % 1000 else "seconds"
    return Spelled({"$date": ms}, {"$date": f"{at.isoformat(timespec=part)}Z"})


def binary(content: bytes, subtype: int) -> Spelled:
    """Return binary data, of which subtype 4 is a UUID."""
    text = base64.b64encode(content).decode()
    return Spelled(
        {"$binary": text, "$type": f"{subtype:02X}"},
        {"$binary": {"base64": text, "subType": f"{subtype:02X}"}},
    )


def document(members: dict[str, Spelled]) -> Spelled:
    """Return an object with these members."""
    return Spelled(
        {name: one.legacy for name, one in members.items()},
        {name: one.relaxed for name, one in members.items()},
    )


LONGS = st.integers(-(2**63), 2**63 - 1)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).map(
    lambda one: {"$numberDecimal": str(one)}
)
SINGLE = st.one_of(
    st.binary(min_size=12, max_size=12).map(lambda one: same({"$oid": one.hex()})),
    st.text(max_size=20).map(same),
    st.integers(-(2**31), 2**31 - 1).map(same),
    LONGS.map(lambda one: Spelled({"$numberLong": str(one)}, one)),
    st.floats(allow_nan=False, allow_infinity=False).map(same),
    DECIMALS.map(same),
    st.booleans().map(same),
    st.integers(-(10**15), 10**16).map(date),
    st.binary(max_size=20).map(lambda one: binary(one, 0)),
    st.binary(min_size=16, max_size=16).map(lambda one: binary(one, 4)),
    st.integers(0, 2**32 - 1).map(lambda one: same({"$timestamp": {"t": one, "i": 1}})),
    st.sampled_from([{"$minKey": 1}, {"$maxKey": 1}, None]).map(same),
)
NAMES = st.text(st.characters(exclude_characters="$"), max_size=6)
IDS = SINGLE | st.dictionaries(NAMES, SINGLE, min_size=1, max_size=3).map(document)


def outcome(route: Route, value: object, key: object) -> object:
    """Return the key of the one change, or the reason why it is refused."""
    ((*_, found),) = [
        (one,) if isinstance(one, str) else one[:2] for one in route.outcomes(value, key=key)
    ]
    return found


@given(IDS)
def test_upsert_and_delete_have_the_same_key(spelled: Spelled) -> None:
    """Whatever type the id has; one that cannot be a key is refused in both for the same reason."""
    route = Route("debezium_mongodb", fields={"id": FieldRule(source="_id")})
    created = {"op": "c", "after": json.dumps({"_id": spelled.legacy})}
    deleted = {"op": "d", "before": None, "after": None}
    key = {"id": json.dumps(spelled.relaxed)}

    assert outcome(route, created, key) == outcome(route, deleted, key)


@given(IDS)
def test_upsert_has_the_same_key_in_every_form_of_the_change(spelled: Spelled) -> None:
    """From the document, and from the Kafka key of an update without it."""
    route = Route("debezium_mongodb", fields={"id": FieldRule(source="_id")}, partial=True)
    key = {"id": json.dumps(spelled.relaxed)}
    whole = {"op": "u", "after": json.dumps({"_id": spelled.legacy})}
    part = {"op": "u", "after": None, "updateDescription": {"updatedFields": '{"name": "a"}'}}

    assert outcome(route, whole, key) == outcome(route, part, key)


@given(IDS)
def test_a_value_is_the_same_in_both_forms(spelled: Spelled) -> None:
    """Documents are in one form and updated fields in the other, and a field has one value."""
    opened = [ExtendedJson(checked_json(json.dumps(one))).open() for one in spelled]

    assert opened[0] == opened[1]
    assert type(opened[0]) is type(opened[1])
