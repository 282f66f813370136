"""What a caller may write as `model`, and what it means.

In this order: a route's name; `provider/model` (or `provider/alias`) of a configured provider; a model's
name or alias, which means all targets that offer it; an offering's id in the catalogue. A prefix that names
a configured provider means that provider and nobody else; one that names nobody is unknown, never a default.
Spelling in another case is accepted only when nothing matches exactly. Last comes what a provider itself
calls a model beside its name (a dated snapshot, a fine-tuned name): it is sent on as it was asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from domain.catalog.names import matches, normalise, undated
from domain.errors import UnknownModel
from domain.routing.cache_policy import OFF, CachePolicy
from domain.routing.target import Route, RouteTarget, Target

_NEAREST_MAX = 5
_NEAREST_CUTOFF = 0.5
_NAME_CHARS_MAX = 200
_IMPLICIT_ROUTES_MAX = 20_000


class ModelNames:
    """Every name of one table. Implicit routes are made once and kept, as many as there are names."""

    __slots__ = (
        "_by_name",
        "_by_prefix",
        "_by_undated",
        "_cache",
        "_folded",
        "_implicit",
        "_patterns",
        "_providers",
        "_routes",
    )

    def __init__(
        self, targets: Sequence[Target], routes: Mapping[str, Route], *, cache: CachePolicy = OFF
    ) -> None:
        """`cache` is what holds for routes that nobody declared."""
        self._cache = cache
        self._routes = dict(routes)
        self._providers = {name.lower() for target in targets for name in _provider_names(target)}
        self._by_prefix: dict[str, list[Target]] = {}
        self._by_name: dict[str, list[Target]] = {}
        for target in targets:
            own_names = {target.model, target.offering.model, *target.aliases}
            below = (f"{prefix}/{name}" for prefix in _provider_names(target) for name in own_names)
            for name in sorted({target.id, target.own_id, *below}):
                _add(self._by_prefix, name, target)
            for name in sorted(own_names | {target.offering.id}):
                _add(self._by_name, name, target)
        self._patterns = [(alias, target) for target in targets for alias in target.offering.aliases]
        self._by_undated: dict[str, list[Target]] = {}
        for target in targets:
            _add(self._by_undated, normalise(target.model), target)
        self._folded: dict[str, str] = {}
        for names in (self._by_name, self._by_prefix, self._routes):
            self._folded.update((name.lower(), name) for name in sorted(names))
        self._implicit: dict[str, Route] = {}

    def resolve(self, name: str) -> Route:
        """The route a caller means. Raises UnknownModel."""
        route = self._routes.get(name) or self._implicit.get(name)
        if route is not None:
            return route
        route = (
            self._exact(name)
            or self._exact(self._folded.get(name[:_NAME_CHARS_MAX].lower(), ""))
            or self._as_the_provider_says(name)
        )
        if route is None:
            raise self._unknown(name)
        if len(self._implicit) >= _IMPLICIT_ROUTES_MAX:
            self._implicit.clear()
        self._implicit[name] = route
        return route

    def nearest(self, name: str) -> list[str]:
        """The closest names, best first, at most five."""
        asked = name[:_NAME_CHARS_MAX].lower()
        close = get_close_matches(asked, self._folded, n=_NEAREST_MAX, cutoff=_NEAREST_CUTOFF)
        if not close:
            # A short name is too far from a long one for a ratio, though it may be a part of it.
            close = [folded for folded in self._folded if len(asked) >= 3 and asked in folded][:_NEAREST_MAX]
        return [self._folded[folded] for folded in close]

    def _exact(self, name: str) -> Route | None:
        if not name:
            return None
        if name in self._routes:
            return self._routes[name]
        targets = self._by_prefix.get(name)
        if targets is None and not self.names_a_provider(name):
            targets = self._by_name.get(name)
        return None if targets is None else implicit_route(name, targets, self._cache)

    def _as_the_provider_says(self, name: str) -> Route | None:
        """Targets whose provider knows the model by this name too, standing in under it."""
        if not name or len(name) > _NAME_CHARS_MAX:
            return None
        provider, slash, rest = name.partition("/")
        own = bool(slash) and provider.lower() in self._providers
        asked = rest if own else name
        said = provider.lower()
        found: dict[int, Target] = {}
        for pattern, target in self._patterns:
            if matches(pattern, asked):
                found[target.index] = target
        plain = undated(asked)
        if not found and plain != normalise(asked) and not normalise(asked).endswith("-latest"):
            found = {target.index: target for target in self._by_undated.get(plain, ())}
        if own:
            found = {
                i: target
                for i, target in found.items()
                if said in (name.lower() for name in _provider_names(target))
            }
        if not found:
            return None
        stand_ins = {
            index: replace(target, id=f"{target.provider}/{asked}", model=asked)
            for index, target in found.items()
        }
        return replace(implicit_route(name, found.values(), self._cache), stand_ins=stand_ins)

    def names_a_provider(self, name: str) -> bool:
        """Whether it begins with one of these providers."""
        provider, slash, _ = name.partition("/")
        return bool(slash) and provider.lower() in self._providers

    def _unknown(self, name: str) -> UnknownModel:
        shown = name if len(name) <= _NAME_CHARS_MAX else name[:_NAME_CHARS_MAX] + "…"
        nearest = self.nearest(name)
        hint = f"; the nearest names are {', '.join(nearest)}" if nearest else ""
        provider, slash, model = shown.partition("/")
        if slash and provider.lower() in self._providers:
            return UnknownModel(f"provider {provider!r} has no model {model!r}{hint}", nearest=nearest)
        if slash:
            return UnknownModel(f"no model {shown!r}, and no provider {provider!r}{hint}", nearest=nearest)
        return UnknownModel(f"no route or model {shown!r}{hint}", nearest=nearest)


def implicit_route(name: str, targets: Iterable[Target], cache: CachePolicy = OFF) -> Route:
    """The balanced route behind a model's name."""
    members = tuple(RouteTarget(target=target) for target in targets)
    return Route(name=name, targets=members, cache=cache, implicit=True)


def _provider_names(target: Target) -> set[str]:
    """A provider that a tenant has alone goes by the tenant's own name for it too."""
    return {target.provider, target.own_provider}


def _add(index: dict[str, list[Target]], name: str, target: Target) -> None:
    members = index.setdefault(name, [])
    if target not in members:
        members.append(target)
