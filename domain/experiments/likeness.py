"""How alike two answers to the same request are, in figures that tell none of their words. Pure."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.caching.answers_alike import plain_answer
from domain.quality.checks import (
    EMPTY,
    INVALID_JSON,
    REFUSAL,
    REPETITIVE,
    TRUNCATED,
    AnswerText,
    found_in_text,
)

CHARS_MAX: Final = 20_000
"""Of an answer, looked at for words in common."""
FINDINGS: Final = (TRUNCATED, EMPTY, REFUSAL, INVALID_JSON, REPETITIVE)
"""What is looked for in both answers."""
_EAST_ASIAN: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORDS: Final = re.compile(rf"[{_EAST_ASIAN}]|[^\W{_EAST_ASIAN}]+")
"""Writing without spaces is taken sign by sign."""


class Likeness(NamedTuple):
    """Of two answers. None: there is nothing to compare, because one of them failed, was cut or calls tools.

    `same_turn`: both call tools, or neither does. `same_words`: equal but for case, marks and spaces.
    `words_in_common`: twice the words that both have over all words of both, 0 to 1.
    """

    control_chars: int | None = None
    shadow_chars: int | None = None
    same_turn: bool | None = None
    same_words: bool | None = None
    words_in_common: float | None = None
    control_findings: str = ""
    shadow_findings: str = ""


NOTHING_COMPARED: Final = Likeness()


@dataclass(frozen=True, slots=True, kw_only=True)
class LikenessSums:
    """Over pairs of answers. `compared` have words on both sides; `turns` have answers on both sides."""

    turns: int = 0
    same_turn: int = 0
    compared: int = 0
    same_words: int = 0
    words_in_common: float = 0.0
    control_chars: int = 0
    shadow_chars: int = 0
    control_findings: Mapping[str, int] = field(default_factory=dict)
    shadow_findings: Mapping[str, int] = field(default_factory=dict)

    @property
    def same_share(self) -> float | None:
        return self.same_words / self.compared if self.compared else None

    @property
    def common_share(self) -> float | None:
        """The mean of words in common."""
        return self.words_in_common / self.compared if self.compared else None

    @property
    def length_ratio(self) -> float | None:
        """The shadow's characters for one of control's, all answers together."""
        return self.shadow_chars / self.control_chars if self.control_chars else None

    @property
    def same_turn_share(self) -> float | None:
        return self.same_turn / self.turns if self.turns else None


def likeness(control: AnswerText | None, shadow: AnswerText | None) -> Likeness:
    """None: that one did not answer."""
    findings = [_findings(answer) for answer in (control, shadow)]
    if control is None or shadow is None:
        return Likeness(control_findings=findings[0], shadow_findings=findings[1])
    same_turn = control.calls_tools == shadow.calls_tools
    if control.calls_tools or shadow.calls_tools or not (control.whole and shadow.whole):
        return Likeness(same_turn=same_turn, control_findings=findings[0], shadow_findings=findings[1])
    one, other = control.text, shadow.text
    same = one == other or plain_answer(one[:CHARS_MAX]) == plain_answer(other[:CHARS_MAX])
    if len(one) != len(other) and max(len(one), len(other)) > CHARS_MAX:
        same = False
    return Likeness(
        control_chars=len(one),
        shadow_chars=len(other),
        same_turn=same_turn,
        same_words=same,
        words_in_common=1.0 if same else words_in_common(one, other),
        control_findings=findings[0],
        shadow_findings=findings[1],
    )


def words_in_common(one: str, other: str) -> float:
    """0 to 1: Dice's coefficient of the words of two texts, counting each as often as it stands there. 1 for
    two empty ones."""
    mine, theirs = (Counter(_WORDS.findall(text[:CHARS_MAX].casefold())) for text in (one, other))
    whole = mine.total() + theirs.total()
    return 2 * (mine & theirs).total() / whole if whole else 1.0


def _findings(answer: AnswerText | None) -> str:
    if answer is None:
        return ""
    found = set(found_in_text(answer, FINDINGS))
    if answer.finish_reason == "length":
        found.add(TRUNCATED)
    return ",".join(name for name in FINDINGS if name in found)
