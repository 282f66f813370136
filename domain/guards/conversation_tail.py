"""The end of a conversation, as far as guards look at it."""

from typing import NamedTuple


class ToolCall(NamedTuple):
    """One call that a model asked for.

    `digest` is of its name and arguments: equal for equal calls, whatever the spelling of the JSON. `result`
    is the digest of what came back, None while nothing did. `place` is that of the message in its
    conversation; `turn` rises, and is equal for calls that were asked for at once.
    """

    name: str
    digest: bytes
    result: bytes | None
    place: int
    turn: int


class ConversationTail(NamedTuple):
    """`calls` are the last ones, oldest first. `turns` are the places of the model's turns since its user
    last said something, oldest first. `messages` is how long the whole conversation is."""

    calls: tuple[ToolCall, ...]
    turns: tuple[int, ...]
    messages: int
