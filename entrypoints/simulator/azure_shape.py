"""Azure OpenAI's shape: OpenAI's, with content filter results, errors of its own and checks of the address.

After "Azure OpenAI in Azure AI Foundry Models REST API reference" (paths, `api-version`, `api-key`),
"Content filtering" (prompt results in a first chunk without choices, `innererror` of a refusal) and the model
inference reference of Azure AI Foundry (`/models/…`).
"""

from typing import Any

import msgspec

from entrypoints.simulator import openai_shape
from entrypoints.simulator.connection import Request
from entrypoints.simulator.conversation import Answer, Ask, Frame, FrameKind, Rejected
from entrypoints.simulator.routes import Route

_encode, _decode = msgspec.json.encode, msgspec.json.decode
_V1_VERSIONS = frozenset({"", "v1", "preview", "latest"})
_HARMLESS = {"filtered": False, "severity": "safe"}
_RESULTS = dict.fromkeys(("hate", "self_harm", "sexual", "violence"), _HARMLESS)
_PROMPT_RESULTS = [{"prompt_index": 0, "content_filter_results": _RESULTS}]
_POLICY_CODES = frozenset({"content_filter", "content_policy_violation"})


def admit(route: Route, request: Request) -> None:
    """Raises Rejected as the service does for a missing version and for a proof it does not take."""
    bearer = (request.header(b"authorization") or "").lower().startswith("bearer ")
    if not bearer and not request.header(b"api-key"):
        raise Rejected(
            401, "Access denied due to invalid subscription key or wrong API endpoint.", code="401"
        )
    dated = "/openai/v1/" not in f"{route.path}/"
    if dated and not route.api_version:
        raise Rejected(404, "Resource not found", code="404")
    if not dated and route.api_version not in _V1_VERSIONS:
        raise Rejected(400, "API version not supported", code="BadRequest")


def chat_body(ask: Ask, answer: Answer) -> bytes:
    """A whole chat completion with filter results."""
    body: dict[str, Any] = _decode(openai_shape.chat_body(ask, answer))
    for choice in body["choices"]:
        choice["content_filter_results"] = _RESULTS
    return _encode({**body, "prompt_filter_results": _PROMPT_RESULTS})


def chat_frames(ask: Ask, answer: Answer) -> list[Frame]:
    """A stream that begins with the prompt's filter results, in a chunk without choices and names."""
    head: dict[str, Any] = {"choices": [], "created": 0, "id": "", "model": "", "object": ""}
    head["prompt_filter_results"] = _PROMPT_RESULTS
    first = Frame(FrameKind.META, b"data: " + _encode(head) + b"\n\n")
    return [first, *openai_shape.chat_frames(ask, answer)]


def error_of(status: int, message: str, *, kind: str | None, code: str | None, param: str | None) -> bytes:
    """An error body; a refusal of the content filter says so in `innererror`."""
    if code in _POLICY_CODES:
        refused = {"hate": {"filtered": True, "severity": "high"}}
        error: dict[str, Any] = {
            "message": f"The response was filtered due to the prompt triggering the filter. {message}",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": status,
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": refused},
        }
        return _encode({"error": error})
    if code is None and kind is None:
        # The service in front of the models knows numbers only.
        return _encode({"error": {"code": str(status), "message": message}})
    return openai_shape.error_of(status, message, kind=kind, code=code, param=param)


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:
    """An error inside a stream."""
    return b"data: " + error_of(status, message, kind=kind, code=code, param=None) + b"\n\n"
