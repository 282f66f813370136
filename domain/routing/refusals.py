"""Which error a request without any candidate deserves, and the sentence that explains it.

403 when only the place or the rules of the candidates stand in the way (`ResidencyViolation`) or only the
key's allow-list does (`Forbidden`); 400 when nothing in the route could ever satisfy the demands; 503 when
something could, but not now. A latency ceiling that every candidate is predicted to miss is a demand
that cannot be satisfied: coming back in a second would not help.
"""

from collections import Counter

from domain.errors import (
    Forbidden,
    InterchangeError,
    InvalidRequirements,
    NoProviderAvailable,
    ResidencyViolation,
)
from domain.llm.capabilities import capability_names
from domain.money import format_usd
from domain.routing.filters import (
    PLACE_REASONS,
    DropReason,
    cost_limit_nano_usd,
    dropped_counts,
    eligible,
    sizes_of,
)
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.routing.table import Members, RoutingTable

_PARAMS = {
    DropReason.KEPT_ELSEWHERE: "previous_response_id",
    DropReason.CAPABILITY: "capabilities",
    DropReason.CONTEXT: "messages",
    DropReason.QUALITY_FLOOR: "quality_floor",
    DropReason.TAG: "tags",
    DropReason.LATENCY_CEILING: "max_latency_ms",
}

_NOW_SENTENCES = {
    DropReason.DISABLED: "an operator switched its provider off",
    DropReason.MAINTENANCE: "its provider is in maintenance",
    DropReason.UNHEALTHY: "its provider is unavailable",
    DropReason.BREAKER_OPEN: "its circuit breaker is open",
    DropReason.COOLING_DOWN: "it asked to be left alone for a while",
    DropReason.UNREACHABLE: "no way leads to it now",
    DropReason.ANOTHERS: "another tenant's alone",
    DropReason.PRIVACY: "not among those that may see the personal data in it",
}


def refusal_by_demands(
    table: RoutingTable, members: Members, requirements: Requirements, quick: int | None
) -> InterchangeError:
    """The error when no target of the route satisfies the hard demands; `quick` as in `filters.demands`."""
    route = members.route.name
    if not members.mask:
        return InvalidRequirements(f"route {route!r} has no targets", param="model")
    if not table.belonging.open_to(requirements.tenant_id) & members.mask:
        return Forbidden(f"nothing in {route!r} is for this tenant", param="model")
    if requirements.allowed_models is not None and not (
        table.allowed(requirements.allowed_models, members.route) & members.mask
    ):
        return Forbidden(f"this key may not use {route!r}", param="model")
    if eligible(table, members, requirements, quick, without=PLACE_REASONS).count:
        return ResidencyViolation(
            f"no target of {route!r} {_place_demanded(requirements)}; "
            f"{len(members.indices)} would answer from elsewhere, and none of them may",
            param="data_residency" if requirements.residency or requirements.held_to else "compliance",
        )
    if eligible(table, members, requirements, quick, without=frozenset({DropReason.NOT_ALLOWED})).count:
        return Forbidden(
            f"of {route!r}, this key may use only targets that do not fit the request", param="model"
        )
    dropped = dropped_counts(table, members, requirements, quick)
    dropped.pop(DropReason.ANOTHERS, None)  # nobody else's business
    counts = {reason.value: count for reason, count in dropped.items()}
    last = next(reversed(dropped))
    details: dict[str, object] = {"reason": last.value, "dropped": counts}
    able = 0
    for index in members.indices:
        able |= int(table.targets[index].offering.capabilities)
    if last is DropReason.CONTEXT:
        windows = (table.targets[index].offering.context_tokens or 0 for index in members.indices)
        details["tokens_needed"] = requirements.input_tokens + requirements.output_tokens
        details["context_tokens_max"] = max(windows)
    missing = demand_sentence(last, requirements, able=able)
    return InvalidRequirements(
        f"nothing in {route!r} can satisfy the requirements: {missing} "
        f"(dropped: {', '.join(f'{count} by {reason}' for reason, count in counts.items())})",
        param=_param(last, requirements),
        details=details,
    )


def refusal_by_state(
    reasons: dict[int, DropReason], live: LiveState, *, route_name: str, now: float
) -> InterchangeError:
    """The error when candidates exist, but `reasons` keeps each of them from being used now."""
    waits_s = [
        wait_s
        for index, reason in reasons.items()
        if reason is not DropReason.UNREACHABLE
        and (wait_s := live.targets[index].back_after_s(now)) is not None
    ]
    counts = Counter(reason.value for reason in reasons.values())
    summary = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    return NoProviderAvailable(
        f"none of the {len(reasons)} candidates of {route_name!r} can be used now: {summary}",
        retry_after_s=min(waits_s, default=None),
        details={"dropped": dict(counts)},
    )


def demand_sentence(reason: DropReason, requirements: Requirements, *, able: int = 0) -> str:
    """Why a target is dropped for this reason, as a sentence without a subject. It is `able` to do that."""
    match reason:
        case DropReason.NOT_ALLOWED:
            return "not on this key's list of allowed models"
        case DropReason.KEPT_ELSEWHERE:
            keeper = requirements.only_target or requirements.only_provider
            return f"not {keeper}, which alone keeps what the request refers to"
        case DropReason.KEEPS_NO_ANSWERS:
            return f"keeping no answers at its provider, which {requirements.keep_for!r} asks for"
        case DropReason.TRANSLATED:
            path, what = requirements.native_for or ("", "")
            return f"reached by translation, which has no counterpart for {what!r} ({path})"
        case DropReason.RESIDENCY:
            return f"not known to answer from {_residency(requirements)}"
        case DropReason.COMPLIANCE:
            return f"not marked for {_listed(requirements.compliance)}"
        case DropReason.CAPABILITY:
            needs = int(requirements.capabilities)
            # Several targets may be able to do each of them, and none all.
            return f"not capable of {_listed(capability_names(needs & ~able or needs))}"
        case DropReason.CONTEXT:
            tokens = requirements.input_tokens + requirements.output_tokens
            return f"a context window smaller than the {tokens} tokens needed"
        case DropReason.TAG:
            return f"not tagged {_listed(requirements.tags)}"
        case DropReason.QUALITY_FLOOR:
            return f"a quality that is unknown or below {requirements.quality_floor}"
        case DropReason.UNPRICED:
            return "an unknown price, while a cost ceiling applies"
        case DropReason.COST_CEILING:
            limit = cost_limit_nano_usd(requirements, sizes_of(requirements)) or 0
            return f"dearer than the ceiling of {format_usd(limit)} USD for a request of this size"
        case DropReason.LATENCY_CEILING:
            return f"a predicted p95 above {requirements.max_latency_ms} ms"
        case _:
            return _NOW_SENTENCES[reason]


def sentence_now(reason: DropReason) -> str:
    """Why a candidate cannot be used at this moment, as a clause."""
    return _NOW_SENTENCES.get(reason, reason.value)


def _place_demanded(requirements: Requirements) -> str:
    parts = []
    if requirements.residency is not None or requirements.held_to:
        parts.append(f"is known to answer from {_residency(requirements)}")
    if requirements.compliance:
        parts.append(f"is marked for {_listed(requirements.compliance)}")
    if requirements.only_among is not None:
        parts.append("may see the personal data in it")
    return " and ".join(parts)


def _residency(requirements: Requirements) -> str:
    caller, tenant = requirements.residency or "", requirements.held_to
    own = f"{tenant}, which its tenant is held to" if tenant else ""
    return " and ".join(filter(None, (caller, own)))


def _param(reason: DropReason, requirements: Requirements) -> str:
    if reason is DropReason.KEEPS_NO_ANSWERS:
        return requirements.keep_for
    if reason is DropReason.TRANSLATED and requirements.native_for is not None:
        return requirements.native_for[0]
    return _PARAMS.get(reason, _cost_param(requirements))


def _cost_param(requirements: Requirements) -> str:
    return "max_cost_per_token" if requirements.max_cost_nano_usd_per_mtok is not None else "max_cost_usd"


def _listed(names: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names))
