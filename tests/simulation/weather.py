"""What goes wrong in a simulated world: spells that a provider goes through, and mishaps of single calls.

Every text says its own word numbers, so that a lost or repeated character shows. The texts of all models
have the same words at the same places; for some requests all models even say the same, so that an answer
can be finished by starting anew.
"""

import random
import re
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from adapters.memory.scripted_llm import Break, Script
from application.ports.llm import UpstreamCall
from domain.llm.failures import Failure, FailureKind
from domain.llm.usage import Usage

DISAGREEING_IN = 3
"""Of so many requests one gets a different text from each model."""
_COMMON = "x"
_TAG = re.compile(r"[a-z](?=\d)")


def words_of(number: int) -> int:
    """How many words the answer to a request has."""
    return 3 + number * 7 % 45


def text_of(number: int, model: str) -> str:
    """What a model answers to a request."""
    tag = model[0] if number % DISAGREEING_IN == 0 else _COMMON
    return " ".join(f"{tag}{word:04d}" for word in range(words_of(number)))


def canonical(text: str) -> str:
    """The same whoever said which part of it."""
    return _TAG.sub(_COMMON, text)


def usage_of(number: int, model: str) -> Usage:
    """What the provider counts for a whole answer."""
    return Usage(20 + number % 5, words_of(number) + len(model))


class Spell(Enum):
    """What a provider goes through for a while."""

    DOWN = "down"
    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    SLOW = "slow"
    SILENT = "silent"
    CUTTING = "cutting"


class Stretch(NamedTuple):
    """A spell from one moment to another, in seconds of the loop."""

    spell: Spell
    begins_s: float
    ends_s: float
    retry_after_s: float | None


class Weather:
    """Decides by the seed how each call goes. `calm_after_s` ends everything bad, so that the end is seen."""

    def __init__(self, chance: random.Random, providers: tuple[str, ...], *, calm_after_s: float) -> None:
        self._chance = chance
        self._calm_after_s = calm_after_s
        self.stretches = {name: self._spells() for name in providers}

    def _spells(self) -> list[Stretch]:
        chance, stretches, at_s = self._chance, [], 0.0
        while at_s < self._calm_after_s:
            at_s += chance.expovariate(1 / 25)
            length_s = chance.choice((2.0, 8.0, 20.0))
            told_s = chance.choice((None, 0.0, 1.0, 3.0, 20.0))
            stretches.append(Stretch(chance.choice(list(Spell)), at_s, at_s + length_s, told_s))
            at_s += length_s
        return stretches

    def script(self, call: UpstreamCall, now_s: float) -> Script:
        """How this call goes."""
        chance, number = self._chance, int(call.request_id.rpartition("_")[2])
        model = call.target.model
        script = Script(
            text=text_of(number, model),
            latency_s=0.05 * chance.lognormvariate(0, 0.5),
            first_token_s=0.2 * chance.lognormvariate(0, 0.5),
            token_s=0.02,
            usage=usage_of(number, model) if chance.random() < 0.9 else None,
            terminator=chance.random() < 0.9,
            trailer_s=chance.choice((0.0, 0.0, 0.1, 30.0)),
            cut_after_finish=chance.random() < 0.1,
        )
        if now_s >= self._calm_after_s:
            return script
        for stretch in self.stretches[call.target.provider]:
            if stretch.begins_s <= now_s < stretch.ends_s:
                return self._under(stretch, script)
        return self._mishap(script) if chance.random() < 0.15 else script

    def _under(self, stretch: Stretch, script: Script) -> Script:
        told_s = stretch.retry_after_s
        match stretch.spell:
            case Spell.DOWN:
                return replace(script, failure=Failure(kind=FailureKind.NETWORK, message="", sent=False))
            case Spell.OVERLOADED:
                failure = Failure(kind=FailureKind.OVERLOADED, message="", status=503, retry_after_s=told_s)
                return replace(script, failure=failure)
            case Spell.RATE_LIMITED:
                failure = Failure(kind=FailureKind.RATE_LIMIT, message="", status=429, retry_after_s=told_s)
                return replace(script, failure=failure)
            case Spell.SLOW:
                return replace(script, first_token_s=script.first_token_s * 20, pings_every_s=1.0)
            case Spell.SILENT:
                return replace(script, silent=True)
            case Spell.CUTTING:
                after = self._chance.randrange(0, 30)
                return replace(script, broken=self._chance.choice(list(Break)), broken_after=after)

    def _mishap(self, script: Script) -> Script:
        chance = self._chance
        match chance.randrange(7):
            case 0:
                failure = Failure(kind=FailureKind.SERVER_ERROR, message="", status=500)
            case 1:
                failure = Failure(kind=FailureKind.CONTENT_POLICY, message="", status=400)
            case 2:
                failure = Failure(kind=FailureKind.CONTEXT_LENGTH, message="", status=400)
            case 3:
                failure = Failure(kind=FailureKind.QUOTA, message="", status=429, retry_after_s=4.0)
            case 4:
                return replace(script, echo=True)
            case 5:
                return replace(script, finish_reason=None, terminator=False)
            case _:
                how = chance.choice(list(Break))
                return replace(script, broken=how, broken_after=chance.randrange(0, 40))
        return replace(script, failure=failure)
