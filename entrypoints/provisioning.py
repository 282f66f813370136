"""Settings and catalogue become what requests run on: providers, targets, routes.

Pure: the same inputs give the same result; nothing is opened here. Which adapter speaks to a provider is
decided in `containers.py` from the `wire` each one is given here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.caching.policy import OFF, CachePolicy
from domain.catalog.names import ModelNames, names_of
from domain.catalog.offering import Catalog, CatalogProvider
from domain.quality.policy import NO_QUALITY
from domain.resilience.breaker import BreakerPolicy
from domain.routing.target import Route, RouteTarget, Target, Via
from entrypoints.config.cache_findings import unknown_embedder
from entrypoints.config.cache_sections import cache_policy
from entrypoints.config.guard_sections import route_policy
from entrypoints.config.guardrail_section import route_guardrails
from entrypoints.config.price_sections import price_contract
from entrypoints.config.privacy_section import route_privacy
from entrypoints.config.residency_section import ResidencySettings
from entrypoints.integrated_providers import IntegratedProvider, Place, not_here
from entrypoints.key_pools import pool_of
from entrypoints.offered import NamedOffering, as_known, offerings_of, presentable
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
from entrypoints.provisioned import ProvisionedProvider
from entrypoints.responses_support import responses_support, responses_tags
from entrypoints.settings import ProviderSettings, RouteSettings, Settings
from entrypoints.simulated import simulated_offerings, simulated_providers

AUTO_ROUTE = "auto"


class ProvisioningError(Exception):
    """The configuration names something that cannot be built; `problems` lists all of it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


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
    """What of the API's routes and of integrations cannot be used now, and an embedder that nobody is."""
    breakers: Mapping[str, BreakerPolicy] = field(default_factory=dict)
    """Of providers that are integrations and say something of theirs."""
    left_out: Mapping[Place, tuple[str, ...]] = field(default_factory=dict)
    """Integrations that cannot be providers here, and why."""


def provision(
    settings: Settings,
    catalog: Catalog,
    environ: Mapping[str, str],
    *,
    simulator_url: str | None = None,
    api_routes: Mapping[str, RouteSettings] | None = None,
    integrated: Sequence[IntegratedProvider] = (),
) -> Provision:
    """The providers of the file, those a key in the environment activates, and the simulated ones; then
    `integrated`, which routes of the file cannot name: they come and go.

    `api_routes` were made through the API. What of them has no target any more is left out with a warning.

    Raises:
        ProvisioningError: an unknown kind, a missing base_url or a route to an unknown target.
    """
    problems: list[str] = []
    names = names_of(catalog)
    providers: dict[str, ProvisionedProvider] = {}
    offerings: dict[str, list[NamedOffering]] = {}
    for name, section in settings.providers.items():
        made = _configured(name, section, names, environ, problems)
        if made is not None:
            providers[name] = made
            offerings[name] = offerings_of(name, section, names)
    if settings.profile == "embedded":
        public = {section.kind for section in settings.providers.values() if section.base_url is None}
        for made in _from_environment(catalog, environ, providers, public):
            providers[made.name] = made
            offerings[made.name] = as_known(made.name, names)
    if settings.runs_simulator and simulator_url is not None:
        for made in simulated_providers(simulator_url):
            if made.name not in providers:
                providers[made.name] = made
                offerings[made.name] = [
                    NamedOffering(name=offering.model, offering=offering)
                    for offering in simulated_offerings(made.name)
                ]
    targets = _targets(settings.providers, providers, offerings)
    by_id = {target.id: target for target in targets}
    routes = _routes(settings, settings.routes, by_id, problems)
    if problems:
        raise ProvisioningError(problems)
    warnings: list[str] = []
    own, left_out = _integrate(integrated, names, providers, targets)
    for (tenant_id, name), why in left_out.items():
        warnings += [f"integrations.{name} (tenant {tenant_id}): {problem}" for problem in why]
    by_id = {target.id: target for target in targets}
    routes |= _routes(settings, api_routes or {}, by_id, warnings)
    everybodys = [target for target in targets if not target.tenant_id]
    if AUTO_ROUTE not in routes and everybodys:
        routes[AUTO_ROUTE] = _auto(settings, everybodys)
    general = cache_policy(settings.cache)
    policies = [general, *(route.cache for route in routes.values())]
    if unknown := unknown_embedder(settings.cache.embedder, providers, policies):
        warnings.append(unknown)
    return Provision(
        providers={**providers, **own},
        targets=tuple(targets),
        routes=routes,
        default_route=AUTO_ROUTE if AUTO_ROUTE in routes else None,
        cache=general,
        residency=settings.residency,
        warnings=tuple(warnings),
        breakers={each.name: each.breaker for each in integrated if each.name in own and each.breaker},
        left_out=left_out,
    )


def _integrate(
    integrated: Sequence[IntegratedProvider],
    names: ModelNames,
    taken: Mapping[str, ProvisionedProvider],
    targets: list[Target],
) -> tuple[dict[str, ProvisionedProvider], dict[Place, tuple[str, ...]]]:
    """Adds what integrations offer to `targets`; what cannot be a provider is left out, with the reasons."""
    made: dict[str, ProvisionedProvider] = {}
    left_out: dict[Place, tuple[str, ...]] = {}
    first = len(targets)
    for each in integrated:
        known = names.provider(each.section.kind)
        section = each.section_at(known.base_url if known is not None else None)
        problems: list[str] = []
        # Nothing of this machine's own: what is in the environment is the operator's.
        provider = _configured(each.name, section, names, {}, problems)
        offered = [] if provider is None else offerings_of(each.name, section, names)
        if provider is not None:
            problems += not_here(each, section, provider, taken, made, len(offered), len(targets) - first)
        if provider is None or problems:
            left_out[each.place] = tuple(
                problem.removeprefix(f"providers.{each.name}.") for problem in problems
            )
            continue
        via = each.via(section)
        provider = replace(
            provider,
            integrated_by=each.tenant_id,
            tenant_id=each.alone,
            via=via,
            portkey_slug=None if via is Via.DIRECT else provider.portkey_slug,
        )
        made[each.name] = provider
        targets += _targets({each.name: section}, {each.name: provider}, {each.name: offered}, len(targets))
    return made, left_out


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
    sections: Mapping[str, ProviderSettings],
    providers: Mapping[str, ProvisionedProvider],
    offerings: Mapping[str, list[NamedOffering]],
    first: int = 0,
) -> list[Target]:
    targets: list[Target] = []
    for name, provider in providers.items():
        section = sections.get(name)
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
                    index=first + len(targets),
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
                    tenant_id=provider.tenant_id,
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
                quality=NO_QUALITY if section.quality is None else section.quality.policy(),
            )
    return routes


def _auto(settings: Settings, targets: list[Target]) -> Route:
    """Everything real, or the simulated ones where nothing else is there."""
    real = [target for target in targets if not target.simulated and presentable(target.offering)]
    real = real or [target for target in targets if not target.simulated] or targets
    return Route(
        name=AUTO_ROUTE,
        targets=tuple(RouteTarget(target=target) for target in real),
        strategy="balanced" if settings.routing.cost_optimization_enabled else "priority",
        timeouts=settings.timeouts_of(RouteSettings(targets=("any/any",))),  # type: ignore[arg-type]
        cache=cache_policy(settings.cache),
        implicit=True,
    )
