"""What the simulated provider says: a function of seed, model and prompt, and of nothing else.

Names tell abilities, as they do at real providers: a model whose name contains `think` or `reason`
shows its reasoning, `refus` refuses, `no-prefill` rejects a trailing assistant message, `repeat-prefill`
says the end of it again before continuing, and `ctx<n>` or `ctx<n>k` limits the context to n (thousand)
tokens.
"""

import re
from hashlib import blake2b
from typing import Any

import msgspec

from entrypoints.simulator.conversation import Answer, Ask, Choice, OfferedTool, Rejected, Tokens, ToolCall
from entrypoints.simulator.instructions import own_words, spelled_calls
from entrypoints.simulator.schema_instances import instance_of

_PIECE = re.compile(r"\s?[^\s]{1,7}|\s")
_CONTEXT = re.compile(r"ctx(\d+)(k?)")
_ECHO_CHARS_MAX = 80
_REPEATED_CHARS = 12
_FILLER = (
    "Nothing was sent anywhere.",
    "The words after this sentence follow from the prompt alone.",
    "Ask again and the answer will be the same.",
    "A real provider would have thought about it.",
    "No key is needed here and nothing costs money.",
    "Tokens are counted as if they were real.",
    "Every byte of this stream was decided in advance.",
    "Connect a provider to get a real answer.",
)
_REFUSAL = "I am the simulated provider, and I will not help with that."
_ARGUMENT_CHARS_PER_PIECE = 8
LOGPROB = -0.125
"""Log probability of every simulated token; its alternatives follow a nat apart."""


class ScriptedAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer given in place of the default one: a text, or so many tokens of filler."""

    text: str | None = None
    tokens: int | None = None


def pieces_of(text: str) -> tuple[str, ...]:
    """The tokens of a text: joined they are the text again, and none is empty."""
    return tuple(_PIECE.findall(text))


def draw_from(*parts: object) -> int:
    """A 64-bit number that follows from the parts."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def answer_to(ask: Ask, *, seed: int = 0, scripted: ScriptedAnswer | None = None) -> Answer:
    """The answer to a request.

    Raises:
        Rejected: the prompt is longer than the model's context, or prefill is not supported.
    """
    _check(ask)
    draw = draw_from(seed, ask.model, ask.prompt)
    choices = tuple(_choice(ask, draw + index, scripted, index) for index in range(ask.choices))
    output = reasoning = 0
    for choice in choices:
        output += choice.tokens
        reasoning += len(choice.reasoning)
    tokens = Tokens(ask.input_tokens, output, reasoning=reasoning)
    return Answer(f"{draw:016x}", choices, tokens)


def _check(ask: Ask) -> None:
    limit = _CONTEXT.search(ask.model)
    if limit is not None:
        tokens_max = int(limit[1]) * (1000 if limit[2] else 1)
        if ask.input_tokens > tokens_max:
            raise Rejected(
                400,
                f"This model's maximum context length is {tokens_max} tokens. However, your messages "
                f"resulted in {ask.input_tokens} tokens. Please reduce the length of the messages.",
                kind="invalid_request_error",
                code="context_length_exceeded",
                param="messages",
            )
    if ask.prefill and "no-prefill" in ask.model:
        raise Rejected(
            400,
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message.",
            kind="invalid_request_error",
        )


def _choice(ask: Ask, draw: int, scripted: ScriptedAnswer | None, index: int) -> Choice:
    reasoning = _reasoning(ask, draw)
    if "refus" in ask.model:
        return Choice(pieces_of(_REFUSAL), (), (), "refusal")
    calls = _calls(ask, draw) if scripted is None else ()
    if calls:
        return _truncated(Choice((), reasoning, calls, "tool_calls"), ask.max_tokens)
    text = _text(ask, draw, scripted, index)
    stopped_by = None
    for stop in ask.stop:
        at = text.find(stop)
        if at >= 0:
            text, stopped_by = text[:at], stop
    finish = "stop" if stopped_by is None else "stop_sequence"
    return _truncated(Choice(pieces_of(text), reasoning, (), finish, stopped_by), ask.max_tokens)


def _truncated(choice: Choice, tokens_max: int | None) -> Choice:
    """The same within the limit, which reasoning spends first, as it does at real providers."""
    if tokens_max is None or choice.tokens <= tokens_max:
        return choice
    left = tokens_max
    reasoning = choice.reasoning[:left]
    left -= len(reasoning)
    pieces = choice.pieces[:left]
    left -= len(pieces)
    calls: list[ToolCall] = []
    for call in choice.tool_calls:
        if left <= 0:
            break
        calls.append(call._replace(pieces=call.pieces[:left]))
        left -= len(call.pieces)
    return Choice(pieces, reasoning, tuple(calls), "length")


def _reasoning(ask: Ask, draw: int) -> tuple[str, ...]:
    if not ask.thinking:
        return ()
    return pieces_of(f"The user asks: {_echo(ask)}. {_FILLER[draw % len(_FILLER)]} I will answer plainly.")


def _text(ask: Ask, draw: int, scripted: ScriptedAnswer | None, index: int) -> str:
    if scripted is not None:
        whole = scripted.text if scripted.text is not None else _filler(draw, scripted.tokens or 1)
    elif ask.json_schema is not None:
        whole = msgspec.json.encode(instance_of(ask.json_schema, draw=draw)).decode()
    elif ask.json_object:
        whole = msgspec.json.encode({"simulated": True, "model": ask.model, "echo": _echo(ask)}).decode()
    else:
        whole = _default_text(ask, draw, index)
    if not ask.prefill:
        return whole
    # A continuation starts where the prefill ends in this model's own answer, so what a test
    # should see is prefill + answer[len(prefill):].
    rest = whole[len(ask.prefill) :] or " (continued by the simulated provider)"
    return ask.prefill[-_REPEATED_CHARS:] + rest if "repeat-prefill" in ask.model else rest


def _default_text(ask: Ask, draw: int, index: int) -> str:
    if ask.tool_result is not None:
        opening = f"The tool answered: {_shortened(ask.tool_result)}."
    elif ask.images:
        count = "one image" if len(ask.images) == 1 else f"{len(ask.images)} images"
        opening = f"I see {count} ({', '.join(ask.images)})."
    else:
        opening = f"You said: {_echo(ask)}."
    which = f" Alternative {index + 1}." if index else ""
    first, second = draw % len(_FILLER), draw // 8 % len(_FILLER)
    return (
        f"This is a simulated answer from the simulated provider, model {ask.model}.{which} {opening} "
        f"{_FILLER[first]} {_FILLER[second]}"
    )


def _filler(draw: int, tokens: int) -> str:
    return " ".join(f"word{(draw + number) % 997}" for number in range(tokens))


def _echo(ask: Ask) -> str:
    return _shortened(ask.question)


def _shortened(text: str) -> str:
    line = " ".join(text.split()) if len(text) < 400 else " ".join(text[:400].split())
    return line if len(line) <= _ECHO_CHARS_MAX else line[: _ECHO_CHARS_MAX - 1] + "…"


def _calls(ask: Ask, draw: int) -> tuple[ToolCall, ...]:
    """Those the user spells out, in their rounds, or those `_tools_called` finds, with made-up arguments."""
    spelled = spelled_calls(ask.question) if ask.tools and ask.tool_choice == "auto" else ()
    if not spelled:
        return tuple(_call(tool, draw + number) for number, tool in enumerate(_tools_called(ask)))
    offered = {tool.name for tool in ask.tools}
    due = spelled[ask.rounds] if ask.rounds < len(spelled) else ()
    known = tuple(call for call in due if call.name in offered)
    return tuple(
        _called(call.name, call.arguments, draw + number)
        for number, call in enumerate(known if ask.parallel_tools else known[:1])
    )


def _tools_called(ask: Ask) -> tuple[OfferedTool, ...]:
    """Forced ones, or those the user names; none in answer to a tool's result unless forced."""
    if not ask.tools or ask.tool_choice == "none":
        return ()
    if ask.tool_choice.startswith("="):
        return tuple(tool for tool in ask.tools if tool.name == ask.tool_choice[1:])[:1]
    mentioned: tuple[OfferedTool, ...] = ()
    if ask.tool_result is None:
        said = own_words(ask.question)
        mentioned = tuple(tool for tool in ask.tools if tool.name in said)
    if not mentioned and ask.tool_choice == "required":
        mentioned = ask.tools[:1]
    return mentioned if ask.parallel_tools else mentioned[:1]


def _call(tool: OfferedTool, draw: int) -> ToolCall:
    return _called(tool.name, instance_of(tool.schema, draw=draw) or {}, draw)


def _called(name: str, made: Any, draw: int) -> ToolCall:
    arguments = msgspec.json.encode(made).decode()
    step = _ARGUMENT_CHARS_PER_PIECE
    pieces = tuple(arguments[at : at + step] for at in range(0, len(arguments), step))
    return ToolCall(f"{draw_from(draw, name):016x}", name, pieces)
