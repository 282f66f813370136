"""`guardrails`: what is checked in what callers send and get, besides personal data."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from domain.guardrails.injection import expressions
from domain.guardrails.regular import SOURCE_CHARS_MAX, Regular, regular
from domain.guardrails.terms import (
    Action,
    Guardrail,
    InjectionRule,
    Kind,
    OnError,
    PatternRule,
    Rule,
    SchemaRule,
    SecretRule,
    SizeRule,
    StreamMode,
    WebhookRule,
)
from domain.privacy.kinds import SECRET_KINDS, PiiKind
from domain.privacy.policy import Where
from domain.vault.secret import SecretText
from entrypoints.config.sections import Section, Share, Url, Word

GUARDRAILS_MAX: Final = 200
PATTERNS_MAX: Final = 200
SCHEMA_BYTES_MAX: Final = 64 * 1024
WINDOW_STEPS_MAX: Final = 200_000
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OPTIONS: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.PATTERNS: frozenset({"deny", "unless", "allow", "ignore_case"}),
    Kind.SIZE: frozenset({"chars_max", "words_max"}),
    Kind.SECRET_LEAK: frozenset({"kinds"}),
    Kind.INJECTION: frozenset({"threshold"}),
    Kind.JSON_SCHEMA: frozenset({"answer_schema"}),
    Kind.WEBHOOK: frozenset({"url", "secret", "timeout_s", "region", "concurrent_max", "body_bytes_max"}),
}
_GENERAL: Final = frozenset({"kind", "where", "action", "stream", "everywhere", "on_error"})
_WHERE: Final[Mapping[Kind, tuple[Where, ...]]] = {
    Kind.INJECTION: (Where.PROMPTS, Where.TOOL_RESULTS),
    Kind.JSON_SCHEMA: (Where.ANSWERS,),
}
_REDACTS: Final = frozenset({Kind.PATTERNS, Kind.SECRET_LEAK, Kind.WEBHOOK})
_WINDOWS: Final = frozenset({Kind.PATTERNS, Kind.SECRET_LEAK, Kind.SIZE})
_FAILS: Final = frozenset({Kind.SECRET_LEAK, Kind.JSON_SCHEMA, Kind.WEBHOOK})


def _expression(text: str) -> str:
    regular(text)
    return text


def _secret_kind(name: str) -> str:
    if name.upper() not in SECRET_KINDS:
        raise ValueError(f"no kind of secret; known: {', '.join(sorted(SECRET_KINDS))}")
    return name.upper()


Pattern = Annotated[str, Field(min_length=1, max_length=SOURCE_CHARS_MAX)]
Searched = Annotated[Pattern, AfterValidator(_expression)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=PATTERNS_MAX)]
WhereName = Annotated[Literal["prompts", "tool_arguments", "tool_results", "answers"], Word]
GuardrailName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class GuardrailSettings(Section):
    """One check. `kind` says which, and which of the other keys it takes."""

    kind: Annotated[
        Literal["patterns", "size", "secret_leak", "prompt_injection", "json_schema", "webhook"], Word
    ]
    where: tuple[WhereName, ...] = Field(
        default=(),
        description="Where it looks; empty: `prompts`, of `prompt_injection` also `tool_results`, of "
        "`json_schema` always `answers`.",
    )
    action: Annotated[Literal["block", "warn", "redact"], Word] | None = Field(
        default=None,
        description="What follows when it objects: `block` refuses, `warn` tells in a header and counts, "
        "`redact` puts something else there (`patterns`, `secret_leak`, `webhook`). Default: `block`, of "
        "`prompt_injection` `warn`.",
    )
    stream: Annotated[Literal["hold", "window"], Word] | None = Field(
        default=None,
        description="Of answers in pieces: `hold` lets nothing go before all of it was checked, `window` "
        "lets go what no match can reach back into, and ends the stream with an error on a match. Default: "
        "`window` where that can be (`patterns` without `allow`, `size`, `secret_leak`, with `block`), else "
        "`hold`.",
    )
    everywhere: bool = Field(
        default=False, description="Whether it is for all requests; else for routes and tenants that name it."
    )
    on_error: Annotated[Literal["block", "allow"], Word] = Field(
        default="block", description="What a check that could not be made counts as."
    )
    deny: Annotated[tuple[Searched, ...], Field(max_length=PATTERNS_MAX)] = Field(
        default=(),
        description="`patterns`: regular expressions that must match nowhere. A subset whose work is "
        "bounded: no references, no looking around, no repeating of repetitions; `*` and `+` stand for "
        "at most 100.",
    )
    unless: Patterns = Field(
        default=(), description="`patterns`: what matches one of these whole is not denied."
    )
    allow: Patterns = Field(
        default=(), description="`patterns`: each text of a message has to match one of these whole."
    )
    ignore_case: bool = Field(default=True, description="`patterns`: whether case does not matter.")
    chars_max: int | None = Field(default=None, ge=1, le=100_000_000, description="`size`: of all texts.")
    words_max: int | None = Field(default=None, ge=1, le=100_000_000, description="`size`: of all texts.")
    kinds: tuple[Annotated[str, AfterValidator(_secret_kind)], ...] = Field(
        default=(), max_length=50, description="`secret_leak`: kinds it objects to; empty: all."
    )
    threshold: Share = Field(
        default=0.5,
        description="`prompt_injection`: the score from which it objects; see docs/guardrails.md.",
    )
    answer_schema: dict[str, Any] = Field(
        default_factory=dict, description="`json_schema`: the JSON schema of answers."
    )
    url: Url | None = Field(
        default=None, description="`webhook`: who is asked. https, or http on this machine."
    )
    secret: SecretStr | None = Field(default=None, description="`webhook`: what its calls are signed with.")
    timeout_s: float = Field(default=5.0, gt=0, le=60, description="`webhook`: for a whole call.")
    region: str = Field(
        default="",
        max_length=64,
        description="`webhook`: where texts are read. What has to stay in a region is sent nowhere else.",
    )
    concurrent_max: int = Field(
        default=32, ge=1, le=1000, description="`webhook`: calls at once, by process; more count as errors."
    )
    body_bytes_max: int = Field(
        default=1024 * 1024, ge=1024, le=16 * 1024 * 1024, description="`webhook`: the longest call."
    )

    @field_validator("unless", "allow")
    @classmethod
    def _are_compared_whole(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            regular(pattern, whole=True)
        return patterns

    @field_validator("url")
    @classmethod
    def _is_private(cls, url: str | None) -> str | None:
        if url is None:
            return None
        host = url.partition("://")[2].partition("/")[0]
        if "@" in host:
            raise ValueError("must hold no user; calls are signed with `secret`")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if url.startswith("http://") and name.strip("[]") not in _LOCAL:
            raise ValueError("must be https: prompts travel there")
        return url

    @field_validator("answer_schema")
    @classmethod
    def _refers_to_nobody(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(schema)) > SCHEMA_BYTES_MAX:
            raise ValueError(f"is longer than {SCHEMA_BYTES_MAX} bytes")
        for reference in _references(schema):
            if not reference.startswith("#"):
                raise ValueError("`$ref` must begin with `#`: nothing is fetched")
        return schema

    @model_validator(mode="before")
    @classmethod
    def _only_its_own_keys(cls, value: object) -> object:
        if isinstance(value, Mapping):
            kind = str(value.get("kind", "")).strip().lower()
            if kind in {each.value for each in Kind}:
                strange = sorted(set(map(str, value)) - _GENERAL - _OPTIONS[Kind(kind)])
                if strange:
                    taken = ", ".join(sorted(_GENERAL | _OPTIONS[Kind(kind)]))
                    raise ValueError(f"{kind} takes no {', '.join(strange)}; it takes {taken}")
        return value

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        kind, action = Kind(self.kind), self._action()
        if kind is Kind.PATTERNS and not (self.deny or self.allow):
            raise ValueError("patterns needs deny or allow")
        if kind is Kind.SIZE and self.chars_max is None and self.words_max is None:
            raise ValueError("size needs chars_max or words_max")
        if kind is Kind.JSON_SCHEMA:
            if not self.answer_schema:
                raise ValueError("json_schema needs answer_schema")
            if self.where not in ((), ("answers",)):
                raise ValueError("json_schema looks at answers only")
        if kind is Kind.WEBHOOK and self.url is None:
            raise ValueError("webhook needs url")
        if action is Action.REDACT and (kind not in _REDACTS or self.allow):
            raise ValueError(f"{kind.value} cannot say what would be right there, so it cannot redact")
        if self.stream == "window" and not self._may_window():
            raise ValueError(
                f"{kind.value} with {action.name.lower()} needs the whole answer, or its patterns too much "
                "work for every piece of it: stream: hold"
            )
        if kind not in _FAILS and "on_error" in self.model_fields_set:
            raise ValueError(f"{kind.value} does not fail, so it takes no on_error")
        return self

    def guardrail(self, name: str) -> Guardrail:
        """As the domain wants it."""
        kind = Kind(self.kind)
        window = self._may_window() if self.stream is None else self.stream == "window"
        return Guardrail(
            name=name,
            kind=kind,
            rule=self._rule(kind),
            where=frozenset(map(Where, self.where)) or frozenset(_WHERE.get(kind, (Where.PROMPTS,))),
            action=self._action(),
            stream=StreamMode.WINDOW if window else StreamMode.HOLD,
            everywhere=self.everywhere,
            on_error=OnError(self.on_error),
        )

    def _action(self) -> Action:
        if self.action is None:
            return Action.WARN if self.kind == Kind.INJECTION.value else Action.BLOCK
        return Action[self.action.upper()]

    def _may_window(self) -> bool:
        if Kind(self.kind) not in _WINDOWS or self._action() is not Action.BLOCK or self.allow:
            return False
        # As much is searched again for every piece of a stream.
        searched = (regular(each, ignore_case=self.ignore_case) for each in self.deny)
        return sum(each.width * each.steps for each in searched) <= WINDOW_STEPS_MAX

    def _rule(self, kind: Kind) -> Rule:
        if kind is Kind.PATTERNS:
            return PatternRule(
                deny=tuple(regular(each, ignore_case=self.ignore_case) for each in self.deny),
                excepted=self._whole(self.unless),
                allow=self._whole(self.allow),
            )
        if kind is Kind.SIZE:
            return SizeRule(chars_max=self.chars_max, words_max=self.words_max)
        if kind is Kind.SECRET_LEAK:
            return SecretRule(kinds=frozenset(map(PiiKind, self.kinds)) or SECRET_KINDS)
        if kind is Kind.INJECTION:
            expressions()  # now, and not within the first request
            return InjectionRule(threshold=self.threshold)
        if kind is Kind.JSON_SCHEMA:
            return SchemaRule(schema=json.dumps(self.answer_schema, sort_keys=True))
        return WebhookRule(
            url=self.url or "",
            timeout_s=self.timeout_s,
            region=self.region,
            concurrent_max=self.concurrent_max,
            body_bytes_max=self.body_bytes_max,
        )

    def _whole(self, patterns: tuple[str, ...]) -> tuple[Regular, ...]:
        return tuple(regular(each, ignore_case=self.ignore_case, whole=True) for each in patterns)


Guardrails = Annotated[dict[GuardrailName, GuardrailSettings], Field(max_length=GUARDRAILS_MAX)]


def made_guardrails(sections: Mapping[str, GuardrailSettings]) -> tuple[Guardrail, ...]:
    """In the order of the file, as the domain wants them."""
    return tuple(section.guardrail(name) for name, section in sections.items())


def guardrail_secrets(sections: Mapping[str, GuardrailSettings]) -> dict[str, SecretText]:
    """What calls of webhooks are signed with, by guardrail."""
    return {
        name: SecretText(section.secret.get_secret_value())
        for name, section in sections.items()
        if section.secret is not None
    }


def route_guardrails(
    sections: Mapping[str, GuardrailSettings], own: tuple[str, ...], route: str, problems: list[str]
) -> tuple[str, ...]:
    """The guardrails a route names. An unknown one is a problem, and nothing passes under it."""
    for name in own:
        if name not in sections:
            known = ", ".join(sections) or "none"
            problems.append(f"routes.{route}.guardrails: no guardrail {name!r}; known: {known}")
    return tuple(dict.fromkeys(own))


def _references(node: Any) -> list[str]:
    found: list[str] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            found += [
                value
                for key, value in each.items()
                if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str)
            ]
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return found
