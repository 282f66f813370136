"""What a guardrail is: a check with a name, the places it looks at, and what follows from what it says.

Not to be confused with guards (`domain/guards`), which watch over agents that run in circles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Final, NamedTuple

from domain.guardrails.regular import Regular
from domain.privacy.kinds import SECRET_KINDS, PiiKind
from domain.privacy.policy import Where

ANSWERED: Final = frozenset({Where.ANSWERS, Where.TOOL_ARGUMENTS})
"""Places of answers; tool arguments also stand in the history of requests."""


INJECTION_STEPS: Final = 500
"""What looking for signs of an injection takes, at worst, by character."""


class Action(IntEnum):
    """What follows when a check objects, from the mildest."""

    WARN = 1
    """It is counted, and told in a header where that is not sent yet."""
    REDACT = 2
    """Something else stands for what it objects to; where that cannot be said, it is refused."""
    BLOCK = 3
    """The request, or the answer, is refused."""


class Kind(StrEnum):
    """The checks there are. Names are stable: they appear in the configuration and in errors."""

    PATTERNS = "patterns"
    SIZE = "size"
    SECRET_LEAK = "secret_leak"  # noqa: S105 - a name
    INJECTION = "prompt_injection"
    JSON_SCHEMA = "json_schema"
    WEBHOOK = "webhook"


class StreamMode(StrEnum):
    """How an answer in pieces is checked where it may be refused."""

    HOLD = "hold"
    """Nothing of it goes on before all of it was checked."""
    WINDOW = "window"
    """It goes on as far as no match can reach back; on a match the stream ends with an error."""


class OnError(StrEnum):
    """What a check that cannot be made counts as."""

    BLOCK = "block"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRule:
    """`deny` objects to a match anywhere, unless one of `excepted` matches the same stretch whole. Where
    `allow` is given, each text of a message has to match one of these whole."""

    deny: tuple[Regular, ...] = ()
    excepted: tuple[Regular, ...] = ()
    allow: tuple[Regular, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """Bounds of all texts of its places together. None: no bound."""

    chars_max: int | None = None
    words_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """Objects to what opens something: keys, tokens, passwords."""

    kinds: frozenset[PiiKind] = SECRET_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionRule:
    """Objects to a text whose score of suspicion (`injection.suspicion`) is at least `threshold`."""

    threshold: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRule:
    """Objects to an answer that is no JSON of this schema. `schema` is its JSON text."""

    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRule:
    """Asks somebody else. `signed_with` names the secret's version, never the secret itself."""

    url: str
    timeout_s: float = 5.0
    region: str = ""
    """Where its texts are read; empty: nobody knows, so that nothing kept to a region is sent there."""
    signed_with: str = ""
    concurrent_max: int = 32
    body_bytes_max: int = 1024 * 1024


Rule = PatternRule | SizeRule | SecretRule | InjectionRule | SchemaRule | WebhookRule


@dataclass(frozen=True, kw_only=True)
class Guardrail:
    """One check. `everywhere`: for all requests; else for routes and tenants that name it."""

    name: str
    kind: Kind
    rule: Rule
    where: frozenset[Where]
    action: Action
    stream: StreamMode = StreamMode.HOLD
    everywhere: bool = False
    on_error: OnError = OnError.BLOCK

    @cached_property
    def asked(self) -> bool:
        """Whether it looks at requests."""
        return bool(self.where - {Where.ANSWERS})

    @cached_property
    def answered(self) -> bool:
        """Whether it looks at answers."""
        return bool(self.where & ANSWERED)

    @property
    def outside(self) -> bool:
        return self.kind is Kind.WEBHOOK

    @cached_property
    def steps(self) -> int:
        """How often it may look at a character, at worst."""
        if isinstance(self.rule, PatternRule):
            return sum(each.steps for each in self.rule.deny) or 1
        return INJECTION_STEPS if self.kind is Kind.INJECTION else 1

    @cached_property
    def digest(self) -> str:
        """Equal for equal checks in every process; changes with anything they do."""
        told = repr((
            self.name, self.kind.value, _told(self.rule), sorted(self.where), int(self.action),
            self.stream.value, self.on_error.value,
        ))  # fmt: skip
        return blake2b(told.encode(), digest_size=12).hexdigest()


def _told(rule: Rule) -> str:
    if isinstance(rule, PatternRule):
        groups = (rule.deny, rule.excepted, rule.allow)
        return repr([[(each.source, each.pattern.flags) for each in group] for group in groups])
    if isinstance(rule, SecretRule):
        return repr(sorted(rule.kinds))
    return repr(rule)


class TextSeen(NamedTuple):
    """A text as a check gets it. `path` says where it stands. `sealed`: its maker signed it, so that nothing
    can stand for it."""

    text: str
    where: Where
    path: str
    sealed: bool = False


class Verdict(NamedTuple):
    """What a guardrail objects to. `reason` is words of ours, or a word of a webhook's: never content."""

    guardrail: str
    action: Action
    reason: str
    where: str = ""
    path: str = ""

    def __str__(self) -> str:
        place = f" in {self.path}" if self.path else ""
        return f"{self.guardrail}: {self.reason}{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one check says of some texts: why it objects, where, and what may stand for which text."""

    reason: str = ""
    at: TextSeen | None = None
    replaced: Mapping[int, str] = field(default_factory=dict)
    """By the position of the text. Empty: it cannot say what would be right."""

    @property
    def objects(self) -> bool:
        return bool(self.reason)


NOTHING: Final = Found()


def spoken(path: str) -> bool:
    """Whether a path is that of what somebody or a model says, rather than of a name, a tool's description or
    a thought."""
    if any(word in path for word in ("reasoning", "thinking", "summary", "refusal", "tools", "annotations")):
        return False
    return path.rpartition(".")[2].partition("[")[0] in ("content", "text", "input", "prompt", "output_text")


def texts_in(texts: Sequence[TextSeen], where: frozenset[Where]) -> list[tuple[int, TextSeen]]:
    """Those in some places, with their positions."""
    return [(index, each) for index, each in enumerate(texts) if each.where in where]
