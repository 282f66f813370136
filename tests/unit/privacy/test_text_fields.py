"""One visitor reaches every text of every dialect, and leaves alone what is none."""

from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest

from adapters.privacy.detector import PatternDetector
from adapters.wire.heads import DialectReader
from adapters.wire.text_fields import DialectTexts
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    FAMILY,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_TRANSCRIPTIONS,
)
from application.privacy.rewriting import PolicyWork, RestoringWork
from domain.errors import PiiBlocked
from domain.privacy.placeholders import Placeholders
from domain.privacy.policy import BUILT_IN, EffectivePolicy, Where
from tests.unit.privacy.bodies import ANSWERS, REQUESTS, filled

EMAIL = "bob.stone@example.com"
TEXTS, DETECTOR, JSON = DialectTexts(), PatternDetector(), "application/json"
WITHOUT_JSON = {
    "openai.image_edits",
    "openai.image_variations",
    "openai.transcriptions",
    "openai.translations",
}


def work(policy: str = "tokenise", *, answer: bool = False) -> PolicyWork:
    return PolicyWork(EffectivePolicy([BUILT_IN[policy]]), DETECTOR, Placeholders(b"key"), answer=answer)


def rewritten(body: dict[str, Any], dialect: str = OPENAI_CHAT, policy: str = "tokenise") -> Any:
    return msgspec.json.decode(TEXTS.request(dialect, msgspec.json.encode(body), JSON, work(policy)))


def test_there_is_a_body_for_every_dialect() -> None:
    assert set(REQUESTS) | WITHOUT_JSON == set(FAMILY)


@pytest.mark.parametrize("dialect", REQUESTS)
def test_no_text_of_a_request_is_passed_over(dialect: str) -> None:
    plain = REQUESTS[dialect]
    body = msgspec.json.encode(filled(plain, EMAIL))
    doing = work()

    said = TEXTS.request(dialect, body, JSON, doing)

    assert EMAIL.encode() not in said
    placeholder = doing.placeholders.stand_for(doing.noted[0].kind, EMAIL, reversible=True)
    assert msgspec.json.decode(said) == filled(plain, placeholder)
    back = TEXTS.request(dialect, said, JSON, RestoringWork(doing.placeholders))
    assert msgspec.json.decode(back) == filled(plain, EMAIL)


@pytest.mark.parametrize("dialect", ANSWERS)
def test_no_text_of_an_answer_is_passed_over(dialect: str) -> None:
    body = msgspec.json.encode(filled(ANSWERS[dialect], EMAIL))
    doing = work(answer=True)
    said = TEXTS.answer(dialect, body, JSON, doing)
    assert EMAIL.encode() not in said
    assert TEXTS.answer(dialect, said, JSON, RestoringWork(doing.placeholders)) == body


@pytest.mark.parametrize("dialect", REQUESTS)
def test_a_body_without_findings_keeps_its_bytes(dialect: str) -> None:
    body = msgspec.json.format(msgspec.json.encode(REQUESTS[dialect]), indent=3)
    assert TEXTS.request(dialect, body, JSON, work()) is body


@pytest.mark.parametrize("dialect", sorted(set(REQUESTS) - {"gemini.embeddings", "gemini.count_tokens"}))
def test_a_rewritten_request_can_still_be_read(dialect: str) -> None:
    body = TEXTS.request(dialect, msgspec.json.encode(filled(REQUESTS[dialect], EMAIL)), JSON, work())
    assert DialectReader().read(dialect, body).body == body


@pytest.mark.parametrize("name", ["role", "type", "id", "tool_call_id", "name"])
def test_an_address_where_a_word_should_stand_is_no_word(name: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi", name: EMAIL}]}
    assert EMAIL not in str(rewritten(body))


def test_names_of_models_and_ids_are_left_alone() -> None:
    body = {
        "model": EMAIL,
        "messages": [{"role": "tool", "tool_call_id": "call_4111111111111111", "content": "x"}],
    }
    assert rewritten(body) == body


def test_media_and_signatures_are_left_alone() -> None:
    base64 = "QUJD" * 40
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64}"}},
        {"type": "input_audio", "input_audio": {"data": base64, "format": "wav"}},
        {"type": "thinking", "thinking": f"about {EMAIL}", "signature": base64},
        {"type": "redacted_thinking", "data": base64},
        {"type": "reasoning", "encrypted_content": base64, "summary": []},
    ]
    body = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    assert rewritten(body, ANTHROPIC_MESSAGES) == body


def test_signed_thoughts_with_blocked_kinds_are_refused() -> None:
    thought = {"type": "thinking", "thinking": f"about {EMAIL}", "signature": "QUJD"}
    body = {"model": "m", "messages": [{"role": "assistant", "content": [thought]}]}
    doing = work("block")
    TEXTS.request(ANTHROPIC_MESSAGES, msgspec.json.encode(body), JSON, doing)
    with pytest.raises(PiiBlocked, match=r"messages\[0\].content\[0\].thinking"):
        doing.refuse()


def test_texts_in_base64_are_read() -> None:
    file = "data:text/plain;base64," + "Ym9iLnN0b25lQGV4YW1wbGUuY29t"
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": file}}]}],
    }
    said = rewritten(body, policy="redact")["messages"][0]["content"][0]["file"]["file_data"]
    assert said == "data:text/plain;base64,PEVNQUlMX0FERFJFU1M+"


def test_numbers_in_what_callers_make_up_are_read() -> None:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": '{"card": 4111111111111111, "n": 5}'},
    }
    body = {"model": "m", "seed": 4111111111111111, "messages": [{"role": "assistant", "tool_calls": [call]}]}
    said = rewritten(body, policy="redact")
    assert (
        said["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"card": "<CREDIT_CARD>", "n": 5}'
    )
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"card": 4111111111111111, "n": 5}}
    used = {"model": "m", "messages": [{"role": "assistant", "content": [block]}]}
    said = rewritten(used, ANTHROPIC_MESSAGES, "redact")
    assert said["messages"][0]["content"][0]["input"] == {"card": "<CREDIT_CARD>", "n": 5}


def test_escapes_hide_nothing() -> None:
    arguments = '{"to": "bob.stone\\u0040example.com", "\\u0062ob.stone@example.com": "\\ud83d\\ude00"}'
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    said = rewritten(
        {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}, policy="redact"
    )
    told = said["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert msgspec.json.decode(told) == {"to": "<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>": "\U0001f600"}


def test_a_name_that_stands_twice_passes_nothing_on_unread() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"bob.stone@example.com","content":"hi"}]}'
    said = TEXTS.request(OPENAI_CHAT, body, JSON, work())
    assert EMAIL.encode() not in said
    assert msgspec.json.decode(said)["messages"][0]["content"] == "hi"


@pytest.mark.parametrize(("dialect", "name"), [(OPENAI_EMBEDDINGS, "input"), (OPENAI_COMPLETIONS, "prompt")])
@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_numbers_of_tokens_cannot_be_read_and_are_refused(dialect: str, name: str, tokens: list[Any]) -> None:
    body = msgspec.json.encode({"model": "m", name: tokens})
    with pytest.raises(PiiBlocked, match=name):
        TEXTS.request(dialect, body, JSON, work())
    assert TEXTS.request(dialect, body, JSON, work("off")) is body


def test_tables_of_tokens_are_left_out_of_answers_that_are_rewritten() -> None:
    answer = {
        "choices": [{"index": 0, "message": {"content": "hi"}, "logprobs": {"content": [{"token": "hi"}]}}]
    }
    said = TEXTS.answer(OPENAI_CHAT, msgspec.json.encode(answer), JSON, work(answer=True))
    assert msgspec.json.decode(said)["choices"][0]["logprobs"] is None


def test_fields_of_forms_are_read_and_files_keep_their_bytes() -> None:
    sound = bytes(range(256))
    head = b"--b\r\ncontent-disposition: form-data; name="
    form = (
        head + b'"model"\r\n\r\nwhisper\r\n' + head + b'"prompt"\r\n\r\nto ' + EMAIL.encode() + b"\r\n"
        + head + b'"file"; filename="a.wav"\r\n\r\n' + sound + b"\r\n--b--\r\n"
    )  # fmt: skip
    said = TEXTS.request(OPENAI_TRANSCRIPTIONS, form, "multipart/form-data; boundary=b", work("redact"))
    assert said == form.replace(EMAIL.encode(), b"<EMAIL_ADDRESS>")
    assert (
        TEXTS.answer(OPENAI_TRANSCRIPTIONS, EMAIL.encode(), "text/plain", work("redact"))
        == b"<EMAIL_ADDRESS>"
    )


def test_places_are_told_apart() -> None:
    only = EffectivePolicy([BUILT_IN["redact"]])
    doing = PolicyWork(only, DETECTOR, Placeholders(b"key"))
    TEXTS.request(OPENAI_CHAT, msgspec.json.encode(filled(REQUESTS[OPENAI_CHAT], EMAIL)), JSON, doing)
    assert {noted.where for noted in doing.noted} == set(Where) - {Where.ANSWERS}


def coded(text: str, *, short: bool = False) -> str:
    made = urlsafe_b64encode(text.encode()).decode()
    return made.rstrip("=") if short else made


@pytest.mark.parametrize(
    "media",
    ["text/plain", "Text/Plain; charset=utf-8", "text/csv", "application/json", "application/x-ndjson",
     "application/vnd.api+json", "image/svg+xml", "APPLICATION/YAML"],
)  # fmt: skip
@pytest.mark.parametrize("text", [EMAIL, f"{EMAIL} " * 20, f"\u00ff\u00fe\u00ff{EMAIL}\u00ff"])
def test_a_text_in_base64_is_read_however_its_type_is_spelt(media: str, text: str) -> None:
    for data in (coded(text), coded(text, short=True), f"not in base64 at all: {text}"):
        blob = {"inlineData": {"mimeType": media, "data": data}}
        said = rewritten({"contents": [{"parts": [blob]}]}, GEMINI_GENERATE)
        back = said["contents"][0]["parts"][0]["inlineData"]["data"]
        assert EMAIL not in back
        assert coded(EMAIL).rstrip("=") not in back
        assert said["contents"][0]["parts"][0] != blob


def test_a_text_in_a_data_url_is_read_with_its_percent_signs() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:text/plain,to%20bob.stone%40example.com"}}
    said = rewritten({"messages": [{"role": "user", "content": [part]}]})
    assert "bob" not in str(said)


def test_only_the_model_that_is_asked_for_may_be_called_anything() -> None:
    said = rewritten({"model": EMAIL, "tools": [{"type": "x", "model": EMAIL}]})
    assert said["model"] == EMAIL
    assert EMAIL not in str(said["tools"])


def test_a_name_that_is_a_number_is_a_text() -> None:
    tool = {"type": "function", "function": {"name": "lookup_v20240501", "parameters": {}}}
    said = rewritten(
        {"messages": [{"role": "user", "name": "+4915112345678", "content": "x"}], "tools": [tool]}
    )
    assert "4915112345678" not in str(said)
    assert said["tools"] == [tool]


def test_words_of_forms_are_texts_where_they_look_like_none() -> None:
    form = b'--b\r\ncontent-disposition: form-data; name="size"\r\n\r\nto %b\r\n--b--\r\n'
    body = form % EMAIL.encode()
    said = TEXTS.request(OPENAI_TRANSCRIPTIONS, body, 'multipart/form-data; boundary="b"', work())
    assert EMAIL.encode() not in said
