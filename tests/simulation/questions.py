"""What callers of a simulated installation ask: few meanings, each in several words, asked very unevenly.

An answer says whose it is, what it means and which call gave it, so whoever hears it can be asked where it
came from.
"""

import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from adapters.embeddings.hashing import HashingEmbedder
from application.ports.answer_judge import AnswerJudge, Comparison
from application.ports.embedder import Vector
from domain.caching.pair_features import LEXICAL
from domain.caching.prior import ONLINE, Prior
from domain.errors import StoreUnavailable

TENANTS = ("acme", "globex", "initech")
_VERBS = ("bake", "freeze", "store", "peel")
_THINGS = ("apples", "potatoes", "carrots")
_WORDINGS = ("How do I {} {}?",) * 4 + ("How do you {} {}?", "how can I {} {}", "How do I {} the {}?")
_SAID = re.compile(r"^(\w+) (\w+-\w+) c(\d+) ")
UNABLE_SHARE = 0.05


class Question(NamedTuple):
    meaning: str
    text: str


class Said(NamedTuple):
    """What an answer tells of itself."""

    tenant_id: str
    meaning: str
    call: int


def drawn(chance: random.Random) -> Question:
    """The first meanings are asked most often."""
    place = min(int(chance.paretovariate(0.9)) - 1, len(_VERBS) * len(_THINGS) - 1)
    verb, thing = _VERBS[place % len(_VERBS)], _THINGS[place // len(_VERBS)]
    return Question(f"{verb}-{thing}", chance.choice(_WORDINGS).format(verb, thing))


def answer_of(tenant_id: str, meaning: str, call: int, words: int) -> str:
    return f"{tenant_id} {meaning} c{call} " + " ".join(f"w{number:03d}" for number in range(words))


def read_said(text: str) -> Said | None:
    """None: the answer broke off before it said so much."""
    found = _SAID.match(text)
    return None if found is None else Said(found[1], found[2], int(found[3]))


class UnsteadyEmbedder(HashingEmbedder):
    """Cannot do it every now and then; `failed` is told which text that was."""

    def __init__(self, chance: random.Random, failed: Callable[[str], None]) -> None:
        super().__init__()
        self._chance = chance
        self._failed = failed

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        if self._chance.random() < UNABLE_SHARE:
            for text in texts:
                self._failed(text)
            raise StoreUnavailable("the model is busy")
        return await super().embed(texts)


class MeaningJudge(AnswerJudge):
    """Knows what answers mean."""

    async def same(self, compared: Comparison) -> bool | None:
        fresh, kept = read_said(compared.fresh), read_said(compared.kept)
        return None if fresh is None or kept is None else fresh.meaning == kept.meaning


def bold_prior(embedder_id: str) -> Prior:
    """Takes questions with the same words of weight for the same, from the first request on."""
    weights = {"bias": -3.0, "same_content": 11.0}
    return Prior(
        embedder=embedder_id,
        means=(0.0,) * len(LEXICAL),
        scales=(1.0,) * len(LEXICAL),
        hidden=(),
        out=(0.0,),
        weights=tuple(weights.get(name, 0.0) for name in ONLINE),
        variances=(0.01,) * len(ONLINE),
    )
