"""How many tokens a provider can count for a request at most, in and out."""

import unicodedata
from typing import Final, NamedTuple

from domain.budgets.media_tokens import (
    SOUND_BYTES_PER_S_MIN,
    SOUND_TOKENS_PER_S_MAX,
    bare_name,
    counts_beyond_window,
    drawn_image_tokens_max,
    image_tokens_max,
)
from domain.catalog.tags import LIMIT_COVERS_THINKING_TAG
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest, Operation
from domain.routing.target import Target, tagged

BYTES = "bytes"
KNOWN_PREFIX = "known prefix"
WINDOW = "context window"

OVERHEAD_TOKENS: Final = 1_024
"""What a provider puts before any prompt: templates, dates, a system prompt of its own. The longest that are
known (hosted open models, Grok) stay below."""
TOOLS_OVERHEAD_TOKENS: Final = 2_048
"""What it adds when there are tools or a schema. Anthropic publishes up to 530 tokens for tools, and 1,234
with its computer tool."""
_OVERHEADS: Final = {
    "openai": (128, 512),
    "azure": (128, 512),
    "google": (128, 512),
    "vertex": (128, 512),
    "anthropic": (256, TOOLS_OVERHEAD_TOKENS),
}
"""By catalogue provider: (before any prompt, with tools), where less is known to be enough."""

NFC_GROWTH_MAX: Final = 3
"""Times a text can grow in bytes when it is normalised (NFC), as some tokenizers do first."""
NFKC_GROWTH_MAX: Final = 6
"""Characters, and so tokens, that one byte can become in tokenizers of embedding models (NFKC)."""
LEAST_LIMIT_TOKENS: Final = 16
"""The Responses API takes no lower limit, and chats translated to it get this one."""
LONG_WINDOW_TOKENS: Final = 1_000_000
"""Anthropic's longer window, which a caller's header opens."""
_LONG_WINDOW_MARK: Final = "context-1m"

_THINKS_WITHIN_LIMIT: Final = frozenset(
    {
        "openai",
        "azure",
        "anthropic",
        "aws",
        "deepseek",
        "groq",
        "cerebras",
        "together",
        "fireworks",
        "mistral",
    }
    | {"vllm", "tgi", "ollama", "cohere", "bedrock"}
)
"""Providers whose limit on the answer is known to cover its reasoning. Elsewhere a reasoning model may think
beside it: SiliconFlow, Alibaba and Google document it so."""
_WIRES_WITHIN_LIMIT: Final = frozenset({"anthropic", "azure", "bedrock"})
_MODELS_WITHIN_LIMIT: Final = ("claude", "gpt-")
_WRITES_NOTHING: Final = frozenset(
    {Operation.EMBEDDINGS, Operation.COUNT_TOKENS, Operation.MODERATION, Operation.RERANK}
)
_VECTORS: Final = frozenset({Operation.EMBEDDINGS, Operation.MODERATION, Operation.RERANK})
_PREFIXED: Final = frozenset({"input_type", "task", "task_type", "prompt_name"})
"""Fields that make an embedding model put words of its own before every input."""
_PREFIX_TOKENS_MAX: Final = 24
_WITH_TOOLS = int(Capability.FUNCTION_CALLING | Capability.STRUCTURED_OUTPUT)
_REASONING = int(Capability.REASONING)


class Unbounded(NamedTuple):
    """Nothing bounds what an attempt costs: why, and what the caller or operator can do about it."""

    reason: str
    remedy: str


class KnownPrefix(NamedTuple):
    """The provider's own count of what this request begins with, in the same model's tokens.

    `rest_bytes` is all of the body that was not in the request it counted.
    """

    tokens: int
    rest_bytes: int


class InputBound(NamedTuple):
    """`image_tokens` are a part of `tokens`. `made_by` says what the bound rests on."""

    tokens: int
    image_tokens: int
    made_by: str


def input_tokens_max(
    request: LlmRequest, target: Target, known_prefix: KnownPrefix | None, more_bytes: int
) -> InputBound | Unbounded:
    """The input, pictures included. `more_bytes` are added to the body for this attempt alone."""
    contents = request.contents
    overhead = overhead_tokens(request, target)
    window = None if request.operation in _VECTORS else window_tokens(request, target)
    images = 0
    if contents.images:
        each = image_tokens_max(target.offering.model) or image_tokens_max(target.model)
        if each is None:
            return _whole_window(target, window, "the pictures")
        images = contents.images * each
    if contents.outside:
        bound = _whole_window(target, window, contents.outside)
        if isinstance(bound, InputBound) and images and counts_beyond_window(target.offering.model):
            return InputBound(bound.tokens + images, images, WINDOW)
        return bound
    if request.operation is Operation.TRANSCRIPTION:
        seconds = -(-request.media_bytes // SOUND_BYTES_PER_S_MIN)
        text = seconds * SOUND_TOKENS_PER_S_MAX + request.size_bytes - request.media_bytes + overhead
        return InputBound(text, 0, BYTES)
    text, made_by = text_tokens_max(request) + more_bytes + overhead, BYTES
    if known_prefix is not None:
        counted = known_prefix.tokens + known_prefix.rest_bytes * _growth(request) + more_bytes + overhead
        if counted < text:
            text, made_by = counted, KNOWN_PREFIX
    if window is None or text + images <= window:
        return InputBound(text + images, images, made_by)
    if counts_beyond_window(target.offering.model):
        return InputBound(min(text, window) + images, images, WINDOW if window < text else made_by)
    return InputBound(window, min(images, window), WINDOW)


def _whole_window(target: Target, window: int | None, what: str) -> InputBound | Unbounded:
    if window is None:
        return Unbounded(
            f"how much input {what} will be is not in the request, and the context window of {target.id} is "
            "not known",
            "send the content itself as text, choose a model whose context window is known, or set "
            "context_tokens for this one",
        )
    return InputBound(window, window, WINDOW)


def text_tokens_max(request: LlmRequest) -> int:
    """Tokens that the text of a body can be, at most: a token for each byte it can have as a tokenizer sees
    it. Escapes only lengthen what they stand for."""
    text_bytes = request.size_bytes - request.contents.image_bytes
    if request.content_type != "application/json":
        text_bytes = request.size_bytes - request.media_bytes
    return (text_bytes + request.contents.repeated_bytes) * _growth(request)


def _growth(request: LlmRequest) -> int:
    """How often a byte counts, for tokenizers that normalise what they read."""
    body = request.body
    vectors = request.operation in _VECTORS
    if body.isascii():
        return NFC_GROWTH_MAX if vectors and b"\\u" in body else 1
    if request.content_type != "application/json":
        return NFC_GROWTH_MAX
    text = body.decode("utf-8", "replace")
    if vectors:
        return 1 if unicodedata.is_normalized("NFKC", text) else NFKC_GROWTH_MAX
    return 1 if unicodedata.is_normalized("NFC", text) else NFC_GROWTH_MAX


def overhead_tokens(request: LlmRequest, target: Target) -> int:
    """What the provider may put around the prompt."""
    if request.operation in _VECTORS:
        prefixed = request.fields & _PREFIXED
        return OVERHEAD_TOKENS + (request.body.count(b'"') // 2 * _PREFIX_TOKENS_MAX if prefixed else 0)
    usual, with_tools = _OVERHEADS.get(target.offering.provider, (OVERHEAD_TOKENS, TOOLS_OVERHEAD_TOKENS))
    return usual + with_tools if int(request.needs) & _WITH_TOOLS else usual


def window_tokens(request: LlmRequest, target: Target) -> int | None:
    """Input that the model takes at most; None where that is not certainly known."""
    window = target.offering.context_tokens
    if window is None:
        return None
    tiers = target.offering.prices.tiers
    longer = bool(tiers) and tiers[-1].above_input_tokens >= window
    for name, value in request.headers:
        longer = longer or (name == "anthropic-beta" and _LONG_WINDOW_MARK in value)
    return max(window, LONG_WINDOW_TOKENS) if longer else window


def output_tokens_max(request: LlmRequest, target: Target) -> int | Unbounded:
    """The output of all choices together, reasoning included."""
    operation, offering = request.operation, target.offering
    if operation in _WRITES_NOTHING:
        return 0
    if operation is Operation.TRANSCRIPTION:
        return -(-request.media_bytes // SOUND_BYTES_PER_S_MIN) * SOUND_TOKENS_PER_S_MAX
    most = offering.max_output_tokens or offering.context_tokens
    if operation in (Operation.IMAGE, Operation.SPEECH):
        each = drawn_image_tokens_max(offering.model) if operation is Operation.IMAGE else None
        each = each or most
        if each is None:
            return _endless(target, "choose a model that is billed by the piece or whose limit is known")
        return each * max(1, request.choices)
    asked = request.max_output_tokens
    if asked is not None:
        asked = max(asked, LEAST_LIMIT_TOKENS)
    if asked is None:
        tokens = most
    elif thinks_beside_limit(target):
        tokens = None if most is None else asked + most
    else:
        tokens = asked
    if tokens is None:
        return _endless(target, "send a limit on the answer, or set max_output_tokens on the route")
    return (tokens + request.contents.predicted_bytes) * max(1, request.choices)


def thinks_beside_limit(target: Target) -> bool:
    """Whether the model may reason beyond the limit that the body sets for its answer."""
    if not int(target.offering.capabilities) & _REASONING:
        return False
    if target.offering.provider in _THINKS_WITHIN_LIMIT or target.wire in _WIRES_WITHIN_LIMIT:
        return False
    if tagged(target, LIMIT_COVERS_THINKING_TAG):
        return False
    return not bare_name(target.offering.model).startswith(_MODELS_WITHIN_LIMIT)


def _endless(target: Target, remedy: str) -> Unbounded:
    beside = " beyond the limit of its answer" if thinks_beside_limit(target) else ""
    return Unbounded(
        f"nothing limits how much {target.id} may write{beside}: neither the request nor the catalogue does",
        remedy
        if not beside
        else "set max_output_tokens or context_tokens of this model, or tag it limit-covers-thinking",
    )
