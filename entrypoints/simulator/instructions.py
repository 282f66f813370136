"""Tool calls that a user spells out, so that an agent's loop can be walked through by its prompt alone.

`call Write {"file_path": "a"} and call Read {"file_path": "b"}, then call Bash {"command": "ls"}` asks for
two calls at once and, when their results are back, for a third one.
"""

import json
import re
from typing import Any, NamedTuple

_CALL = re.compile(r"\bcall ([\w.-]+) (?=\{)")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_DECODER = json.JSONDecoder()


class SpelledCall(NamedTuple):
    """A tool by name and the arguments it is to be called with."""

    name: str
    arguments: dict[str, Any]


def own_words(question: str) -> str:
    """What the user said, without the reminders that coding agents put beside it."""
    return _REMINDER.sub("", question) if "<system-reminder>" in question else question


def spelled_calls(question: str) -> tuple[tuple[SpelledCall, ...], ...]:
    """The calls a question spells out, in rounds; empty for a question that spells out none.

    What looks like a call and has no JSON object behind it is text like any other.
    """
    rounds: list[list[SpelledCall]] = []
    end = 0
    for found in _CALL.finditer(question):
        if found.start() < end:
            continue
        try:
            arguments, after = _DECODER.raw_decode(question, found.end())
        except json.JSONDecodeError:
            continue
        if not rounds or "then" in question[end : found.start()]:
            rounds.append([])
        rounds[-1].append(SpelledCall(found[1], arguments))
        end = after
    return tuple(map(tuple, rounds))
