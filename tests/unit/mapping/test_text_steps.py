"""Rules that change text: replace, regex, format, normalise, hash and mask, and their order."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from consumer.auth.settings import Secret
from consumer.mapping.regex import LONGEST_OF_LARGE, LONGEST_TEXT
from consumer.mapping.settings import (
    Alternative,
    FieldRule,
    MaskSettings,
    RegexSettings,
    TimeFormatSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH_PATHS = pytest.mark.parametrize("times", [1, 4], ids=["first", "cached"])
PLACEHOLDER = "__debezium_unavailable_value"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def field_by(
    mapping: Callable[..., Any], name: str, rule: FieldRule, row: dict[str, Any], times: int
) -> Any:  # noqa: ANN401 - of many kinds
    """Map the same row several times; return the value of the field, or the reason."""
    route = mapping(fields={name: rule})
    outcomes = [route.outcome({"id": 1} | row) for _ in range(times)]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    return outcomes[0] if isinstance(outcomes[0], str) else outcomes[0][2][name]


def regex(pattern: str, replacement: str, **others: Any) -> FieldRule:  # noqa: ANN401 - of a rule
    return FieldRule(
        source="s", regex=RegexSettings(pattern=pattern, replacement=replacement), **others
    )


def written(pattern: str, zone: str | None = None, **others: Any) -> FieldRule:  # noqa: ANN401 - of a rule
    return FieldRule(source="s", format=TimeFormatSettings(pattern=pattern, zone=zone), **others)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a@b.c", sha256("a@b.c"), id="text"),
        pytest.param("é😀", sha256("é😀"), id="utf-8"),
        pytest.param(42, sha256("42"), id="number-as-its-text"),
        pytest.param(True, sha256("true"), id="boolean-as-its-text"),
        pytest.param("", "", id="empty-stays-empty"),
        pytest.param(None, None, id="null-stays-null"),
        pytest.param({"a": 1}, "FIELD_TYPE", id="object"),
        pytest.param("a\0b", "FIELD_CHARS", id="a-character-that-is-refused-without-the-rule"),
    ],
)
def test_hash(value: object, expected: object, times: int, mapping: Callable[..., Any]) -> None:
    """The SHA-256 of the text that the field would have, in hex."""
    rule = FieldRule(source="s", hash="sha256")

    assert expected == field_by(mapping, "name", rule, {"s": value}, times)


@BOTH_PATHS
def test_salt_is_put_before_the_text(times: int, mapping: Callable[..., Any]) -> None:
    """Another program can compute the same hash."""
    rule = FieldRule(source="s", hash="sha256", salt=Secret(value="pepper"))

    assert sha256("peppera@b.c") == field_by(mapping, "name", rule, {"s": "a@b.c"}, times)


def test_salt_that_was_not_read_hashes_nothing(mapping: Callable[..., Any]) -> None:
    """A value without its salt would be a hash that nothing matches."""
    rule = FieldRule(source="s", hash="sha256", salt=Secret(path=None))

    assert "FIELD_FORMAT" == field_by(mapping, "name", rule, {"s": "a"}, 1)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        pytest.param("email", " Ann.Lee@Example.COM ", "ann.lee@example.com", id="email"),
        pytest.param("phone", "+1 (415) 555-2671", "+14155552671", id="phone"),
        pytest.param("phone", "0049 30/123 456.78", "+493012345678", id="phone-with-zeros"),
        pytest.param("phone", "+49\u00a030\u2011123456", "+4930123456", id="phone-in-unicode"),
        pytest.param("phone", " ", "", id="phone-without-digits"),
        pytest.param("phone", "030 123456", "FIELD_FORMAT", id="phone-without-country"),
        pytest.param("phone", "+49 (0)30 123456", "FIELD_FORMAT", id="phone-with-trunk-zero"),
        pytest.param("phone", "+123456789012345678", "FIELD_FORMAT", id="phone-too-long"),
        pytest.param("phone", "+4930123456 ext. 7", "FIELD_FORMAT", id="phone-with-extension"),
        pytest.param("phone", "n/a", "FIELD_FORMAT", id="no-phone"),
        pytest.param("name", "  Jose\u0301   LEE ", "jos\u00e9 lee", id="name"),
    ],
)
def test_normalise(
    form: Any,  # noqa: ANN401 - one of the forms
    value: str,
    expected: str,
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """Values that mean the same have one form."""
    rule = FieldRule(source="s", normalise=form)

    assert expected == field_by(mapping, "name", rule, {"s": value}, times)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("mask", "value", "expected"),
    [
        pytest.param(MaskSettings(), "secret", "******", id="all"),
        pytest.param(MaskSettings(keep_last=4), "4111111111111111", "************1111", id="last"),
        pytest.param(MaskSettings(keep_first=2), "Ann", "An*", id="first"),
        pytest.param(
            MaskSettings(keep_first=1, keep_last=1, character="#"), "Ann Lee", "A#####e", id="both"
        ),
        pytest.param(MaskSettings(keep_first=2, keep_last=2), "abcd", "****", id="nothing-to-hide"),
        pytest.param(MaskSettings(keep_last=4), "é1😀", "***", id="shorter"),
        pytest.param(MaskSettings(keep_last=4), "", "", id="empty"),
        pytest.param(MaskSettings(keep_last=2), 12345, "***45", id="number"),
        pytest.param(MaskSettings(keep_last=2), None, None, id="null"),
    ],
)
def test_mask(
    mask: MaskSettings, value: object, expected: object, times: int, mapping: Callable[..., Any]
) -> None:
    """Kept are the ends of a text that has more characters than them."""
    rule = FieldRule(source="s", mask=mask)

    assert expected == field_by(mapping, "name", rule, {"s": value}, times)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("texts", "value", "expected"),
    [
        pytest.param({"-": "", "/": " "}, "a-b/c-", "ab c", id="several"),
        pytest.param({"a": "b", "b": "a"}, "abba", "baab", id="in-one-pass"),
        pytest.param({"a": "1", "ab": "2"}, "aab", "12", id="the-longest-first"),
        pytest.param({".": "*"}, "a.b", "a*b", id="not-a-pattern"),
        pytest.param({"\0": ""}, "a\0b", "ab", id="a-refused-character"),
        pytest.param({"a": "\0"}, "a", "FIELD_CHARS", id="into-a-refused-character"),
        pytest.param({"1": "2"}, 11, "22", id="digits"),
        pytest.param({"t": "T"}, True, "True", id="boolean"),
        pytest.param({"a": "b"}, None, None, id="null"),
        pytest.param({"a": "b"}, [1], "FIELD_TYPE", id="array"),
    ],
)
def test_replace(
    texts: dict[str, str],
    value: object,
    expected: object,
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """Each text is replaced everywhere, and what replaces it is not replaced again."""
    rule = FieldRule(source="s", replace=texts)

    assert expected == field_by(mapping, "name", rule, {"s": value}, times)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        pytest.param(regex("[^0-9]", ""), "+1 (415) 5", "14155", id="every-match"),
        pytest.param(regex(r"^(\w+)\s+(\w+)$", r"\2, \1"), "Ann Lee", "Lee, Ann", id="groups"),
        pytest.param(regex("b+", r"[\0]"), "abbc", "a[bb]c", id="the-match"),
        pytest.param(regex("(a)|b", r"\1-"), "ab", "a--", id="group-without-a-match"),
        pytest.param(regex("a", "\\\\"), "a", "\\", id="backslash"),
        pytest.param(regex("x", "y"), "abc", "abc", id="no-match"),
        pytest.param(regex("(?i)É", "e"), "éÉ", "ee", id="unicode"),
        pytest.param(regex(r"^4(\d+)(\d{4})$", r"\2"), 4111111111111111, "1111", id="digits"),
        pytest.param(
            regex("(a+)+$", "x"), "a" * 5000 + "b", "a" * 5000 + "b", id="no-backtracking"
        ),
        pytest.param(regex("a", "b"), "a" * (LONGEST_TEXT + 1), "FIELD_FORMAT", id="too-long"),
        pytest.param(regex("a", "b"), "a" * LONGEST_TEXT, "b" * LONGEST_TEXT, id="longest"),
        pytest.param(
            regex("b{100}", ""), "a" * (LONGEST_OF_LARGE + 1), "FIELD_FORMAT", id="large-and-long"
        ),
    ],
)
def test_regex(
    rule: FieldRule, value: object, expected: object, times: int, mapping: Callable[..., Any]
) -> None:
    """Matches are replaced in bounded time."""
    assert expected == field_by(mapping, "name", rule, {"s": value}, times)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        pytest.param(written("dd.MM.yyyy"), "2024-02-29", "29.02.2024", id="date"),
        pytest.param(written("d/M/yy"), "2024-02-09Z", "9/2/24", id="without-zeros"),
        pytest.param(
            written("yyyyMMdd HH:mm:ss.SSS"),
            "2024-02-29T23:05:06.789123Z",
            "20240229 23:05:06.789",
            id="date-time",
        ),
        pytest.param(written("yyyy-MM-dd"), "2024-02-29T23:30:00-02:00", "2024-03-01", id="utc"),
        pytest.param(
            written("yyyy-MM-dd'T'HH:mmXXX", "Europe/Berlin"),
            "2024-07-01T23:30:00Z",
            "2024-07-02T01:30+02:00",
            id="zone",
        ),
        pytest.param(
            written("H 'o''clock' XX"), "2024-07-01T03:30:00Z", "3 o'clock Z", id="quotes"
        ),
        pytest.param(written("XX", "America/St_Johns"), "2024-01-01T00:00:00Z", "-0330", id="west"),
        pytest.param(written("h a"), "2024-07-01T00:30:00Z", "12 AM", id="midnight"),
        pytest.param(written("hh:mm a"), "2024-07-01T13:30:00Z", "01:30 PM", id="afternoon"),
        pytest.param(written("HH:mm"), "10:34:56.123456789", "10:34", id="time-of-day"),
        pytest.param(written("yyyy", unit="ms"), 1709208000123, "2024", id="unit"),
        pytest.param(written("dd.MM.yyyy", unit="days"), 19782, "29.02.2024", id="days"),
        pytest.param(written("yyyy"), "0001-01-01", "0001", id="first-year"),
        pytest.param(written("yyyy"), None, None, id="null"),
        pytest.param(written("yyyy"), 19782, "TIME_FORMAT", id="number-without-unit"),
        pytest.param(written("yyyy"), "29.02.2024", "TIME_FORMAT", id="other-text"),
        pytest.param(written("yyyy"), "2023-02-29", "TIME_RANGE", id="no-such-day"),
        pytest.param(written("yyyy"), "2024-02-29T10:00:00", "TIME_ZONE", id="no-zone"),
        pytest.param(written("dd HH"), "2024-02-29", "TIME_FORMAT", id="date-has-no-hour"),
        pytest.param(written("dd HH"), "10:00:00", "TIME_FORMAT", id="time-has-no-day"),
        pytest.param(
            written("yyyy", "Asia/Tokyo"), "9999-12-31T23:00:00Z", "TIME_RANGE", id="next-year"
        ),
        pytest.param(written("yyyy", unit="s"), 10**15, "TIME_RANGE", id="far-away"),
        pytest.param(written("yyyy"), True, "FIELD_TYPE", id="boolean"),
    ],
)
def test_format(
    rule: FieldRule, value: object, expected: object, times: int, mapping: Callable[..., Any]
) -> None:
    """A date or a time is written by the symbols of the pattern, else the reason says why not."""
    assert expected == field_by(mapping, "name", rule, {"s": value}, times)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("name", "rule", "value", "expected"),
    [
        pytest.param(
            "name",
            regex("^0", "+49", trim=True, normalise="phone", hash="sha256"),
            " 030 123456 ",
            sha256("+4930123456"),
            id="trim-regex-normalise-hash",
        ),
        pytest.param(
            "name",
            FieldRule(source="s", normalise="phone", mask=MaskSettings(keep_last=2)),
            "+49 30 123456",
            "*********56",
            id="normalise-mask",
        ),
        pytest.param(
            "name",
            FieldRule(source="s", upper=True, replace={"A": "x"}),
            "a",
            "x",
            id="upper-first",
        ),
        pytest.param(
            "name",
            regex("b", "c", replace={"a": "b"}),
            "a",
            "c",
            id="replace-regex",
        ),
        pytest.param(
            "name", written("yyyy", replace={"20": "19"}), "2024-02-29", "1924", id="format-replace"
        ),
        pytest.param(
            "name",
            FieldRule(source="s", replace={"1": "a"}, values={"aa": "found"}, default="none"),
            11,
            "found",
            id="replace-values",
        ),
        pytest.param(
            "active",
            FieldRule(source="s", replace={"es": ""}, values={"y": True}),
            "yes",
            True,
            id="boolean-by-values",
        ),
        pytest.param(
            "amount",
            FieldRule(source="s", replace={",": "."}, number=True),
            "1,50",
            "1.50",
            id="number",
        ),
        pytest.param(
            "amount",
            FieldRule(source="s", replace={"1": "2"}, number=True),
            11,
            "11",
            id="a-number",
        ),
        pytest.param(
            "born",
            regex(r"^(\d\d)\.(\d\d)\.(\d{4})$", r"\3-\2-\1"),
            "29.02.2024",
            "2024-02-29",
            id="date",
        ),
        pytest.param(
            "seen",
            FieldRule(source="s", replace={" UTC": "Z"}),
            "2024-02-29 10:00:00 UTC",
            "2024-02-29T10:00:00.000Z",
            id="date-time",
        ),
        pytest.param(
            "name", FieldRule(source="s", hash="sha256", default="none"), None, "none", id="default"
        ),
        pytest.param(
            "name",
            FieldRule(template="{s}|{id}", hash="sha256"),
            "a",
            sha256("a|1"),
            id="template-hash",
        ),
    ],
)
def test_order_of_steps(  # noqa: PLR0917 - the columns of the table
    name: str,
    rule: FieldRule,
    value: object,
    expected: object,
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """Each step gets the text of the one before; a default is sent as it is."""
    assert expected == field_by(mapping, name, rule, {"s": value}, times)


def first_of(*sources: str, **others: Any) -> FieldRule:  # noqa: ANN401 - of a rule
    alternatives = [
        Alternative(template=one) if "{" in one else Alternative(source=one) for one in sources
    ]
    return FieldRule(first_of=tuple(alternatives), **others)


@BOTH_PATHS
@pytest.mark.parametrize(
    ("name", "rule", "row", "expected"),
    [
        pytest.param("name", first_of("a", "b"), {"a": "x", "b": "y"}, "x", id="first"),
        pytest.param("name", first_of("a", "b"), {"a": None, "b": "y"}, "y", id="null-is-skipped"),
        pytest.param("name", first_of("a", "b"), {"b": "y"}, "y", id="missing-is-skipped"),
        pytest.param("name", first_of("a", "b"), {"a": "", "b": "y"}, "", id="empty-is-a-value"),
        pytest.param("name", first_of("a", "b"), {"a": None}, None, id="null"),
        pytest.param("name", first_of("a", "b"), {}, None, id="nothing"),
        pytest.param("name", first_of("a", "b", default="d"), {}, "d", id="default"),
        pytest.param("name", first_of("a", required=True), {}, "FIELD_MISSING", id="required"),
        pytest.param("name", first_of("a.x", "a.y"), {"a": {"y": "z"}}, "z", id="paths"),
        pytest.param("name", first_of("a.x", "b"), {"a": "t"}, "FIELD_TYPE", id="a-fault-stays"),
        pytest.param(
            "name", first_of("{a} {b}", "b"), {"b": "y"}, "y", id="template-with-a-missing-part"
        ),
        pytest.param("name", first_of("a", "{b}!"), {"b": "y"}, "y!", id="template-as-fallback"),
        pytest.param("name", first_of("a", "$kafka.topic"), {}, "shop.public.things", id="kafka"),
        pytest.param(
            "name",
            first_of("a", "b", lower=True, hash="sha256"),
            {"b": "Y"},
            sha256("y"),
            id="steps",
        ),
        pytest.param(
            "seen",
            first_of("a", "b", unit="ms"),
            {"b": 1709208000123},
            "2024-02-29T12:00:00.123Z",
            id="unit",
        ),
        pytest.param("amount", first_of("a", "b"), {"b": 1.5}, "1.5", id="number"),
        pytest.param("active", first_of("a", "b", values={"1": True}), {"b": 1}, True, id="values"),
    ],
)
def test_first_of(  # noqa: PLR0917 - the columns of the table
    name: str,
    rule: FieldRule,
    row: dict[str, Any],
    expected: object,
    times: int,
    mapping: Callable[..., Any],
) -> None:
    """The first source that is neither missing nor null."""
    assert expected == field_by(mapping, name, rule, row, times)


def embedded(row: str) -> bytes:
    """Return a row with a schema that types its columns."""
    fields = (
        '{"field":"id","type":"int32"},'
        '{"field":"a","type":"int64","name":"io.debezium.time.MicroTimestamp","optional":true},'
        '{"field":"b","type":"int64","name":"io.debezium.time.Timestamp","optional":true}'
    )
    return f'{{"schema":{{"type":"struct","fields":[{fields}]}},"payload":{row}}}'.encode()


@BOTH_PATHS
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param('{"id":1,"a":1709208000123456,"b":null}', "2024-02-29 12", id="microseconds"),
        pytest.param('{"id":1,"a":null,"b":1709208000123}', "2024-02-29 12", id="milliseconds"),
    ],
)
def test_each_source_is_read_by_its_own_column(
    row: str, expected: str, times: int, mapping: Callable[..., Any]
) -> None:
    """The types of the source's schema may differ from one source to the next."""
    rule = first_of("a", "b", format=TimeFormatSettings(pattern="yyyy-MM-dd HH"))
    route = mapping(fields={"name": rule})

    assert [expected] * times == [route.row(embedded(row))["name"] for _ in range(times)]


@BOTH_PATHS
@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(first_of("a", "b"), id="first-of"),
        pytest.param(FieldRule(source="a", hash="sha256"), id="hash"),
        pytest.param(FieldRule(source="a", mask=MaskSettings(keep_last=1)), id="mask"),
        pytest.param(FieldRule(source="a", upper=True), id="upper"),
        pytest.param(FieldRule(source="a", replace={"_": "-"}), id="replace"),
        pytest.param(regex("_", "-"), id="regex"),
    ],
)
def test_value_that_was_not_sent_is_not_replaced(
    rule: FieldRule, times: int, mapping: Callable[..., Any]
) -> None:
    """The source has a value: neither a later source nor the text of the placeholder is sent."""
    route = mapping(fields={"name": rule}, format="debezium")
    row = {"id": 1, "a": PLACEHOLDER, "b": "y", "s": PLACEHOLDER}
    outcomes = [route.outcome({"op": "u", "after": row}) for _ in range(times)]

    assert ["ENVELOPE_UNAVAILABLE"] * times == outcomes


def test_surrogate_of_a_custom_function_is_a_reason(mapping: Callable[..., Any]) -> None:
    """Text that UTF-8 cannot encode has no hash and no match."""

    def custom(row: dict[str, Any], record: object) -> dict[str, Any]:
        del record
        return row | {"s": "\ud800"}

    for rule in (FieldRule(source="s", hash="sha256"), regex("a", "b")):
        route = mapping(fields={"name": rule}, custom=custom)

        assert "FIELD_CHARS" == route.outcome({"id": 1})
