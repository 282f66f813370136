"""Bodies and answers as the answer cache compares them."""

from hashlib import blake2b
from typing import Final

from adapters.wire import answer_texts
from adapters.wire.canonical import Incomparable, decoded, encoded, number_of
from adapters.wire.canonical_bodies import Json, one_form
from adapters.wire.last_questions import last_question
from application.ports.cache_reader import CacheReader
from application.ports.wire import GEMINI_GENERATE, OPENAI_CHAT
from domain.caching.key import KEY_BYTES
from domain.caching.question import Asked, Question
from domain.llm.request import LlmRequest

BODY_BYTES_MAX: Final = 1024 * 1024
"""Larger bodies are not compared: that would hold up everybody else for milliseconds."""

_VENDOR_PREFIXES: Final = (
    "anthropic-",
    "openai-",
    "x-goog-",
    "x-dashscope-",
    "x-openrouter-",
    "extra-parameters",
    "azureml-",
)
"""Of headers that are forwarded and that some provider reads as part of what is asked."""
_BETAS: Final = frozenset({"anthropic-beta", "openai-beta"})
"""Lists in which neither order nor repetition counts."""
_NEUTRAL: Final = frozenset(
    {
        "anthropic-dangerous-direct-browser-access",
        "x-goog-api-client",
        "x-goog-request-id",
        "x-goog-request-params",
    }
)
"""What says from where is asked, not what."""
_VERSION: Final = ("anthropic-version", "2023-06-01")
"""The one version there is, which is also what a caller gets who names none."""


REMEMBERED_MAX: Final = 8_192
"""Bodies seen lately, by their digest: whoever asks the same again mostly does so in the same bytes."""


class DialectCacheReader(CacheReader):
    """Reads every dialect whose answers may be kept. One serves everybody, in one thread."""

    def __init__(self) -> None:
        self._seen: dict[bytes, Asked | None] = {}

    def asked(self, request: LlmRequest) -> Asked | None:
        if len(request.body) > BODY_BYTES_MAX:
            return None
        # Of everything that is read below: no text is remembered, and nobody learns what others asked.
        beside = (
            request.dialect,
            request.model,
            request.forced_max_output_tokens,
            request.continues is not None or bool(request.previous_response_id),
            request.headers,
            len(request.body),
        )
        hashed = blake2b(repr(beside).encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES)
        hashed.update(request.body)
        seen = hashed.digest()
        if seen in self._seen:
            return self._seen[seen]
        asked = self._asked(request)
        if len(self._seen) >= REMEMBERED_MAX:
            self._seen.clear()
        self._seen[seen] = asked
        return asked

    @staticmethod
    def _asked(request: LlmRequest) -> Asked | None:
        try:
            body = _form_of(request)
            return (
                None if body is None else Asked(_digest(request, b"asked", body), _temperature(request, body))
            )
        except Incomparable:
            return None

    def question(self, request: LlmRequest) -> Question | None:
        try:
            body = _form_of(request)
            found = None if body is None else last_question(request.dialect, body)
            if body is None or found is None:
                return None
            found.holder[found.name] = None  # what has one form has no nulls here, so this cannot be sent
            return Question(_digest(request, b"around", body), found.text, found.exchanges)
        except Incomparable:
            return None

    def answer_text(self, dialect: str, body: bytes) -> str:
        return answer_texts.answer_text(dialect, body)

    def calls_tools(self, dialect: str, body: bytes) -> bool:
        return answer_texts.calls_tools(dialect, body)


def _form_of(request: LlmRequest) -> Json | None:
    """The body in its one form; None where it is no object, or not all that is asked. Raises Incomparable."""
    if len(request.body) > BODY_BYTES_MAX or request.continues is not None or request.previous_response_id:
        return None
    body = decoded(request.body)
    if type(body) is not dict or _wants_it_stored(request.dialect, body):
        return None
    try:
        return one_form(request.dialect, body)
    except LookupError:
        return None


def _wants_it_stored(dialect: str, body: Json) -> bool:
    """Whether whoever asks wants to find this very answer at the provider later, where a kept one is not."""
    return dialect == OPENAI_CHAT and body.get("store") not in (None, False)


def _digest(request: LlmRequest, kind: bytes, body: Json) -> bytes:
    headers = [pair for pair in request.headers if pair[0].startswith(_VENDOR_PREFIXES)]
    said = _said(headers) if headers else ()
    beside = (request.dialect, request.model, request.forced_max_output_tokens, said)
    # An array ends where it ends, and no line break of JSON is a raw one: the three cannot run together.
    return blake2b(b"%b\n%b\n%b" % (kind, encoded(beside), encoded(body)), digest_size=KEY_BYTES).digest()


def _said(headers: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Vendor headers that may change an answer, in one order."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name not in _NEUTRAL and (name, value.strip()) != _VERSION:
            found.setdefault(name, []).append(value.strip())
    for name in _BETAS & found.keys():
        words = {word.strip() for value in found[name] for word in value.split(",")}
        found[name] = sorted(words - {""})
    return sorted((name, values) for name, values in found.items() if values)


def _temperature(request: LlmRequest, body: Json) -> float | None:
    holder = body.get("generationConfig") if request.dialect == GEMINI_GENERATE else body
    return number_of(holder.get("temperature")) if type(holder) is dict else None
