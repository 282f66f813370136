"""What a request demands: the caller's own wishes, what the body shows, and what the key allows."""

from application.job import Job
from application.places import Places
from domain.llm.capabilities import NO_CAPABILITY
from domain.llm.request import LlmRequest, Operation
from domain.routing.requirements import Requirements
from domain.routing.target import Route
from domain.tenancy.principal import Principal

OUTPUT_TOKENS_TYPICAL = 512
"""Assumed answer length for ranking and price ceilings when the caller sets no maximum."""
_BOUND_BY_WINDOW = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.COUNT_TOKENS})


def complete_requirements(
    requirements: Requirements, request: LlmRequest, principal: Principal, places: Places
) -> Requirements:
    """Adds to the caller's demands what the body shows, what the key allows, what the tenant is held to."""
    places.hold_to(requirements, principal.tenant_id)
    # Flag arithmetic is slow, and most callers demand nothing beyond what their body shows.
    if requirements.capabilities is NO_CAPABILITY:
        requirements.capabilities = request.needs
    else:
        requirements.capabilities |= request.needs
    requirements.input_tokens = request.input_tokens_typical
    if request.operation not in _BOUND_BY_WINDOW:
        # Many inputs, each with a window of its own, or sound and pictures: the provider judges them, and no
        # text is generated.
        requirements.window_tokens = requirements.output_tokens = 0
    else:
        requirements.output_tokens = request.max_output_tokens or OUTPUT_TOKENS_TYPICAL
    requirements.tenant_id = principal.tenant_id
    requirements.allowed_models = principal.allowed_models
    requirements.native_for = request.native_only
    return requirements


def keep_in_place(job: Job, route: Route, places: Places) -> None:
    """What is asked to be kept here is refused where it may not be; what need not be is not kept.

    Raises ResidencyViolation.
    """
    database = places.sinks.database
    job.may_store = database.allowed(job.residency)
    if job.request.store and route.answers_kept_s is not None:
        database.require(job.residency, "store")
