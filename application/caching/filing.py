"""Under which key an answer to a request is filed, or why it takes no part."""

from collections.abc import Callable
from typing import NamedTuple

from application.job import Job
from application.ports.cache_reader import CacheReader
from domain.caching.key import WHOLE, Partition, answer_key, demands_digest, namespace_of, who_shares
from domain.caching.question import too_hot, why_never_cached
from domain.routing.table import Members
from domain.routing.target import Route

PolicyVersion = Callable[[str, Route], str]
"""Names the privacy rules in force for (tenant, route). Raises PrivacyUnavailable."""


def no_policy(tenant_id: str, route: Route) -> str:  # noqa: ARG001 - it is the same for all
    """Where nothing keeps to any rules."""
    return ""


class Filed(NamedTuple):
    partition: Partition
    key: bytes


def filed(job: Job, members: Members, reader: CacheReader, policy_version: PolicyVersion) -> Filed | str:
    """Its place, or in one word why it has none. Raises PrivacyUnavailable."""
    route, request = members.route, job.request
    policy, wish = route.cache, request.cache_wish
    if why := why_never_cached(request):
        return why
    if wish.no_store:
        return "no-store"
    asked = reader.asked(request)
    if asked is None:
        return "incomparable"
    who = who_shares(policy, job.principal, job.attribution.user_id)
    if who is None:
        return "nobody_named"
    if too_hot(asked, policy):
        return "temperature"
    form = WHOLE if not request.stream else "usage" if request.include_usage else "streamed"
    partition = Partition(
        job.principal.tenant_id,
        who,
        route.name,
        members.version,
        policy_version(job.principal.tenant_id, route),
        namespace_of(policy, wish),
        demands_digest(job.requirements, job.principal.allowed_models),
        request.dialect,
        form,
    )
    return Filed(partition, answer_key(partition, asked.digest))
