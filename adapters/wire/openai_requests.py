"""Pivot bodies at providers that speak OpenAI's chat: the last finish for what other families asked."""

from typing import Final

from adapters.wire.pivot_codec import Draft, Json
from domain.catalog.tags import MAX_COMPLETION_TOKENS_TAG, PREFIX_FLAG_TAG
from domain.llm.capabilities import Capability
from domain.routing.target import tagged

CHAT_FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "user",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "service_tier",
    }
)
"""Fields that translations into a chat body may use; `top_k` is not among them."""


def from_chat(chat: Json, draft: Draft) -> Json:
    """The body with the target's model, usage asked for, and the limit under the name it is known by."""
    target = draft.call.target
    body = {name: value for name, value in chat.items() if name in CHAT_FIELDS and value is not None}
    body["model"] = target.model
    body["messages"] = [_message(message, draft) for message in body["messages"]]
    if body.get("stream"):
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    else:
        body.pop("stream_options", None)
    reasons = Capability.REASONING in target.offering.capabilities
    if "max_tokens" in body and (reasons or tagged(target, MAX_COMPLETION_TOKENS_TAG)):
        # Reasoning models refuse the older name; older servers know no other and are tagged with it.
        body["max_completion_tokens"] = body.pop("max_tokens")
    if draft.call.continue_from is not None and tagged(target, PREFIX_FLAG_TAG):
        body["messages"][-1]["prefix"] = True
    return body


_FOREIGN: Final = frozenset({"reasoning_details", "is_error", "cache_control"})
"""Fields of messages that carry other families' meanings through the pivot; servers of this shape may refuse
what they do not know."""


def _message(message: Json, draft: Draft) -> Json:
    calls = message.get("tool_calls") or ()
    if not _FOREIGN & message.keys() and not any("extra_content" in call for call in calls):
        return message
    if "reasoning_details" in message:
        draft.drop("messages.thinking")
    said = {name: value for name, value in message.items() if name not in _FOREIGN}
    if calls:
        said["tool_calls"] = [{n: v for n, v in call.items() if n != "extra_content"} for call in calls]
    return said
