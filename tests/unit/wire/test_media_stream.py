"""Sound and events of pictures and transcripts: what commits, what ends, what was cut."""

import json
from typing import Any

import pytest

from adapters.wire.media_stream import MediaStream
from application.ports.wire import OPENAI_IMAGES, OPENAI_SPEECH
from domain.llm.failures import FailureKind
from domain.llm.stream import StreamMachine
from domain.llm.units import CHARACTERS
from domain.llm.usage import Usage
from tests.unit.wire.calls import READER

EVENTS = (("content-type", "text/event-stream"),)
CHUNKED = (("content-type", "audio/mpeg"), ("transfer-encoding", "chunked"))
UNTIL_CLOSED = (("content-type", "audio/mpeg"),)


def stream(dialect: str, headers: Any, **fields: Any) -> tuple[MediaStream, StreamMachine]:
    body = {"model": "m", "input": "hello", "prompt": "p", **fields}
    decoder = MediaStream(READER.read(dialect, json.dumps(body).encode()))
    decoder.begin(headers)
    return decoder, StreamMachine()


def fed(decoder: MediaStream, machine: StreamMachine, *pieces: bytes) -> bytes:
    raw = b""
    for block in [*(decoder.feed(piece) for piece in pieces), decoder.end(), decoder.end()]:
        raw += block.raw
        for event in block.events:
            machine.feed(event)
    return raw


def test_the_first_byte_of_sound_commits_and_its_framed_end_completes() -> None:
    decoder, machine = stream(OPENAI_SPEECH, CHUNKED)
    for event in decoder.feed(b"\x00").events:
        machine.feed(event)
    assert machine.committed and not machine.complete
    assert fed(decoder, machine, b"\xff\n\n", b"data: [DONE]\n\n") == b"\xff\n\ndata: [DONE]\n\n"
    assert machine.complete and machine.terminated
    assert machine.usage == Usage(units=((CHARACTERS, 5),))


def test_sound_that_ends_with_its_connection_may_have_been_cut() -> None:
    decoder, machine = stream(OPENAI_SPEECH, UNTIL_CLOSED)
    fed(decoder, machine, b"ID3")
    assert machine.failure is not None and machine.failure.kind is FailureKind.NETWORK
    assert not machine.complete


def test_no_sound_at_all_is_no_answer() -> None:
    decoder, machine = stream(OPENAI_SPEECH, CHUNKED)
    fed(decoder, machine)
    assert machine.failure is not None and machine.may_fail_over


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_events_go_on_as_they_came_however_they_were_cut(size: int) -> None:
    said = (
        b"event: image_generation.partial_image\n"
        b'data: {"type":"image_generation.partial_image","b64_json":"AA"}\n\n'
        b": a comment\n\n"
        b'data: {"type":"image_generation.completed","b64_json":"AA","size":"1024x1024","quality":"high",'
        b'"usage":{"input_tokens":4,"output_tokens":9,"input_tokens_details":{"text_tokens":4,"image_tokens":0}}}\n\n'
        b"data: [DONE]\n\n"
    )
    decoder, machine = stream(OPENAI_IMAGES, EVENTS, stream=True)
    assert fed(decoder, machine, *(said[at : at + size] for at in range(0, len(said), size))) == said
    assert machine.complete
    assert machine.usage == Usage(4, 9, output_image_tokens=9, units=(("images:1024x1024:high", 1),))


def test_several_pictures_are_complete_with_the_last_one() -> None:
    one = b'data: {"type":"image_generation.completed","b64_json":"AA"}\n\n'
    decoder, machine = stream(OPENAI_IMAGES, EVENTS, stream=True, n=2)
    for event in decoder.feed(one).events:
        machine.feed(event)
    assert not machine.complete
    fed(decoder, machine, one)
    assert machine.complete and machine.usage == Usage(units=(("images", 2),))


def test_an_error_among_the_events_is_a_failure() -> None:
    decoder, machine = stream(OPENAI_IMAGES, EVENTS, stream=True)
    error = b'data: {"type":"error","error":{"message":"overloaded","code":"server_error"}}\n\n'
    assert fed(decoder, machine, error) == b""
    assert machine.failure is not None and machine.may_fail_over
