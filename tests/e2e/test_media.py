"""Everything beside text with the official `openai` SDK: answers, bytes, bills to the nano-dollar."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.media_world import CONFIG, billed, row, wipe
from tests.e2e.stack import Stack
from tests.e2e.three_wires import simulate

SOUND = ("speech.mp3", b"ID3" + bytes(range(256)) * 20, "audio/mpeg")
PICTURE = ("cat.png", b"\x89PNG\r\n\x1a\n--not-a-boundary\r\n" + b"\0" * 300, "image/png")


@pytest.fixture(scope="module")
def module_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("media"), CONFIG) as stack:
        yield stack


@pytest.fixture
def stack(module_world: Stack) -> Stack:
    wipe(module_world)
    return module_world


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


def cost_of(headers: Any) -> int:
    """Nano-dollars in our header; fails where the cost is unknown."""
    whole, _, part = headers["x-interchange-cost-usd"].partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0") or 0)


def last_path(stack: Stack) -> str:
    return str(stack.simulator.requests[-1]["path"])


def test_moderations_are_judged_and_cost_nothing(client: openai.OpenAI) -> None:
    raw = client.moderations.with_raw_response.create(input=["fine", "this is [flag]"])
    assert [one.flagged for one in raw.parse().results] == [False, True]
    assert raw.headers["x-interchange-provider"] == "one"
    assert cost_of(raw.headers) == 0


@pytest.mark.parametrize(("model", "units"), [("rank", "searches=2"), ("rank-by-search", "searches=2")])
def test_documents_are_ranked_and_billed_by_token_or_search(stack: Stack, model: str, units: str) -> None:
    before = billed(stack)
    body = {"model": model, "query": "green tea", "documents": ["coffee", "green tea"] * 75, "top_n": 2}
    with stack.client() as http:
        answer = http.post("/v1/rerank", json=body)
    assert [one["index"] for one in answer.json()["results"]] == [1, 3]
    assert cost_of(answer.headers) == billed(stack) - before > 0
    assert answer.headers["x-interchange-cost-estimated"] == "false"
    assert row(stack, answer.headers["x-request-id"])["attempts"][0]["units"] == units


@pytest.mark.parametrize(("model", "units"), [("draw", "images=3"), ("draw-by-picture", "images=3")])
def test_pictures_are_billed_by_token_or_piece(
    client: openai.OpenAI, stack: Stack, model: str, units: str
) -> None:
    before = billed(stack)
    raw = client.images.with_raw_response.generate(model=model, prompt="a quiet harbour", n=3)
    assert len(raw.parse().data or ()) == 3
    assert cost_of(raw.headers) == billed(stack) - before > 0
    assert row(stack, raw.headers["x-request-id"])["attempts"][0]["units"] == units


def test_pictures_are_edited_with_all_their_files(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    raw = client.images.with_raw_response.edit(
        model="one/draw", image=[PICTURE, PICTURE], mask=PICTURE, prompt="at night", extra_body={"novel": "1"}
    )
    assert raw.parse().data
    assert cost_of(raw.headers) == billed(stack) - before > 0
    assert last_path(stack) == "/v1/images/edits"


def test_pictures_are_edited_by_address_and_varied(client: openai.OpenAI, stack: Stack) -> None:
    body = {"model": "draw", "prompt": "p", "images": [{"image_url": "https://example.org/a.png"}]}
    with stack.client() as http:
        assert http.post("/v1/images/edits", json=body).json()["data"]
    assert client.images.create_variation(model="draw-by-picture", image=PICTURE, n=2).data


def test_pictures_are_drawn_by_gemini(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    raw = client.images.with_raw_response.generate(
        model="google/draw", prompt="a cat", size="1536x1024", user="u"
    )
    drawn = raw.parse()
    assert drawn.data and drawn.data[0].b64_json and drawn.usage and drawn.usage.output_tokens
    assert cost_of(raw.headers) == billed(stack) - before > 0
    assert raw.headers["x-interchange-dropped"] == "user"
    config = stack.simulator.requests[-1]["body"]["generationConfig"]
    assert config["imageConfig"] == {"aspectRatio": "3:2"}
    with pytest.raises(openai.BadRequestError, match="one picture"):
        client.images.generate(model="google/draw", prompt="a cat", n=2)


def test_partial_pictures_are_streamed(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    stream = client.images.generate(model="draw", prompt="a cat", stream=True, partial_images=2)
    kinds = [event.type for event in stream]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    recorded = row(stack, stream.response.headers["x-request-id"])
    assert recorded["cost_nano_usd"] == billed(stack) - before > 0
    assert recorded["outcome"] == "ok"


def test_speech_is_relayed_as_sound(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    with client.audio.speech.with_streaming_response.create(
        model="speak", input="Ünïcode hello", voice="alloy", response_format="wav"
    ) as speech:
        sound = b"".join(speech.iter_bytes())
    assert sound == "ID3simulated speech: Ünïcode hello".encode()
    assert speech.headers["content-type"] == "audio/wav"
    recorded = row(stack, speech.headers["x-request-id"])
    assert recorded["attempts"][0]["units"] == "characters=13"
    assert recorded["cost_nano_usd"] == billed(stack) - before == 13 * 15_000


def test_speech_is_relayed_as_events(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    body = {"model": "speak-tokens", "input": "hello", "voice": "v", "stream_format": "sse"}
    with stack.client() as http:
        answer = http.post("/v1/audio/speech", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"speech.audio.done"' in answer.text and "[DONE]" not in answer.text
    recorded = row(stack, answer.headers["x-request-id"])
    assert recorded["cost_nano_usd"] == billed(stack) - before > 0


def test_sound_priced_by_tokens_nobody_told_has_an_unknown_cost(client: openai.OpenAI, stack: Stack) -> None:
    speech = client.audio.speech.create(model="speak-tokens", input="hello", voice="v")
    assert row(stack, speech.response.headers["x-request-id"])["cost_nano_usd"] is None


@pytest.mark.parametrize("model", ["hear", "hear-by-second"])
@pytest.mark.parametrize("path", ["transcriptions", "translations"])
def test_transcripts_are_billed_by_token_or_second(
    client: openai.OpenAI, stack: Stack, model: str, path: str
) -> None:
    before = billed(stack)
    raw = getattr(client.audio, path).with_raw_response.create(model=model, file=SOUND)
    assert "5123 bytes named speech.mp3" in raw.parse().text
    assert cost_of(raw.headers) == billed(stack) - before > 0
    assert last_path(stack) == f"/v1/audio/{path}"


@pytest.mark.parametrize(("form", "begins"), [("text", "A sim"), ("srt", "1\n00:"), ("vtt", "WEBVTT\n")])
def test_transcripts_as_text_come_as_they_are(
    client: openai.OpenAI, stack: Stack, form: Any, begins: str
) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(model="hear", file=SOUND, response_format=form)
    assert raw.text.startswith(begins)
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.headers["x-interchange-cost-usd"] == "unknown", "plain text does not say how long it was"


def test_a_verbose_transcript_keeps_its_fields(client: openai.OpenAI) -> None:
    said = client.audio.transcriptions.create(model="hear", file=SOUND, response_format="verbose_json")
    assert float(said.duration) == 5.123


def test_a_transcript_is_streamed(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    stream = client.audio.transcriptions.create(model="hear", file=SOUND, stream=True)
    events = list(stream)
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == (
        "A simulated transcript of 5123 bytes named speech.mp3."
    )
    assert events[-1].type == "transcript.text.done"
    recorded = row(stack, stream.response.headers["x-request-id"])
    assert recorded["cost_nano_usd"] == billed(stack) - before > 0


def test_a_streamed_wish_that_a_model_overlooks_is_still_answered(client: openai.OpenAI) -> None:
    stream = client.audio.transcriptions.create(model="hear-by-second", file=SOUND, stream=True)
    assert [event.type for event in stream] == ["transcript.text.done"]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("moderations", {"json": {"model": "omni-moderation-latest", "input": "x"}}),
        ("rerank", {"json": {"model": "rank", "query": "x", "documents": ["y"]}}),
        ("images/generations", {"json": {"model": "draw", "prompt": "x"}}),
        ("images/edits", {"data": {"model": "draw", "prompt": "x"}, "files": {"image": PICTURE}}),
        ("images/variations", {"data": {"model": "draw"}, "files": {"image": PICTURE}}),
        ("audio/speech", {"json": {"model": "speak", "input": "x", "voice": "v"}}),
        ("audio/transcriptions", {"data": {"model": "hear"}, "files": {"file": SOUND}}),
        ("audio/translations", {"data": {"model": "hear"}, "files": {"file": SOUND}}),
    ],
)
def test_a_broken_provider_is_replaced_by_the_next(stack: Stack, path: str, options: Any) -> None:
    simulate(
        stack, lambda: stack.simulator.fault({"kind": "status", "status": 503}, match={"provider": "one"})
    )
    with stack.client() as http:
        answer = http.post(f"/v1/{path}", **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-interchange-provider"] == "two"
    assert int(answer.headers["x-interchange-attempts"]) >= 2


def test_a_large_upload_reaches_the_provider_whole(client: openai.OpenAI, stack: Stack) -> None:
    file = ("long.wav", b"RIFF" + b"\r\n--\0" * (5 * 1024 * 1024), "audio/wav")
    said = client.with_options(timeout=180).audio.transcriptions.create(model="hear", file=file)
    assert f"{len(file[1])} bytes named long.wav" in said.text
    assert stack.simulator.requests[-1]["body_bytes"] > 25 * 1024 * 1024


def test_cut_sound_is_never_a_clean_end(stack: Stack) -> None:
    cut = {"kind": "cut_after", "tokens": 2}
    simulate(stack, lambda: stack.simulator.fault(cut, match={"provider": "one"}))
    with (
        stack.client() as http,
        http.stream("POST", "/v1/audio/speech", json={"model": "early", "input": "hello " * 40}) as answer,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
        request_id = answer.headers["x-request-id"]
    assert row(stack, request_id)["outcome"] == "cut"


def test_nothing_is_said_before_slow_sound(stack: Stack) -> None:
    slow = {"kind": "slow_first_token", "delay_s": 0.2}
    simulate(stack, lambda: stack.simulator.fault(slow, match={"provider": "one"}))
    with stack.client() as http:
        answer = http.post("/v1/audio/speech", json={"model": "early", "input": "hello"})
    assert answer.content == b"ID3simulated speech: hello"


@pytest.mark.parametrize(
    ("path", "options", "param"),
    [
        ("moderations", {"json": {}}, "input"),
        ("rerank", {"json": {"model": "rank", "query": "x", "documents": []}}, "documents"),
        ("rerank", {"json": {"model": "rank", "query": "", "documents": ["a"]}}, "query"),
        ("images/generations", {"json": {"prompt": "x"}}, "model"),
        ("images/generations", {"json": {"model": "draw", "prompt": "x", "n": 0}}, "n"),
        ("audio/speech", {"json": {"model": "speak", "input": ""}}, "input"),
        ("audio/transcriptions", {"json": {"model": "hear", "file": "x"}}, "content-type"),
        ("audio/transcriptions", {"data": {"model": "hear"}, "files": {"other": SOUND}}, "file"),
        ("audio/transcriptions", {"data": {"model": "hear"}, "files": {"file": (None, b"x")}}, "file"),
        ("audio/transcriptions", {"data": {"model": "hear"}, "files": {"file": ("a", b"")}}, "file"),
        ("audio/transcriptions", {"files": {"file": SOUND}}, "model"),
        ("audio/transcriptions", {"data": {"model": ["a", "b"]}, "files": {"file": SOUND}}, "model"),
        (
            "audio/translations",
            {"data": {"model": "hear", "prompt": "x" * 300_000}, "files": {"file": SOUND}},
            "prompt",
        ),
        (
            "images/edits",
            {"data": {"model": "draw", "prompt": "p", "n": "x"}, "files": {"image": PICTURE}},
            "n",
        ),
        ("images/edits", {"data": {"model": "draw"}, "files": {"image": PICTURE}}, "prompt"),
        ("images/variations", {"files": [("image", PICTURE)] * 200, "data": {"model": "draw"}}, "body"),
    ],
)
def test_bad_input_is_refused_by_name(stack: Stack, path: str, options: Any, param: str) -> None:
    with stack.client() as http:
        answer = http.post(f"/v1/{path}", **options)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert not stack.simulator.requests, "nothing was sent"


def test_a_broken_form_is_refused(stack: Stack) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    with stack.client() as http:
        for body in (
            b"",
            b"--b\r\n",
            b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx",
            b"nothing",
        ):
            answer = http.post("/v1/audio/transcriptions", content=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "body")


def test_what_no_provider_offers_is_refused_and_not_called_busy(stack: Stack) -> None:
    with stack.client() as http:
        answer = http.post("/v1/images/generations", json={"model": "words/small", "prompt": "x"})
        gated = http.post("/v1/images/generations", json={"model": "gated/draw", "prompt": "x"})
    assert answer.status_code == gated.status_code == 400
    assert "offers image" in answer.json()["error"]["message"]
    assert "Portkey" in gated.json()["error"]["message"]


def test_a_model_that_moderates_nothing_keeps_answering_chats(stack: Stack) -> None:
    missing = {"kind": "status", "status": 404, "code": "model_not_found", "message": "no such model"}
    match = {"provider": "one", "path": "/v1/moderations"}
    simulate(stack, lambda: stack.simulator.fault(missing, match=match))
    with stack.client() as http:
        refused = http.post("/v1/moderations", json={"model": "one/small", "input": "x"})
        chat = {"model": "one/small", "messages": [{"role": "user", "content": "x"}]}
        assert http.post("/v1/chat/completions", json=chat).status_code == 200
    assert refused.status_code == 404


def test_a_server_without_the_endpoint_is_not_asked_again(stack: Stack) -> None:
    missing = {"kind": "status", "status": 404, "body": '{"detail":"Not Found"}'}
    simulate(stack, lambda: stack.simulator.fault(missing, match={"provider": "bare", "path": "/v1/rerank"}))
    body = {"model": "bare-first", "query": "x", "documents": ["y"]}
    chat = {"model": "bare/small", "messages": [{"role": "user", "content": "x"}]}
    with stack.client() as http:
        first, second = (http.post("/v1/rerank", json=body) for _ in range(2))
        assert http.post("/v1/chat/completions", json=chat).status_code == 200
    assert first.headers["x-interchange-provider"] == second.headers["x-interchange-provider"] == "two"
    assert [answer.headers["x-interchange-attempts"] for answer in (first, second)] == ["2", "1"]


def test_a_repeated_key_gets_the_same_sound(stack: Stack) -> None:
    with stack.client(**{"idempotency-key": "sound-1"}) as http:
        first, second = (
            http.post("/v1/audio/speech", json={"model": "speak", "input": "once"}) for _ in range(2)
        )
    assert first.content == second.content
    assert second.headers["content-type"] == "audio/mpeg"
    assert len(stack.simulator.requests) == 1
