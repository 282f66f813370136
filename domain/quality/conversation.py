"""How much of a conversation a judge is shown: its end, within bounds, and how it was begun."""

from collections.abc import Sequence
from typing import Final, NamedTuple

TURNS_MAX: Final = 12
"""The last messages, instructions not counted."""
BYTES_MAX: Final = 16 * 1024
"""Of their texts in UTF-8, together."""
LAST_CHARS_MAX: Final = 8_000
"""Of the last message, which is never cut: a longer one is not judged."""
RESULT_CHARS_MAX: Final = 2_000
"""Of what one tool answered, and of the instructions; the rest is cut off."""
CUT: Final = " […]"


class Said(NamedTuple):
    """One message: who said it (`instructions`, `user`, `assistant`, `tool <name>`), the text, and whether it
    holds what is no text."""

    who: str
    text: str
    more: bool = False


class Shown(NamedTuple):
    """`left_out` counts the messages before those that are shown."""

    said: tuple[Said, ...]
    left_out: int


def shown_to_judge(messages: Sequence[Said]) -> Shown | None:
    """The end of it that fits. None where what was asked cannot be shown whole: nothing was, the last message
    is too long, or one of those that would be shown holds what is no text."""
    instructions = [one for one in messages if one.who == "instructions"]
    spoken = [one for one in messages if one.who != "instructions"]
    if not spoken or len(spoken[-1].text) > LAST_CHARS_MAX or spoken[-1].who == "assistant":
        return None
    shown: list[Said] = []
    left = BYTES_MAX
    for one in reversed(spoken[-TURNS_MAX:]):
        text = _cut(one.text) if shown and one.who.startswith("tool") else one.text
        size = len(text.encode(errors="surrogatepass"))
        if shown and size > left:
            break
        if one.more:
            return None
        shown.append(one._replace(text=text))
        left -= size
    begun = [one._replace(text=_cut(one.text)) for one in instructions[:1]]
    return Shown((*begun, *reversed(shown)), len(spoken) - len(shown))


def _cut(text: str) -> str:
    return text if len(text) <= RESULT_CHARS_MAX else text[: RESULT_CHARS_MAX - len(CUT)] + CUT
