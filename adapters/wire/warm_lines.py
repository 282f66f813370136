"""Lines of JSON that caches are warmed from: plain bodies, lines of batch files, logged exchanges."""

from typing import Final

import msgspec
from msgspec import Raw

from adapters.wire.registry import codec_for
from application.batch_lines import DIALECT_BY_ENDPOINT
from application.ports.llm import UpstreamFailed
from application.ports.warm_lines import LoggedAnswer, WarmLine, WarmLines
from application.ports.wire import OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS
from domain.errors import InvalidRequest

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_TEXT: Final = msgspec.json.Decoder(str).decode
_BY_FIELD: Final = {
    "messages": OPENAI_CHAT,
    "prompt": OPENAI_COMPLETIONS,
    "input": OPENAI_EMBEDDINGS,
}
_BATCH_ANSWER: Final = frozenset({"status_code", "body"})
"""What the lines of a batch's output wrap an answer in."""


class JsonWarmLines(WarmLines):
    """Fields of a line that are not known are left out: logs have many."""

    def read(self, raw: bytes) -> WarmLine:
        fields = _object(raw, "line")
        inner = next((name for name in ("request", "body") if name in fields), None)
        if inner is None:
            return WarmLine(_dialect(fields), bytes(raw))
        body = bytes(fields[inner])
        asked = _object(body, inner)
        dialect = _named(fields["url"]) if "url" in fields else _dialect(asked)
        if "response" not in fields or bytes(fields["response"]) == b"null":
            return WarmLine(dialect, body)
        response = _object(bytes(fields["response"]), "response")
        if response.keys() >= _BATCH_ANSWER:
            if bytes(response["status_code"]) != b"200":
                raise InvalidRequest("response.status_code: the answer is an error", param="response")
            return WarmLine(dialect, body, bytes(response["body"]))
        return WarmLine(dialect, body, bytes(fields["response"]))

    def answer(self, dialect: str, response: bytes) -> LoggedAnswer:
        try:
            decoded = codec_for(dialect, dialect).response(response)
        except LookupError:
            raise InvalidRequest(f"answers of {dialect} cannot be read", param="response") from None
        except UpstreamFailed as error:
            raise InvalidRequest(f"response: {error.failure.message}", param="response") from None
        usage = decoded.usage
        if usage is None:
            return LoggedAnswer(decoded.finish_reason or "", 0, 0)
        return LoggedAnswer(decoded.finish_reason or "", usage.input_tokens, usage.output_tokens)


def _object(raw: bytes, name: str) -> dict[str, Raw]:
    try:
        return _FIELDS(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest(f"{name}: is no JSON object", param=name) from None


def _named(raw: Raw) -> str:
    try:
        return DIALECT_BY_ENDPOINT[_TEXT(raw)]
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
        allowed = ", ".join(DIALECT_BY_ENDPOINT)
        raise InvalidRequest(f"url: must be one of {allowed}", param="url") from None


def _dialect(fields: dict[str, Raw]) -> str:
    for name, dialect in _BY_FIELD.items():
        if name in fields:
            return dialect
    raise InvalidRequest("line: no request is in it (messages, prompt, input, or request)", param="line")
