"""Model names: how a name a caller writes finds the offering that is meant.

Providers, SDKs and feeds spell one model in many ways: `claude-3.5-sonnet`, `claude-3-5-sonnet-20241022`,
`models/gemini-2.5-pro`, `gpt-4o-2024-08-06`, `anthropic/claude-sonnet-4-5`. Matching goes from exact to
loose and stops at the first level that finds something, so an exact name can never be shadowed; within a
level, order is fixed (longest pattern, newest date, then id), so equal catalogues give equal answers.
A name never leaves the provider its prefix names.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from domain.catalog.offering import Catalog, CatalogProvider, Offering

NAME_CHARS_MAX: Final = 256
"""Longer names match nothing: no provider has them, and comparing them would cost."""

_SEPARATORS = re.compile(r"[\s_@.\-]+")
_DASHED_DATE = re.compile(r"(?<!\d)(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?!\d)")
_MOMENT = re.compile(r"-(?:20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|latest)$")


def normalise(name: str) -> str:
    """One spelling for names that differ only in case, separators, date style or Google's `models/`.

    Idempotent. `Claude_3.5-Sonnet@2024-10-22` -> `claude-3-5-sonnet-20241022`.
    """
    text = _SEPARATORS.sub("-", name.strip().casefold().removeprefix("models/")).strip("-")
    return _DASHED_DATE.sub(r"\1\2\3", text)


def undated(name: str) -> str:
    """The normalised name without a trailing date or `-latest`; a name that is nothing else stays."""
    text = normalise(name)
    return _MOMENT.sub("", text) or text


def matches(pattern: str, name: str) -> bool:
    """Whether `name` has the shape of `pattern`, where `*` stands for any text, also none. Ignores case."""
    parts = pattern.casefold().split("*")
    text = name.casefold()
    if len(parts) == 1:
        return parts[0] == text
    head, *middle, tail = parts
    if len(text) < len(head) + len(tail) or not text.startswith(head) or not text.endswith(tail):
        return False
    position, end = len(head), len(text) - len(tail)
    for part in middle:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


class ModelNames:
    """Every name of one catalogue, indexed. Build it once per catalogue; it never changes."""

    __slots__ = ("_exact", "_loose", "_offerings", "_patterns", "_provider_ids", "_providers", "_undated")

    def __init__(self, catalog: Catalog) -> None:
        self._offerings = catalog.offerings
        self._providers = catalog.providers
        self._provider_ids = _provider_names(catalog)
        self._exact: dict[str, list[Offering]] = {}
        self._loose: dict[str, list[Offering]] = {}
        self._undated: dict[str, list[Offering]] = {}
        self._patterns: dict[str, list[tuple[str, Offering]]] = {}
        aliases: dict[str, list[Offering]] = {}
        for offering in sorted(catalog.offerings.values(), key=lambda o: o.id):
            _add(self._exact, offering.model.casefold(), offering)
            _add(self._loose, normalise(offering.model), offering)
            # A dated name that only the catalogue dates ("x-20250929") is what an undated "x" means.
            _add(self._undated, undated(offering.model), offering)
            for alias in offering.aliases:
                if "*" in alias:
                    self._patterns.setdefault(offering.provider, []).append((alias, offering))
                else:
                    _add(aliases, alias.casefold(), offering)
                    _add(self._loose, normalise(alias), offering)
        # A provider's own model name outranks another model's alias of the same spelling.
        for name, offerings in aliases.items():
            owners = {offering.provider for offering in self._exact.get(name, ())}
            for offering in offerings:
                if offering.provider not in owners:
                    _add(self._exact, name, offering)
        for patterns in self._patterns.values():
            patterns.sort(key=lambda entry: (-len(entry[0].replace("*", "")), entry[1].id, entry[0]))

    def provider(self, name: str) -> CatalogProvider | None:
        """The provider of this id or alias, in any spelling."""
        provider_id = self._provider_ids.get(normalise(name))
        return None if provider_id is None else self._providers.get(provider_id)

    def at(self, provider: str, model: str) -> Offering | None:
        """What `provider` (an id or alias) sells under `model`, or None.

        Where the provider publishes no price itself, the offering of the first price fallback is returned as
        this provider's, with `model` as its name and its source saying whose prices they are.
        """
        provider_id = self._provider_ids.get(normalise(provider), provider)
        if len(model) > NAME_CHARS_MAX:
            return None
        if found := self._at(provider_id, model):
            return found
        known = self._providers.get(provider_id)
        for fallback in known.price_fallbacks if known else ():
            if found := self._at(fallback, model):
                # Where a reseller answers and under which rules is its own affair, not the fallback's.
                return replace(
                    found,
                    provider=provider_id,
                    model=model,
                    aliases=(),
                    regions=known.regions if known else frozenset(),
                    compliance=known.compliance if known else frozenset(),
                    source=f"{found.source} ({fallback})",
                )
        return None

    def sold_by(self, provider: str) -> tuple[Offering, ...]:
        """Everything `provider` (an id or alias) sells by itself or at another's prices, in order of id.

        A model of a price fallback is only likely to be there: `provider` alone knows what it deployed.
        """
        provider_id = self._provider_ids.get(normalise(provider), provider)
        known = self._providers.get(provider_id)
        models = {offering.model for offering in self._offerings.values() if offering.provider == provider_id}
        for fallback in known.price_fallbacks if known else ():
            models |= {
                offering.model for offering in self._offerings.values() if offering.provider == fallback
            }
        sold = (self.at(provider_id, model) for model in sorted(models))
        # A fallback's model may be what an alias of the provider's own offering means already.
        unique = {offering.id: offering for offering in sold if offering is not None}
        return tuple(unique[offering_id] for offering_id in sorted(unique))

    def find(self, name: str) -> tuple[Offering, ...]:
        """Everything a caller may mean by `name`, best level only, in order of id; empty: unknown.

        `provider/model` with a known provider means that provider and nobody else. Any other name, with or
        without slashes, is looked for at every provider.
        """
        if len(name) > NAME_CHARS_MAX:
            return ()
        prefix, slash, rest = name.partition("/")
        if slash and rest and normalise(prefix) in self._provider_ids:
            found = self.at(prefix, rest)
            return () if found is None else (found,)
        for level in self._levels(name):
            if level:
                best: dict[str, Offering] = {}
                for offering in level:
                    best.setdefault(offering.provider, offering)
                return tuple(sorted(best.values(), key=lambda offering: offering.id))
        return ()

    def sold_as(self, offering: Offering, asked: str) -> str:
        """The name to send to the provider when a caller asked for `asked` and got `offering`.

        A snapshot, a fine-tuned name or any alias is sent as asked, since it means something to the provider;
        a mere spelling becomes the provider's own name.
        """
        prefix, slash, rest = asked.partition("/")
        if slash and self._provider_ids.get(normalise(prefix)) == offering.provider:
            asked = rest
        if asked.casefold() == offering.model.casefold():
            return offering.model
        if any(matches(alias, asked) for alias in offering.aliases):
            return asked
        dated = undated(asked) != normalise(asked) and undated(asked) == normalise(offering.model)
        return asked if dated and not normalise(asked).endswith("-latest") else offering.model

    def nearest(self, name: str, n: int = 3) -> tuple[str, ...]:
        """Names to suggest for an unknown one: models where there is no slash, else `provider/model`."""
        if "/" in name:
            return nearest(name, self._offerings, n)
        return nearest(name, {offering.model for offering in self._offerings.values()}, n)

    def _at(self, provider_id: str, model: str) -> Offering | None:
        for level in self._levels(model, provider_id):
            for offering in level:
                if offering.provider == provider_id:
                    return offering
        return None

    def _levels(self, name: str, provider_id: str | None = None) -> Iterable[list[Offering]]:
        """Candidates from exact to loose; the caller stops at the first that holds one it can use."""
        loose, plain = normalise(name), undated(name)
        yield self._exact.get(name.casefold(), [])
        yield self._loose.get(loose, [])
        yield self._matching_patterns(name, provider_id)
        if plain != loose:
            # The asked snapshot is not listed by itself: the undated entry holds its price.
            yield self._loose.get(plain, [])
        if plain == loose or loose.endswith("-latest"):
            # A date is never swapped for another date: snapshots may differ in price.
            newest_first = sorted(
                self._undated.get(plain, []), key=lambda o: normalise(o.model), reverse=True
            )
            yield newest_first

    def _matching_patterns(self, name: str, provider_id: str | None) -> list[Offering]:
        providers = sorted(self._patterns) if provider_id is None else [provider_id]
        return [
            offering
            for provider in providers
            for pattern, offering in self._patterns.get(provider, ())
            if matches(pattern, name)
        ]


class _TheSame:
    """One catalogue by what it is, not by what it holds: comparing thousands of offerings would cost more."""

    __slots__ = ("catalog",)

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TheSame) and self.catalog is other.catalog

    def __hash__(self) -> int:
        return id(self.catalog)


def names_of(catalog: Catalog) -> ModelNames:
    """The names of a catalogue that is asked for again and again: indexed once while it is in use."""
    return _indexed(_TheSame(catalog))


@lru_cache(maxsize=1)
def _indexed(held: _TheSame) -> ModelNames:
    return ModelNames(held.catalog)


def _provider_names(catalog: Catalog) -> dict[str, str]:
    """Normalised id or alias -> id; an id outranks another provider's alias."""
    names: dict[str, str] = {}
    for provider_id in sorted(catalog.providers):
        for alias in catalog.providers[provider_id].aliases:
            names.setdefault(normalise(alias), provider_id)
    for offering in catalog.offerings.values():
        names[normalise(offering.provider)] = offering.provider
    for provider_id in sorted(catalog.providers):
        names[normalise(provider_id)] = provider_id
    return names


def _add(index: dict[str, list[Offering]], key: str, offering: Offering) -> None:
    entries = index.setdefault(key, [])
    if offering not in entries[-1:]:
        entries.append(offering)


def nearest(name: str, names: Iterable[str], n: int = 3) -> tuple[str, ...]:
    """The `n` names most like `name`, best first; names that share nothing with it are left out.

    Likeness is the share of common letter pairs (Sørensen-Dice) of the normalised names; ties go by name,
    so the order of `names` is free. About 10 ms for 2,000 names: for messages only.
    """
    asked = _pairs(normalise(name[:NAME_CHARS_MAX]))
    scored = []
    for candidate in set(names):
        pairs = _pairs(normalise(candidate))
        likeness = 2 * len(asked & pairs) / (len(asked) + len(pairs)) if asked or pairs else 0.0
        if likeness > 0:
            scored.append((candidate != name, -likeness, candidate))
    return tuple(candidate for _, _, candidate in sorted(scored)[: max(n, 0)])


def _pairs(text: str) -> frozenset[str]:
    """Pairs of neighbours, with the borders counted as letters, so that one letter has pairs too."""
    padded = f"^{text}$"
    return frozenset(padded[i : i + 2] for i in range(len(padded) - 1)) if text else frozenset()
