"""What no longer counts. Rules are positions in what all instances hear, so no clocks are compared: an answer
is allowed only if whoever asked for it had already heard every rule that matches it."""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from domain.caching.entry import NOWHERE, CachedAnswer, Position
from domain.errors import InvalidRequest

EXACT_PER_TENANT_MAX: Final = 10_000
PREFIXES_PER_TENANT_MAX: Final = 64
RADII_PER_TENANT_MAX: Final = 32
RULES_MAX: Final = 100_000
TENANTS_MAX: Final = 20_000
VALUE_CHARS_MAX: Final = 512
RADIUS_CHARS_MAX: Final = 40_000
"""Enough for 4,096 numbers of four bytes, in hex, and the similarity before them."""
_LOOKED_AT_CHARS: Final = 4_096
_SIGNS: Final = "letters, digits and . _ : / -"


class InvalidationKind(Enum):
    """What a rule's value names. Models and namespaces may end in `*`: all that begin so."""

    ENTRY = "entry"
    """The key in hex."""
    TAG = "tag"
    MODEL = "model"
    """`provider/model`."""
    ROUTE = "route"
    NAMESPACE = "namespace"
    PROMPT = "prompt"
    """How the last message of the user begins; case and spaces make no difference."""
    TENANT = "tenant"
    EVERYTHING = "everything"
    RADIUS = "radius"
    """Questions near a vector (`radius_value`); whoever has the vectors applies it."""


_FORMS: Final = {
    InvalidationKind.ENTRY: (re.compile(r"[0-9A-Fa-f]{64}"), "a key is 64 hexadecimal digits"),
    InvalidationKind.TAG: (re.compile(r"[A-Za-z0-9._:/-]{1,64}"), f"a tag is 1-64 {_SIGNS}, one at a time"),
    InvalidationKind.MODEL: (
        re.compile(r"[^*/]+/[^*]+|[^*]*\*"),
        "a model is provider/model as answers name them, or begins so and ends in *",
    ),
    InvalidationKind.NAMESPACE: (
        re.compile(r"[A-Za-z0-9._:/-]{0,128}\*?"),
        f"a namespace is 1-128 {_SIGNS}, or begins so and ends in *",
    ),
}


class InvalidationRule(NamedTuple):
    """An empty `tenant_id` means all tenants. `position` is its number in the log of its epoch."""

    kind: InvalidationKind
    tenant_id: str
    value: str
    position: int = 0


class Radius(NamedTuple):
    similarity: float
    vector: bytes
    """Little-endian float32 numbers of unit length."""
    embedder_id: str


def radius_value(radius: Radius) -> str:
    """As a rule's value."""
    return f"{radius.similarity!r}:{radius.embedder_id}:{radius.vector.hex()}"


def read_radius(value: str) -> Radius:
    """Raises InvalidRequest for a value that `radius_value` never makes."""
    similarity, _, rest = value.partition(":")
    embedder_id, _, digits = rest.rpartition(":")
    try:
        radius = Radius(float(similarity), bytes.fromhex(digits), embedder_id)
    except ValueError:
        raise InvalidRequest("value: not a radius", param="value") from None
    if not -1.0 <= radius.similarity <= 1.0 or not radius.vector or not embedder_id:
        raise InvalidRequest("value: not a radius", param="value")
    return radius


def check_rule(rule: InvalidationRule) -> None:
    """Raises InvalidRequest for a rule that could match nothing, or that says more than it names."""
    kind, tenant_id, value, _ = rule
    whole = kind in (InvalidationKind.TENANT, InvalidationKind.EVERYTHING)
    if whole != (not value):
        said = "must be empty" if whole else "is missing"
        raise InvalidRequest(f"value: {said} for kind {kind.value}", param="value")
    if kind is InvalidationKind.EVERYTHING and tenant_id:
        raise InvalidRequest("kind: everything is not one tenant's; use tenant", param="kind")
    if kind in (InvalidationKind.TENANT, InvalidationKind.RADIUS) and not tenant_id:
        raise InvalidRequest(f"tenant_id: is missing for kind {kind.value}", param="tenant_id")
    chars_max = RADIUS_CHARS_MAX if kind is InvalidationKind.RADIUS else VALUE_CHARS_MAX
    if len(value) > chars_max:
        raise InvalidRequest(f"value: more than {chars_max} characters", param="value")
    if kind is InvalidationKind.ENTRY:
        try:
            bytes.fromhex(value)
        except ValueError:
            raise InvalidRequest("value: a key is written in hex", param="value") from None
    if kind is InvalidationKind.PROMPT and not _plain(value):
        raise InvalidRequest("value: only spaces", param="value")
    if kind is InvalidationKind.RADIUS:
        read_radius(value)


def check_name(kind: InvalidationKind, value: str) -> None:
    """Raises InvalidRequest for a name that no answer can have, so that nobody believes something was taken
    out because of a slip. Stricter than `check_rule`, which also reads what other versions wrote."""
    form = _FORMS.get(kind)
    if value and form is not None and form[0].fullmatch(value) is None:
        raise InvalidRequest(f"value: {form[1]}", param="value")


def matches(rule: InvalidationRule, answer: CachedAnswer) -> bool:
    """Whether a rule is about an answer, whenever it was asked. A radius matches none: vectors say that. A
    value that means nothing counts for the whole tenant."""
    kind, tenant_id, value, _ = rule
    if tenant_id and tenant_id != answer.tenant_id:
        return False
    if kind in (InvalidationKind.TENANT, InvalidationKind.EVERYTHING) or not _readable(kind, value):
        return True
    if (kind, _spelt(kind, value)) in _exact_names(answer):
        return True
    prefix = _prefix_of(kind, value)
    return prefix is not None and _begins([(kind, prefix)], answer)


class RuleBook:
    """Every rule heard in one epoch. Bounded: where rules are too many, the older ones become one about the
    whole tenant, so that some answers are lost but no rule is.

    Belongs to one event loop; not for use by several threads.
    """

    def __init__(self) -> None:
        self._epoch = NOWHERE.epoch
        self._floor = 0
        """Rules up to here are not known, so answers asked before are not allowed."""
        self._everybody = _Rules()
        self._tenants: dict[str, _Rules] = {}
        self._count = 0
        self.collapsed = 0
        """How often rules became coarser for want of room."""

    def __len__(self) -> int:
        return self._count

    @property
    def since(self) -> Position:
        """From where on every rule is known."""
        return Position(self._epoch, self._floor)

    def reset(self, since: Position) -> None:
        """Rules up to a position cannot be known. In another epoch, none of the old ones means anything."""
        if since.epoch == self._epoch:
            self.forget_up_to(since.number)
            return
        self._epoch, self._floor = since
        self._everybody = _Rules()
        self._tenants.clear()
        self._count = 0

    def forget_up_to(self, number: int) -> None:
        """Older rules leave; whatever was asked before that position is not allowed from now on."""
        if number <= self._floor:
            return
        self._floor = number
        self._everybody.forget_up_to(number)
        for tenant_id, rules in list(self._tenants.items()):
            rules.forget_up_to(number)
            if rules.latest <= number:
                del self._tenants[tenant_id]
        self._recount()

    def hear(self, rule: InvalidationRule) -> None:
        """In any order, any number of times. A value that cannot be read counts for the whole tenant."""
        if rule.position <= self._floor:
            return
        if not rule.tenant_id:
            rules = self._everybody
            if rule.kind is InvalidationKind.RADIUS:
                # Vectors are looked through for one tenant only.
                rule = InvalidationRule(InvalidationKind.EVERYTHING, "", "", rule.position)
        elif (known := self._tenants.get(rule.tenant_id)) is not None:
            rules = known
        else:
            rules = self._tenants[rule.tenant_id] = _Rules()
        before = len(rules)
        self.collapsed += rules.hear(rule)
        self._count += len(rules) - before
        if self._count > RULES_MAX:
            self._thin()
        if len(self._tenants) > TENANTS_MAX:
            latest = sorted(rules.latest for rules in self._tenants.values())
            self.collapsed += 1
            self.forget_up_to(latest[len(latest) // 2])

    def allows(self, answer: CachedAnswer) -> bool:
        """Whether nothing this instance has heard speaks against an answer. A radius is not looked at."""
        epoch, number = answer.heard
        if epoch != self._epoch or number < self._floor:
            return False
        rules = self._tenants.get(answer.tenant_id)
        if rules is not None and rules.latest > number and rules.forbid(answer):
            return False
        everybody = self._everybody
        return everybody.latest <= number or not everybody.forbid(answer)

    def quiet_since(self, tenant_id: str, heard: Position) -> bool:
        """Whether no rule about a tenant was heard after a position, whatever it names."""
        if heard.epoch != self._epoch or heard.number < self._floor:
            return False
        rules = self._tenants.get(tenant_id)
        return self._everybody.latest <= heard.number and (rules is None or rules.latest <= heard.number)

    def radii(self, tenant_id: str, after: Position) -> Iterator[Radius]:
        """Near which vectors a tenant's questions asked at a position are no longer to be answered."""
        rules = self._tenants.get(tenant_id)
        if rules is not None and rules.radii:
            for (_, value), position in rules.radii.items():
                if position > after.number or after.epoch != self._epoch:
                    yield read_radius(value)

    def _thin(self) -> None:
        """Of everybody with at least an average number of rules, so that it is not soon needed again."""
        books = (self._everybody, *self._tenants.values())
        for rules in books:
            if len(rules) * len(books) >= self._count:
                rules.thin()
        self.collapsed += 1
        self._recount()

    def _recount(self) -> None:
        self._count = len(self._everybody) + sum(len(rules) for rules in self._tenants.values())


_Name = tuple[InvalidationKind, str]


class _Rules:
    """Of one tenant, or for all of them: the latest position of every name."""

    __slots__ = ("exact", "latest", "prefixes", "radii", "whole")

    def __init__(self) -> None:
        self.latest = 0
        self.whole = 0
        self.exact: dict[_Name, int] = {}
        self.prefixes: dict[_Name, int] = {}
        self.radii: dict[_Name, int] = {}

    def __len__(self) -> int:
        return len(self.exact) + len(self.prefixes) + len(self.radii)

    def hear(self, rule: InvalidationRule) -> bool:
        """Whether older rules became coarser."""
        kind, _, value, position = rule
        self.latest = max(self.latest, position)
        if position <= self.whole:
            return False
        if kind in (InvalidationKind.TENANT, InvalidationKind.EVERYTHING) or not _readable(kind, value):
            self.whole = position
            self.forget_up_to(position)
            return False
        prefix = _prefix_of(kind, value)
        if kind is InvalidationKind.RADIUS:
            known, most, name = self.radii, RADII_PER_TENANT_MAX, value
        elif prefix is not None:
            known, most, name = self.prefixes, PREFIXES_PER_TENANT_MAX, prefix
        else:
            known, most, name = self.exact, EXACT_PER_TENANT_MAX, _spelt(kind, value)
        known[kind, name] = max(position, known.get((kind, name), 0))
        if len(known) <= most:
            return False
        self._thin(known)
        return True

    def thin(self) -> None:
        """The older half becomes one rule about everything of the tenant."""
        self._thin({**self.exact, **self.prefixes, **self.radii})

    def _thin(self, known: dict[_Name, int]) -> None:
        positions = sorted(known.values())
        self.whole = max(self.whole, positions[len(positions) // 2])
        self.forget_up_to(self.whole)

    def forget_up_to(self, number: int) -> None:
        self.exact = {name: at for name, at in self.exact.items() if at > number}
        self.prefixes = {name: at for name, at in self.prefixes.items() if at > number}
        self.radii = {name: at for name, at in self.radii.items() if at > number}

    def forbid(self, answer: CachedAnswer) -> bool:
        number = answer.heard.number
        if self.whole > number:
            return True
        exact = self.exact
        if exact and any(exact.get(name, 0) > number for name in _exact_names(answer)):
            return True
        later = [name for name, position in self.prefixes.items() if position > number]
        return bool(later) and _begins(later, answer)


def _exact_names(answer: CachedAnswer) -> Iterator[_Name]:
    yield InvalidationKind.ENTRY, answer.key.hex()
    yield InvalidationKind.ROUTE, answer.route
    yield InvalidationKind.MODEL, f"{answer.provider}/{answer.model}"
    yield InvalidationKind.NAMESPACE, answer.namespace
    for tag in answer.tags:
        yield InvalidationKind.TAG, tag


def _spelt(kind: InvalidationKind, value: str) -> str:
    return "".join(value.split()).lower() if kind is InvalidationKind.ENTRY else value


def _prefix_of(kind: InvalidationKind, value: str) -> str | None:
    """What names have to begin with; None: the value is one whole name."""
    if kind is InvalidationKind.PROMPT:
        return _plain(value)
    if kind in (InvalidationKind.MODEL, InvalidationKind.NAMESPACE) and value.endswith("*"):
        return value[:-1]
    return None


def _begins(prefixes: Iterable[_Name], answer: CachedAnswer) -> bool:
    """Whether an answer's names begin with any of these."""
    model, namespace, question = f"{answer.provider}/{answer.model}", answer.namespace, answer.question
    begin = _plain(question[:_LOOKED_AT_CHARS])
    # What was not kept, or lies behind a long run of spaces, cannot be ruled out.
    cut = not question or len(question) > _LOOKED_AT_CHARS
    for kind, prefix in prefixes:
        if kind is InvalidationKind.MODEL:
            found = model.startswith(prefix)
        elif kind is InvalidationKind.NAMESPACE:
            found = namespace.startswith(prefix)
        else:
            found = begin.startswith(prefix) or (cut and prefix.startswith(begin))
        if found:
            return True
    return False


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _readable(kind: InvalidationKind, value: str) -> bool:
    try:
        check_rule(InvalidationRule(kind, "any", value))
    except InvalidRequest:
        return False
    return True
