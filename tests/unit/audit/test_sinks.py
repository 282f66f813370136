"""Where checkpoints go, and the key that signs them."""

import io
import json
import stat
from pathlib import Path

import pytest

from adapters.audit.sinks import FileSink, OutputSink, WebhookSink
from adapters.crypto.audit_key import AUDIT_KEY_FILE, load_audit_signer, signed_by
from application.ports.http import HttpRequest, HttpResponse, HttpTransport, TransportFailed, TransportStage
from domain.audit.checkpoint import (
    Checkpoint,
    checkpoint_text,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    signed_note,
    split_notes,
)
from domain.errors import EgressRefused, InvalidRequest, StoreUnavailable

TEXT = checkpoint_text(Checkpoint("interchange/test", 7, b"r" * 32, 5, 1, b"h" * 32))


class Answered(HttpResponse):
    def __init__(self, status: int) -> None:
        self.status = status
        self.headers = []

    async def read(self) -> bytes:
        return b""

    async def next_chunk(self) -> bytes:
        return b""

    def close(self) -> None:
        return None


class Listener(HttpTransport):
    """Answers with this status, or fails at this stage."""

    def __init__(self, answers: int | TransportStage) -> None:
        self.answers = answers
        self.heard: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.heard.append(request)
        if isinstance(self.answers, TransportStage):
            raise TransportFailed(self.answers, "no")
        return Answered(self.answers)

    async def aclose(self) -> None:
        return None


def note(directory: Path) -> str:
    signer = load_audit_signer(directory, "interchange-test", None)
    return signed_note(TEXT, signer.key, signer.sign(TEXT.encode()))


def test_the_key_is_made_once_and_private_and_its_public_half_checks_notes(tmp_path: Path) -> None:
    text, [signature] = parse_note(note(tmp_path))
    key = parse_verifier_key(str(load_audit_signer(tmp_path, "interchange-test", None).key))

    assert parse_checkpoint(text).size == 7
    assert signature.key_id == key.key_id
    assert signed_by(key.public, text.encode(), signature.signature)
    assert not signed_by(key.public, text.encode() + b" ", signature.signature)
    assert stat.S_IMODE((tmp_path / AUDIT_KEY_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("given", ["x", "ab" * 31, "zz" * 32])
def test_a_malformed_key_is_refused_without_being_shown(tmp_path: Path, given: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        load_audit_signer(tmp_path, "interchange-test", given)

    assert given not in raised.value.message or given == "x"


@pytest.mark.parametrize("text", ["", "name", "name+00000000+AAAA", "a b+00000000+AAAA"])
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        parse_verifier_key(text)


async def test_a_file_gets_one_note_after_the_other(tmp_path: Path) -> None:
    made, sink = note(tmp_path), FileSink(tmp_path / "there" / "kept.txt")

    await sink.publish(made)
    await sink.publish(made)

    assert split_notes((tmp_path / "there" / "kept.txt").read_text()) == [made, made]


async def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await FileSink(tmp_path).publish("x")


async def test_the_output_gets_one_line(tmp_path: Path) -> None:
    made, out = note(tmp_path), io.StringIO()

    await OutputSink(out).publish(made)

    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue()) == {"audit_checkpoint": made}
    out.close()
    with pytest.raises(StoreUnavailable):
        await OutputSink(out).publish(made)


async def test_a_web_address_gets_the_signed_text(tmp_path: Path) -> None:
    listener, made = Listener(204), note(tmp_path)

    await WebhookSink("https://audit.example/in?x=1", listener).publish(made)

    [request] = listener.heard
    assert (request.method, request.path, request.body) == ("POST", "/in?x=1", made.encode())
    assert request.endpoint.authority == "audit.example"


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (500, StoreUnavailable),
        (302, StoreUnavailable),
        (TransportStage.CONNECT, StoreUnavailable),
        (TransportStage.REFUSED, EgressRefused),
    ],
)
async def test_a_web_address_that_does_not_take_it_is_told(
    answers: int | TransportStage, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await WebhookSink("https://audit.example/", Listener(answers)).publish("x")


@pytest.mark.parametrize("url", ["", "ftp://x", "https://", "https://user:pw@x/", "http://x:99999/"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        WebhookSink(url, Listener(204))
