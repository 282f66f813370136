"""Settings and catalogue become what requests run on: providers, targets, routes.

Pure: the same inputs give the same result; nothing is opened here. Which adapter speaks to a provider is
decided in `containers.py` from the `wire` each one is given here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from domain.caching.policy import OFF, CachePolicy
from domain.catalog.names import ModelNames
from domain.catalog.offering import Catalog, CatalogProvider, Offering
from domain.llm.capabilities import LONG_CONTEXT_TOKENS, Capability
from domain.routing.target import Route, RouteTarget, Target
from entrypoints.config.cache_findings import unknown_embedder
from entrypoints.config.cache_sections import cache_policy
from entrypoints.config.guard_sections import route_policy
from entrypoints.config.guardrail_section import route_guardrails
from entrypoints.config.price_sections import price_contract
from entrypoints.config.privacy_section import route_privacy
from entrypoints.config.residency_section import ResidencySettings
from entrypoints.key_pools import pool_of
from entrypoints.prompt_caches import prompt_cache_of, takes_cache_key
from entrypoints.provider_wires import (
    CLOUD_WIRES,
    DIRECT_WIRES,
    SELF_ADDRESSED_WIRES,
    gateway_slug,
    identity_of,
    options_of,
    problems_of,
    tags_of,
)
from entrypoints.provisioned import CHAT, ProvisionedProvider
from entrypoints.responses_support import responses_support, responses_tags
from entrypoints.settings import ModelSettings, ProviderSettings, RouteSettings, Settings
from entrypoints.simulated import simulated_offerings, simulated_providers

AUTO_ROUTE = "auto"


class ProvisioningError(Exception):
    """The configuration names something that cannot be built; `problems` lists all of it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOffering:
    """An offering under the name and aliases that callers of this installation use."""

    name: str
    offering: Offering
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """Everything the runtime is compiled from."""

    providers: dict[str, ProvisionedProvider]
    targets: tuple[Target, ...]
    routes: dict[str, Route]
    default_route: str | None
    cache: CachePolicy = OFF
    """Of routes nobody declared: models asked for by name."""
    residency: ResidencySettings = field(default_factory=ResidencySettings)
    warnings: tuple[str, ...] = ()
    """What of the API's routes cannot be used now, and an embedder that nobody is."""


def provision(
    settings: Settings,
    catalog: Catalog,
    environ: Mapping[str, str],
    *,
    simulator_url: str | None = None,
    api_routes: Mapping[str, RouteSettings] | None = None,
) -> Provision:
    """The providers of the file, those a key in the environment activates, and the simulated ones.

    `api_routes` were made through the API. What of them has no target any more is left out with a warning.

    Raises:
        ProvisioningError: an unknown kind, a missing base_url or a route to an unknown target.
    """
    problems: list[str] = []
    names = ModelNames(catalog)
    providers: dict[str, ProvisionedProvider] = {}
    offerings: dict[str, list[NamedOffering]] = {}
    for name, section in settings.providers.items():
        made = _configured(name, section, names, environ, problems)
        if made is not None:
            providers[name] = made
            offerings[name] = _offerings(name, section, names)
    if settings.profile == "embedded":
        public = {section.kind for section in settings.providers.values() if section.base_url is None}
        for made in _from_environment(catalog, environ, providers, public):
            providers[made.name] = made
            offerings[made.name] = _as_known(made.name, names)
    if settings.runs_simulator and simulator_url is not None:
        for made in simulated_providers(simulator_url):
            if made.name not in providers:
                providers[made.name] = made
                offerings[made.name] = [
                    NamedOffering(name=offering.model, offering=offering)
                    for offering in simulated_offerings(made.name)
                ]
    targets = _targets(settings, providers, offerings)
    by_id = {target.id: target for target in targets}
    routes = _routes(settings, settings.routes, by_id, problems)
    if problems:
        raise ProvisioningError(problems)
    warnings: list[str] = []
    routes |= _routes(settings, api_routes or {}, by_id, warnings)
    if AUTO_ROUTE not in routes and targets:
        routes[AUTO_ROUTE] = _auto(settings, targets)
    general = cache_policy(settings.cache)
    policies = [general, *(route.cache for route in routes.values())]
    if unknown := unknown_embedder(settings.cache.embedder, providers, policies):
        warnings.append(unknown)
    return Provision(
        providers=providers,
        targets=tuple(targets),
        routes=routes,
        default_route=AUTO_ROUTE if AUTO_ROUTE in routes else None,
        cache=general,
        residency=settings.residency,
        warnings=tuple(warnings),
    )


def _configured(
    name: str,
    section: ProviderSettings,
    names: ModelNames,
    environ: Mapping[str, str],
    problems: list[str],
) -> ProvisionedProvider | None:
    known = names.provider(section.kind)
    wire = known.wire if known is not None else section.kind
    if known is None and wire not in DIRECT_WIRES:
        problems.append(
            f"providers.{name}.kind: {section.kind!r} is neither a wire ({', '.join(sorted(DIRECT_WIRES))}) "
            f"nor a provider of the catalogue"
        )
        return None
    base_url = section.base_url or (known.base_url if known else None)
    slug = gateway_slug(wire, section, known.portkey_slug if known else wire)
    options, identity = options_of(wire, section, environ), identity_of(wire, section, environ)
    found = problems_of(name, wire, section, identity, options)
    if found:
        problems += found
        return None
    unaddressed = base_url is None and wire not in SELF_ADDRESSED_WIRES
    if unaddressed and (slug is None or wire in DIRECT_WIRES - CLOUD_WIRES):
        problems.append(f"providers.{name}.base_url: required, the catalogue knows none for {section.kind!r}")
        return None
    key = section.first_key
    return ProvisionedProvider(
        name=name,
        wire=wire,
        base_url=base_url.rstrip("/") if base_url else None,
        public_base_url=section.base_url is None,
        portkey_slug=slug,
        api_key=key.get_secret_value() if key is not None else None,
        keys=pool_of(section),
        headers=tuple((n, v.get_secret_value()) for n, v in section.headers.items()),
        via=section.via,
        region=section.region,
        tags=tags_of(known, section),
        options=options,
        identity=identity,
        kind=known.id if known is not None else wire,
        responses=section.responses or responses_support(known.id if known is not None else wire),
        honours_idempotency_keys=section.honours_idempotency_keys,
        tls12=section.tls_min == "1.2",
        batch_api=_batch_api(section, own_address=section.base_url is not None),
    )


def _batch_api(section: ProviderSettings, *, own_address: bool) -> str:
    """What the file says; else the vendors that have one, at their own address."""
    if section.batch_api is not None:
        return "" if section.batch_api == "none" else section.batch_api
    return section.kind if section.kind in ("openai", "anthropic") and not own_address else ""


def _as_known(provider: str, names: ModelNames, kind: str | None = None) -> list[NamedOffering]:
    """Everything the catalogue says a provider of this kind sells, under the operator's provider name."""
    return [
        NamedOffering(name=offering.model, offering=replace(offering, provider=provider))
        for offering in names.sold_by(kind or provider)
    ]


def _offerings(name: str, section: ProviderSettings, names: ModelNames) -> list[NamedOffering]:
    """Catalogue models of this kind with the file's overrides.

    Behind an address of the operator's own, with models declared, only the declared ones exist: nobody
    knows what else that server would answer to.
    """
    known = {entry.name: entry for entry in _as_known(name, names, section.kind)}
    own_address = section.base_url is not None
    result = {} if own_address and section.models else dict(known)
    seller = names.provider(section.kind)
    wire = seller.wire if seller is not None else section.kind
    for shown, declared in section.models.items():
        model = declared.model or shown
        called = (declared.base_model, model, shown)
        alike = next((known[each].offering for each in called if each in known), None)
        if alike is None and wire == "bedrock":
            # Prefixes of regions and ARNs of profiles are known as patterns only.
            alike = next((found for each in called if each and (found := names.at(section.kind, each))), None)
        base = (
            replace(alike, provider=name, model=model)
            if alike is not None
            else Offering(provider=name, model=model, capabilities=CHAT, source="config")
        )
        result[shown] = NamedOffering(
            name=shown, offering=_overridden(base, declared), aliases=tuple(declared.aliases or ())
        )
    return list(result.values())


def _overridden(base: Offering, declared: ModelSettings) -> Offering:
    """The file's word over the catalogue's, field by field."""
    capabilities = declared.capability_mask
    context_tokens = declared.context_tokens or base.context_tokens
    changed = replace(
        base,
        prices=declared.prices() or base.prices,
        capabilities=base.capabilities if capabilities is None else capabilities,
        context_tokens=context_tokens,
        max_output_tokens=declared.max_output_tokens or base.max_output_tokens,
        quality=base.quality if declared.quality is None else declared.quality,
        regions=base.regions if declared.regions is None else frozenset(declared.regions),
        compliance=base.compliance if declared.compliance is None else frozenset(declared.compliance),
        tags=base.tags if declared.tags is None else frozenset(declared.tags),
        prefill=base.prefill if declared.prefill is None else declared.prefill,
        version=declared.version or base.version,
        deprecated_on=declared.deprecated_on or base.deprecated_on,
    )
    if (context_tokens or 0) >= LONG_CONTEXT_TOKENS:
        changed = replace(changed, capabilities=changed.capabilities | Capability.LONG_CONTEXT)
    return changed


def _from_environment(
    catalog: Catalog,
    environ: Mapping[str, str],
    taken: Mapping[str, ProvisionedProvider],
    public: set[str],
) -> Iterable[ProvisionedProvider]:
    """Providers that a key in the environment switches on (embedded profile).

    `public` are the kinds that the file already reaches at their public address.
    """
    seen: set[str] = set()
    for known in catalog.providers.values():
        if known.id in taken or known.id in public or not _reachable(known):
            continue
        for variable in known.key_variables:
            key = environ.get(variable, "").strip()
            if key and variable not in seen:
                seen.add(variable)
                yield ProvisionedProvider(
                    name=known.id,
                    wire=known.wire,
                    base_url=known.base_url.rstrip("/") if known.base_url else None,
                    public_base_url=True,
                    portkey_slug=known.portkey_slug,
                    api_key=key,
                    tags=known.tags,
                    kind=known.id,
                    responses=responses_support(known.id),
                )
                break


def _reachable(known: CatalogProvider) -> bool:
    return known.wire in DIRECT_WIRES and known.base_url is not None


def _targets(
    settings: Settings,
    providers: Mapping[str, ProvisionedProvider],
    offerings: Mapping[str, list[NamedOffering]],
) -> list[Target]:
    targets: list[Target] = []
    for name, provider in providers.items():
        section = settings.providers.get(name)
        contract = None
        if section is not None:
            contract = price_contract(section.discount_percent, section.volume_discounts, section.reserved)
        keyed = takes_cache_key(
            provider.kind, provider.base_url, provider.options, public=provider.public_base_url
        )
        for entry in offerings[name]:
            offering = entry.offering
            targets.append(
                Target(
                    index=len(targets),
                    id=f"{name}/{entry.name}",
                    provider=name,
                    model=offering.model,
                    offering=offering,
                    wire=provider.wire,
                    via=provider.via,
                    region=provider.region,
                    compliance=offering.compliance | frozenset(section.compliance if section else ()),
                    tags=offering.tags
                    | provider.tags
                    | frozenset(section.tags if section else ())
                    | responses_tags(provider.responses, provider.kind, offering.model),
                    simulated=provider.simulated,
                    honours_idempotency_keys=provider.honours_idempotency_keys,
                    batch_api=provider.batch_api,
                    aliases=tuple(dict.fromkeys((entry.name, *entry.aliases))),
                    prompt_cache=prompt_cache_of(
                        section.kind if section else name, provider.wire, offering.model, takes_key=keyed
                    ),
                    contract=contract,
                )
            )
    return targets


def _routes(
    settings: Settings,
    sections: Mapping[str, RouteSettings],
    targets: Mapping[str, Target],
    problems: list[str],
) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    for name, section in sections.items():
        declared = section.declares_priorities
        members: list[RouteTarget] = []
        for position, asked in enumerate(section.targets):
            target = targets.get(asked.target)
            if target is None:
                problems.append(f"routes.{name}.targets[{position}]: no provider offers {asked.target!r}")
                continue
            priority = asked.priority if declared else position
            members.append(RouteTarget(target=target, weight=asked.weight, priority=priority))
        if members:
            routes[name] = Route(
                name=name,
                targets=tuple(members),
                strategy=section.strategy if settings.routing.cost_optimization_enabled else "priority",
                max_fallbacks=section.max_fallbacks,
                retries=section.retries,
                timeouts=settings.timeouts_of(section),
                affinity=section.affinity.policy(),
                prompt_caching=section.prompt_caching.policy(),
                stream_recovery=section.stream_recovery,
                usage_cost=section.usage_cost,
                passthrough=section.passthrough,
                answers_kept_s=section.responses.kept_s,
                max_output_tokens=section.max_output_tokens,
                clamp_to_budget=section.clamp_to_budget,
                cache=cache_policy(settings.cache, section.cache),
                guards=route_policy(settings.guards, section.guards, name),
                privacy=route_privacy(settings.privacy, section.privacy, name, problems),
                guardrails=route_guardrails(settings.guardrails, section.guardrails, name, problems),
                recording=section.record.policy(),
            )
    return routes


def _presentable(offering: Offering) -> bool:
    """Whether a model belongs into a route nobody composed: of a known family, current, and made for chat
    with tools or for embeddings. A catalogue also lists what a provider stopped serving."""
    if offering.source == "config":
        return True
    able = offering.capabilities & (Capability.FUNCTION_CALLING | Capability.EMBEDDINGS)
    return bool(able) and offering.quality is not None and offering.deprecated_on is None


def _auto(settings: Settings, targets: list[Target]) -> Route:
    """Everything real, or the simulated ones where nothing else is there."""
    real = [target for target in targets if not target.simulated and _presentable(target.offering)]
    real = real or [target for target in targets if not target.simulated] or targets
    return Route(
        name=AUTO_ROUTE,
        targets=tuple(RouteTarget(target=target) for target in real),
        strategy="balanced" if settings.routing.cost_optimization_enabled else "priority",
        timeouts=settings.timeouts_of(RouteSettings(targets=("any/any",))),  # type: ignore[arg-type]
        cache=cache_policy(settings.cache),
        implicit=True,
    )
