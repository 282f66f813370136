"""Lines of batch files as OpenAI has them."""

from typing import Final

import msgspec
from msgspec import Raw

from application.json_limits import check_json_limits
from application.ports.batch_wire import BatchWire
from domain.batch.line import CUSTOM_ID_CHARS_MAX, BatchLine, UnreadableLine
from domain.errors import InterchangeError

_encode: Final = msgspec.json.encode


class _Line(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: Raw


class _Body(msgspec.Struct):
    stream: bool | None = None
    background: bool | None = None


_read_line: Final = msgspec.json.Decoder(_Line).decode
_read_body: Final = msgspec.json.Decoder(_Body).decode
_READABLE: Final = msgspec.json.Decoder(Raw).decode


class JsonLines(BatchWire):
    """Fields that are not read stay as they are; unknown ones beside `body` are left out."""

    def read(self, number: int, raw: bytes) -> BatchLine:
        try:
            line = _read_line(raw)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            field = path.rstrip("`").lstrip(".") or (message.split("`")[-2] if "`" in message else "")
            raise UnreadableLine("invalid_line", message, field or None) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableLine("invalid_json_line", f"the line is not valid JSON: {error}") from None
        if not line.custom_id or len(line.custom_id) > CUSTOM_ID_CHARS_MAX:
            raise UnreadableLine(
                "invalid_custom_id",
                f"custom_id must have 1-{CUSTOM_ID_CHARS_MAX} characters",
                "custom_id",
            )
        if line.method != "POST":
            raise UnreadableLine("invalid_method", "method must be POST", "method")
        body = bytes(line.body)
        try:
            check_json_limits(body)
        except InterchangeError as error:
            raise UnreadableLine("invalid_body", error.message, "body") from None
        try:
            wishes = _read_body(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise UnreadableLine("invalid_body", "body must be a JSON object", "body") from None
        if wishes.stream:
            raise UnreadableLine("stream_in_batch", "an answer cannot be streamed in a batch", "body.stream")
        if wishes.background:
            raise UnreadableLine(
                "background_in_batch", "a batch runs in the background already", "body.background"
            )
        return BatchLine(number, line.custom_id, line.url, body)

    def answer(self, line_id: str, custom_id: str, status: int, request_id: str, body: bytes) -> bytes:
        response = {"status_code": status, "request_id": request_id, "body": _json(body)}
        return _encode({"id": line_id, "custom_id": custom_id, "response": response, "error": None}) + b"\n"

    def refusal(self, line_id: str, custom_id: str, code: str, message: str) -> bytes:
        error = {"code": code, "message": message}
        return _encode({"id": line_id, "custom_id": custom_id, "response": None, "error": error}) + b"\n"


def _json(body: bytes) -> Raw | str:
    """The body as it stands when it is JSON on one line, else as a text."""
    try:
        _READABLE(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", "replace")
    # A line feed in JSON can only stand between values, where a space means the same.
    return Raw(body.replace(b"\n", b" ").replace(b"\r", b" ").strip())
