"""Forms are found in place and changed in one place only."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.media_forms import PARTS_MAX, field, read_parts, with_field
from domain.errors import InvalidRequest

BOUNDARY = "b0undary"
TYPE = f'multipart/form-data; boundary="{BOUNDARY}"'
NAMES = st.text("abcdefgh[]_", min_size=1, max_size=8)
CONTENTS = st.binary(max_size=200).filter(lambda data: f"--{BOUNDARY}".encode() not in data)


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    pieces = []
    for name, filename, content in parts:
        more = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: audio/x-odd'
        pieces.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
            + content
            + b"\r\n"
        )
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, st.none() | st.just("a.bin"), CONTENTS), max_size=6))
def test_parts_are_found_where_they_stand(parts: list[tuple[str, str | None, bytes]]) -> None:
    body = form(*parts)
    found = read_parts(body, TYPE)
    assert [(part.name, part.filename, body[part.start : part.end]) for part in found] == parts
    assert all(part.content_type == "audio/x-odd" for part in found if part.filename)


@settings(max_examples=60)
@given(CONTENTS, st.text("xyz-/.", max_size=30), NAMES)
def test_a_changed_model_leaves_every_other_byte(content: bytes, model: str, other: str) -> None:
    before, after = (other + "1", None, b"kept"), ("file", "ü.wav", content)
    body = form(before, ("model", None, b"asked"), after)
    assert with_field(body, TYPE, "model", model) == form(before, ("model", None, model.encode()), after)


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda data: form(("a", "f", data))[:-9] + data))
def test_whatever_arrives_is_read_or_refused(body: bytes) -> None:
    try:
        parts = read_parts(body, TYPE)
    except InvalidRequest as error:
        assert error.param in ("body", "a")
    else:
        assert all(0 <= part.start <= part.end <= len(body) for part in parts)


def test_a_field_that_is_there_twice_is_no_field() -> None:
    body = form(("model", None, b"a"), ("model", None, b"b"))
    with pytest.raises(InvalidRequest, match="more than one"):
        field(body, read_parts(body, TYPE), "model")


def test_parts_are_bounded() -> None:
    with pytest.raises(InvalidRequest, match="parts"):
        read_parts(form(*[("a", None, b"")] * (PARTS_MAX + 1)), TYPE)


def test_a_form_names_its_boundary() -> None:
    with pytest.raises(InvalidRequest, match="boundary"):
        read_parts(b"--x--", "multipart/form-data")
