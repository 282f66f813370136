"""Bodies that were compared before are known by their digests, and by everything that is read beside them."""

from dataclasses import replace

from adapters.wire.cache_reader import BODY_BYTES_MAX, DialectCacheReader
from adapters.wire.heads import DialectReader
from application.ports.wire import OPENAI_CHAT
from domain.llm.request import LlmRequest

BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'


def request(body: bytes = BODY) -> LlmRequest:
    return DialectReader().read(OPENAI_CHAT, body)


def test_what_is_remembered_is_what_is_read() -> None:
    reader = DialectCacheReader()
    plain = request()
    others = [
        replace(plain, headers=(("openai-beta", "x"),)),
        replace(plain, forced_max_output_tokens=5),
        replace(plain, model="other"),
        request(BODY.replace(b"hi", b"ho")),
    ]
    first = [reader.asked(each) for each in (plain, *others)]
    again = [reader.asked(each) for each in (plain, *others)]
    fresh = [DialectCacheReader().asked(each) for each in (plain, *others)]

    assert first == again == fresh and len({each.digest for each in first if each is not None}) == 5
    assert reader.asked(replace(plain, previous_response_id="resp_1")) is None


def test_too_large_bodies_are_neither_read_nor_remembered() -> None:
    reader = DialectCacheReader()
    large = replace(request(), body=b" " * (BODY_BYTES_MAX + 1))

    assert reader.asked(large) is None and not reader._seen


def test_only_so_many_are_remembered() -> None:
    reader = DialectCacheReader()
    for number in range(8_300):
        reader.asked(replace(request(), model=f"m{number}"))

    assert 0 < len(reader._seen) <= 8_192
