"""What is valid to write but deserves a word: undeclared names, risks, and keys without an effect."""

import difflib
from collections.abc import Iterator
from typing import Final

from entrypoints.config.alert_section import alert_findings
from entrypoints.config.budget_findings import budget_findings
from entrypoints.config.cache_findings import cache_findings
from entrypoints.config.experiment_section import experiment_findings
from entrypoints.config.identity_findings import identity_findings
from entrypoints.config.problems import Finding
from entrypoints.config.rate_limit_sections import rate_limit_findings
from entrypoints.config.root import Settings
from entrypoints.config.tenant_findings import tenant_findings
from entrypoints.config.webhook_section import webhook_findings
from entrypoints.simulated import SIMULATED_WIRES

REDIS_SCHEMES: Final = ("redis://", "rediss://")


def findings(settings: Settings) -> Iterator[Finding]:
    """Everything worth telling about a configuration that is valid in itself."""
    if settings.server.workers > 1:
        yield Finding(
            ("server", "workers"),
            "breakers, health and idempotency keys are kept per worker, not shared, in this version",
        )
    yield from _stores(settings)
    yield from _targets(settings)
    yield from budget_findings(settings)
    yield from rate_limit_findings(settings.rate_limits)
    yield from experiment_findings(settings.experiments, frozenset(settings.routes))
    yield from webhook_findings(settings.webhooks)
    yield from alert_findings(settings.objectives, settings.alerts)
    yield from cache_findings(settings)
    yield from tenant_findings(settings)
    yield from identity_findings(settings)


def _stores(settings: Settings) -> Iterator[Finding]:
    storage = settings.storage
    if storage.redis_url is not None and storage.redis_cluster_urls:
        yield Finding(("storage", "redis_url"), "name one server or the nodes of a Cluster, not both", True)
    named = [] if storage.redis_url is None else [storage.redis_url.get_secret_value()]
    for key, urls in (("redis_url", named), ("redis_cluster_urls", storage.cluster_urls)):
        if not all(url.startswith(REDIS_SCHEMES) for url in urls):
            yield Finding(("storage", key), f"must begin with {' or '.join(REDIS_SCHEMES)}", True)


def _targets(settings: Settings) -> Iterator[Finding]:
    """A target needs a provider. In the embedded profile, a key in the environment may still activate one."""
    declared = list(settings.providers)
    there = {*declared, *(SIMULATED_WIRES if settings.runs_simulator else ())}
    for name, route in settings.routes.items():
        for index, target in enumerate(route.targets):
            if target.provider in there:
                continue
            near = difflib.get_close_matches(target.provider, declared, n=1, cutoff=0.75)
            text = f"provider {target.provider!r} is not declared under `providers`"
            if near:
                text += f"; did you mean {near[0]!r}?"
            if settings.profile == "embedded" and not near:
                text += "; the target works only while a key in the environment activates that provider"
            fatal = settings.profile != "embedded" or bool(near)
            yield Finding(("routes", name, "targets", index), text, fatal)
