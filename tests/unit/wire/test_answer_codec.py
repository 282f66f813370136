"""Kept answers as bytes: whole again, or nothing."""

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.crypto.entry_seal import AesGcmEntrySeal
from adapters.wire import answer_codec
from adapters.wire.answer_codec import AnswerCodec
from application.ports.entry_seal import EntrySeal, NoSeal
from domain.caching.entry import CachedAnswer, Position

KEY = bytes(range(32))
SEALS = [NoSeal(), AesGcmEntrySeal({"k1": b"1" * 32})]


def answer(**changed: object) -> CachedAnswer:
    made = CachedAnswer(
        key=KEY,
        tenant_id="Prüfstand",
        route="fast",
        namespace="n/m",
        tags=("a", "b"),
        dialect="openai.chat",
        streamed=True,
        body=b'{"choices":[]}',
        content_type="application/json",
        finish_reason="stop",
        target_id="t1",
        provider="openai",
        model="m",
        region="eu",
        simulated=True,
        input_tokens=3,
        output_tokens=4,
        cost_nano_usd=5_000_000_000_000,
        made_at_us=1,
        expires_at_us=2,
        kept_until_us=3,
        heard=Position("epoch", 7),
        text="Grüße",
        question="Wie spät ist es?",
        dropped=("seed",),
        via="direct",
    )
    return made._replace(**changed)  # type: ignore[arg-type]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
COUNT = st.integers(0, 2**62)
ANSWERS = st.builds(
    CachedAnswer,
    key=st.just(KEY),
    tenant_id=TEXT,
    route=TEXT,
    namespace=TEXT,
    tags=st.lists(TEXT, max_size=3).map(tuple),
    dialect=TEXT,
    streamed=st.booleans(),
    body=st.binary(max_size=2_000),
    content_type=TEXT,
    finish_reason=TEXT,
    target_id=TEXT,
    provider=TEXT,
    model=TEXT,
    region=TEXT,
    simulated=st.booleans(),
    input_tokens=COUNT,
    output_tokens=COUNT,
    cost_nano_usd=st.none() | COUNT,
    made_at_us=COUNT,
    expires_at_us=COUNT,
    kept_until_us=COUNT,
    heard=st.builds(Position, TEXT, COUNT),
    text=TEXT,
    question=TEXT,
    dropped=st.lists(TEXT, max_size=2).map(tuple),
    via=TEXT,
)


@pytest.mark.parametrize("seal", SEALS)
@settings(max_examples=60)
@given(kept=ANSWERS)
def test_every_field_comes_back(seal: EntrySeal, kept: CachedAnswer) -> None:
    codec = AnswerCodec(seal)

    again = codec.decode(kept.key, codec.encode(kept))

    assert again == kept
    assert again is not None
    assert type(again.heard) is Position


@pytest.mark.parametrize("seal", SEALS)
@settings(max_examples=100)
@given(data=st.data(), long=st.booleans())
def test_a_changed_byte_or_a_missing_end_is_nothing(seal: EntrySeal, data: st.DataObject, long: bool) -> None:
    codec = AnswerCodec(seal)
    encoded = codec.encode(answer(body=b"word " * 300) if long else answer(body=b"word"))
    place = data.draw(st.integers(0, len(encoded) - 1))
    flipped = bytearray(encoded)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))

    assert codec.decode(KEY, bytes(flipped)) is None
    assert codec.decode(KEY, encoded[:place]) is None


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_nothing(data: bytes) -> None:
    assert AnswerCodec().decode(KEY, bytes((answer_codec.VERSION,)) + data) is None
    assert AnswerCodec().decode(KEY, data) is None


@pytest.mark.parametrize("seal", SEALS)
def test_an_entry_under_another_key_or_with_another_tenant_outside_is_nothing(seal: EntrySeal) -> None:
    codec = AnswerCodec(seal)
    encoded = codec.encode(answer(tenant_id="acme"))

    assert codec.decode(KEY[::-1], encoded) is None
    assert codec.decode(KEY, encoded.replace(b"acme", b"evil", 1)) is None


def test_another_version_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = AnswerCodec().encode(answer())
    monkeypatch.setattr(answer_codec, "VERSION", answer_codec.VERSION + 1)

    assert AnswerCodec().decode(KEY, encoded) is None


def test_repetitive_bodies_become_small_and_short_ones_stay_as_they_are() -> None:
    codec = AnswerCodec()

    assert len(codec.encode(answer(body=b"the same again, " * 1_000))) < 1_000
    assert b"unpacked" in codec.encode(answer(body=b"unpacked"))


class _BombSeal(NoSeal):
    """Opens to something that claims to be, or is, larger than bounds allow."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, tenant_id: str, key: bytes, sealed: bytes) -> bytes | None:
        return self.content


@pytest.mark.parametrize("says_its_size", [True, False])
def test_what_would_unpack_beyond_bounds_is_nothing(says_its_size: bool) -> None:
    packer = zstandard.ZstdCompressor(write_content_size=says_its_size)
    bomb = packer.compress(bytes(answer_codec.PLAIN_BYTES_MAX + 1))

    assert AnswerCodec(_BombSeal(b"\x01" + bomb)).decode(KEY, AnswerCodec().encode(answer())) is None
    assert AnswerCodec(_BombSeal(b"\x07" + bomb)).decode(KEY, AnswerCodec().encode(answer())) is None


@pytest.mark.parametrize(
    "kept",
    [
        answer(text="\ud800"),
        answer(tenant_id="\ud800"),
        answer(input_tokens=2**70),
        answer(tenant_id="x" * 70_000),
        answer(body=bytes(answer_codec.PLAIN_BYTES_MAX)),
    ],
    ids=["text", "tenant", "number", "long tenant", "body"],
)
def test_what_nobody_could_read_again_is_refused(kept: CachedAnswer) -> None:
    with pytest.raises(ValueError):
        AnswerCodec().encode(kept)
