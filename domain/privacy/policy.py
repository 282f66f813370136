"""What is done about personal data, by kind and by where it stands; of two policies the stricter wins.

A policy is a table; an effective policy is what holds for one request: that of its route and that of its
tenant together, never looser than either.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Final

from domain.privacy.kinds import PiiKind


class Act(IntEnum):
    """What is done about a finding, from the loosest to the strictest."""

    OFF = 0
    """It is not looked for."""
    DETECT = 1
    """It is counted beside requests, and goes on as it is."""
    TOKENISE = 2
    """A stable placeholder stands for it; its own caller gets it back in answers."""
    HASH = 3
    """A stable placeholder stands for it for good."""
    REDACT = 4
    """The name of its kind stands for it."""
    ROUTE = 5
    """It goes on as it is, to targets that the policy names and to nobody else; nothing of it is kept."""
    BLOCK = 6
    """What it stands in is refused."""


class Where(StrEnum):
    """The places a policy tells apart."""

    PROMPTS = "prompts"
    """All that is asked: messages, instructions, documents, definitions of tools, names of users."""
    TOOL_ARGUMENTS = "tool_arguments"
    """What a model calls a tool with, in answers and in the history of requests."""
    TOOL_RESULTS = "tool_results"
    ANSWERS = "answers"
    """What a model says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDemand:
    """Who may see what a policy routes. What is empty demands nothing; `providers` are alternatives."""

    residency: str = ""
    tags: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()

    @property
    def demands(self) -> bool:
        return bool(self.residency or self.tags or self.providers)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyPolicy:
    """`default` holds for every kind without an entry in `kinds`; both hold in `where`, elsewhere nothing is
    done. `allow` are regular expressions; a finding that one of them matches whole is left alone."""

    name: str
    default: Act = Act.DETECT
    kinds: Mapping[PiiKind, Act] = field(default_factory=dict)
    where: frozenset[Where] = frozenset(Where)
    allow: tuple[str, ...] = ()
    route: RouteDemand = RouteDemand()

    def act(self, kind: PiiKind, where: Where) -> Act:
        """What it does about a kind in a place, allowed values aside."""
        return self.kinds.get(kind, self.default) if where in self.where else Act.OFF


class EffectivePolicy:
    """Several policies at once: about each finding, the strictest of what they do. Immutable."""

    def __init__(self, policies: Sequence[PrivacyPolicy]) -> None:
        self.policies = tuple(policies)
        self._acts: dict[Where, dict[PiiKind, Act]] = {
            where: {kind: self._strictest(kind, where) for kind in PiiKind} for where in Where
        }
        self._allow = {
            policy.name: re.compile("|".join(f"(?:{each})" for each in policy.allow), re.IGNORECASE)
            for policy in self.policies
            if policy.allow
        }
        self.sought: dict[Where, frozenset[PiiKind]] = {
            where: frozenset(kind for kind, act in acts.items() if act is not Act.OFF)
            for where, acts in self._acts.items()
        }
        """The kinds to look for, by place."""
        self.enforced: dict[Where, frozenset[PiiKind]] = {
            where: frozenset(kind for kind, act in acts.items() if act > Act.DETECT)
            for where, acts in self._acts.items()
        }
        """The kinds about which something is done before anything goes on, by place."""
        self.blocked: dict[Where, frozenset[PiiKind]] = {
            where: frozenset(kind for kind, act in acts.items() if act is Act.BLOCK)
            for where, acts in self._acts.items()
        }
        self.enforces_requests = any(self.enforced[w] for w in Where if w is not Where.ANSWERS)
        self.enforces_answers = any(self.enforced[w] for w in (Where.ANSWERS, Where.TOOL_ARGUMENTS))
        self.enforces_results = bool(self.enforced[Where.TOOL_RESULTS])
        """Whether it does to what tools answer."""
        self.enforces = self.enforces_requests or self.enforces_answers
        self.detects = any(self.sought.values())

    @property
    def name(self) -> str:
        return "+".join(policy.name for policy in self.policies)

    def act(self, kind: PiiKind, where: Where, value: str) -> Act:
        """What is done about a value of this kind in this place."""
        if not self._allow:
            return self._acts[where][kind]
        return max(
            (
                policy.act(kind, where)
                for policy in self.policies
                if policy.name not in self._allow or not self._allow[policy.name].fullmatch(value)
            ),
            default=Act.OFF,
        )

    def demands(self, kind: PiiKind, where: Where) -> tuple[RouteDemand, ...]:
        """Who may see a finding that is routed: every policy that routes it has its say."""
        return tuple(policy.route for policy in self.policies if policy.act(kind, where) is Act.ROUTE)

    @cached_property
    def digest(self) -> str:
        """Equal for equal rules in every process; changes with anything they do."""
        told = repr(
            [
                (
                    int(policy.default),
                    sorted((kind.value, int(act)) for kind, act in policy.kinds.items()),
                    sorted(where.value for where in policy.where),
                    policy.allow,
                    policy.route.residency,
                    sorted(policy.route.tags),
                    sorted(policy.route.providers),
                )
                for policy in self.policies
            ]
        )
        return blake2b(told.encode(), digest_size=12).hexdigest()

    def _strictest(self, kind: PiiKind, where: Where) -> Act:
        return max((policy.act(kind, where) for policy in self.policies), default=Act.OFF)


BUILT_IN: Final[Mapping[str, PrivacyPolicy]] = {
    act.name.lower(): PrivacyPolicy(name=act.name.lower(), default=act)
    for act in (Act.OFF, Act.DETECT, Act.TOKENISE, Act.HASH, Act.REDACT, Act.BLOCK)
}
"""One for each thing that can be done without further words. None of them may be redefined."""
