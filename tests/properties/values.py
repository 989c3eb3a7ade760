"""Column values as JSON text: every kind of value, and values that were once misread."""

from __future__ import annotations

import base64
import json

from hypothesis import strategies as st

MARK = "__debezium_unavailable_value"

TEXTS = [
    "",
    "a",
    "Ann Lee",
    " Padded ",
    "é\U0001f600\uffff",
    'quote " back \\ slash',
    "nul \0 inside",
    "tab\tline\n",
    "null",
    "true",
    "1",
    "-0",
    "12.50",
    "1,234",
    "NaN",
    "k" * 300,
    "2024-02-29",
    "2023-02-29",
    "2024-02-29Z",
    "2024-02-29T10:00:00Z",
    "2024-02-29T10:00:00.123456Z",
    "2024-02-29T10:00:00.1Z",
    "2024-02-29 10:00:00.123456789+05:30",
    "2024-02-29T10:00:00",
    "2024-03-31T02:30:00",
    "2024-02-29T24:00:00Z",
    "2024-02-29T10:00:\u0660\u0660.123456Z",
    "2024-02-29T10:00:00.12345\u0660Z",
    "infinity",
    "10:34:56.123456Z",
    "AfQ=",
    "AA==",
    MARK,
    base64.b64encode(MARK.encode()).decode(),
    MARK.encode().hex(),
]
BARE = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1",
    "42",
    "-7",
    "1.10",
    "1e-400",
    "1E5",
    "1e400",
    "9" * 40,
    "7" * 400,
    "19782",
    "-622191234",
    "1767323045678901",
    "1767323045678",
    "9223372036825200000",
    "9223372036854775807",
    "-9223372036854775808",
    "{}",
    "[]",
    '{"scale":2,"value":"AfQ="}',
    '{"a":"x","b":null}',
    '["a", 1.10]',
    json.dumps([MARK]),
    json.dumps(list(MARK.encode())),
    '{"c":{"d":7}}',
]
VALUES = st.one_of(
    st.sampled_from(BARE),
    st.sampled_from(TEXTS).map(json.dumps),
    st.sampled_from(TEXTS).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.integers(-(2**70), 2**70).map(str),
    st.text(max_size=8).filter(lambda text: text.isprintable()).map(json.dumps),
)
