"""Keys in what providers say: found in every spelling, in time that grows with the text."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.errors import parse_error
from adapters.wire.redaction import redacted, redacted_body

KEY = "our/key+of=the?operator~7f3a"


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


@pytest.mark.parametrize(
    "spelt",
    [
        KEY,
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        quote(KEY),
        b64encode(KEY.encode()).decode(),
        urlsafe_b64encode(f"user:{KEY}".encode()).decode(),
        b64encode(f"x{KEY}, and more".encode()).decode(),
    ],
)
def test_a_key_is_found_however_it_is_spelt(spelt: str) -> None:
    clean = redacted(f"the key {spelt} is wrong", (KEY,))

    assert "[redacted]" in clean
    assert spelt not in clean


@pytest.mark.parametrize("spelt", [escaped(KEY), KEY.replace("/", "\\/"), escaped(KEY[:9]) + KEY[9:]])
def test_a_key_in_json_is_found_behind_its_escapes(spelt: str) -> None:
    body = b'{"error": {"message": "wrong: %b", "details": ["%b"]}}' % (spelt.encode(), spelt.encode())

    clean = redacted_body(body, (KEY,))

    assert KEY not in json.dumps(json.loads(clean)) and KEY not in str(json.loads(clean))
    assert json.loads(clean)["error"]["details"] == ["[redacted]"]


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2NvZ25pdGl2ZSJ9.c2lnbmF0dXJl",
        "ya29.a0AfH6SMBx1234567890abcdefgh",
        "ASIAIOSFODNN7EXAMPLE",
    ],
)
def test_tokens_of_identity_providers_are_known_by_their_looks(token: str) -> None:
    assert token not in redacted(f"the token {token} has expired")


def test_a_body_without_keys_stays_as_it_is() -> None:
    body = b'{"error": {"message": "caf\\u00e9 \\/ \xff", "n": 1.50}}'

    assert redacted_body(body, (KEY,)) == body


@settings(max_examples=100)
@given(
    st.text(alphabet=st.characters(codec="ascii"), min_size=8, max_size=40),
    st.binary(max_size=9),
    st.binary(max_size=9),
)
def test_no_surrounding_hides_a_key_in_base64(key: str, before: bytes, after: bytes) -> None:
    whole = b64encode(before + key.encode() + after).decode()

    assert redacted(whole, (key,)) != whole


@pytest.mark.parametrize(
    "text", ["sk-", " ", "bearer ", "<script ", "<title>", "eyJaaaaaaaa", "AIza", "\\", "["]
)
def test_hostile_texts_are_read_in_bounded_time(text: str) -> None:
    # Quadratic searches take many seconds each here.
    whole = text * (64 * 1024 // len(text))

    assert len(redacted(whole, (KEY,))) <= len(whole)
    redacted_body(whole.encode(), (KEY,))
    parse_error(b"<" + whole.encode())
