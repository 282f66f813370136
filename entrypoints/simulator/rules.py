"""Which request a fault, a latency or a scripted answer is for, how often and how long."""

import fnmatch
import random
from typing import Generic, NamedTuple, TypeVar

import msgspec

Effect = TypeVar("Effect")


class RequestFacts(NamedTuple):
    """What a rule may look at."""

    provider: str
    """First path segment, such as `alpha` in `/alpha/v1/models`; empty without one."""
    path: str
    """The rest, without the query."""
    model: str
    provider_key: str
    stream: bool


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All given parts must hold. `model` and `path` may use `*` and `?`; a path without them is a part
    of the whole path."""

    provider: str | None = None
    model: str | None = None
    path: str | None = None
    provider_key: str | None = None
    stream: bool | None = None

    def fits(self, facts: RequestFacts) -> bool:
        """Whether the request is meant."""
        if self.provider is not None and self.provider != facts.provider:
            return False
        if self.model is not None and not fnmatch.fnmatchcase(facts.model, self.model):
            return False
        if self.provider_key is not None and self.provider_key != facts.provider_key:
            return False
        if self.stream is not None and self.stream != facts.stream:
            return False
        if self.path is None:
            return True
        if "*" in self.path or "?" in self.path:
            return fnmatch.fnmatchcase(facts.path, self.path)
        return self.path in facts.path


class Rule(Generic[Effect]):
    """An effect in force for a match until its uses or its time (loop seconds) run out."""

    __slots__ = ("_random", "effect", "id", "match", "p", "times_left", "until_s", "used")

    def __init__(
        self,
        rule_id: int,
        match: Match,
        effect: Effect,
        *,
        times: int | None,
        until_s: float | None,
        p: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.id = rule_id
        self.match = match
        self.effect = effect
        self.times_left = times
        self.until_s = until_s
        self.p = p
        self.used = 0
        self._random = random.Random(seed)

    def over(self, now_s: float) -> bool:
        """Whether it can never apply again."""
        return self.times_left == 0 or (self.until_s is not None and now_s >= self.until_s)

    def takes(self, facts: RequestFacts) -> bool:
        """Whether it applies to this request; a use is spent when it does."""
        if not self.match.fits(facts) or (self.p < 1.0 and self._random.random() >= self.p):
            return False
        self.used += 1
        if self.times_left is not None:
            self.times_left -= 1
        return True


class RuleBook(Generic[Effect]):
    """Rules in force, the newest first."""

    def __init__(self) -> None:
        self._rules: list[Rule[Effect]] = []
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._rules)

    def add(
        self,
        match: Match,
        effect: Effect,
        *,
        now_s: float,
        times: int | None = None,
        for_s: float | None = None,
        p: float = 1.0,
        seed: int = 0,
    ) -> int:
        """Puts an effect in force; returns the rule's number."""
        self._last_id += 1
        until_s = None if for_s is None else now_s + for_s
        rule = Rule(self._last_id, match, effect, times=times, until_s=until_s, p=p, seed=seed)
        self._rules.insert(0, rule)
        return rule.id

    def effect_for(self, facts: RequestFacts, *, now_s: float) -> Effect | None:
        """The effect of the newest rule that takes the request."""
        for rule in self.in_force(now_s=now_s):
            if rule.takes(facts):
                return rule.effect
        return None

    def in_force(self, *, now_s: float) -> list[Rule[Effect]]:
        """Rules that may still apply; the others are forgotten."""
        self._rules = [rule for rule in self._rules if not rule.over(now_s)]
        return self._rules

    def clear(self, *, provider: str | None = None, rule_id: int | None = None) -> int:
        """Takes rules out of force: all, those of one provider, or one. Returns how many."""
        before = len(self._rules)
        if provider is None and rule_id is None:
            self._rules = []
        else:
            self._rules = [
                rule
                for rule in self._rules
                if (provider is not None and rule.match.provider != provider)
                or (rule_id is not None and rule.id != rule_id)
            ]
        return before - len(self._rules)
