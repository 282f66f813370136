"""What can end a request, named for what happened.

Each leaf carries a stable `code` for machines and a message for people that names the field, what
was wrong and what is allowed. HTTP statuses live in one table at the entrypoint.
"""

from collections.abc import Sequence
from typing import ClassVar

from domain.llm.failures import Failure


class InterchangeError(Exception):
    """Base of everything Interchange itself reports.

    `param` names the offending field, `retry_after_s` says when a repeat may help (None: unknown),
    `details` is extra data that is safe to show to the caller.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after_s: float | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.details = details or {}


class InvalidRequest(InterchangeError):
    """The caller's input cannot be understood; `param` is the path of the field."""

    code = "invalid_request"


class PreviousResponseNotFound(InvalidRequest):
    """The request continues an answer that this tenant never got, or that is no longer kept."""

    code = "previous_response_not_found"

    def __init__(self, response_id: str) -> None:
        super().__init__(
            f"Previous response with id '{response_id}' not found. Either you never got it, or nobody kept "
            "it: its provider keeps none, or `store` was off. A route can keep answers itself.",
            param="previous_response_id",
        )


class InvalidRequirements(InterchangeError):
    """The requirements are malformed, or no offering could ever satisfy them."""

    code = "invalid_model_requirements"


class Unauthenticated(InterchangeError):
    """No key, or one that is unknown, expired or revoked."""

    code = "invalid_api_key"


class InvalidToken(Unauthenticated):
    """A token or a login that lets nobody in, or no longer."""

    code = "invalid_token"


class TooManyFailures(Unauthenticated):
    """No good key, and one too many of them from this address; good ones are let in all the same."""

    code = "too_many_failures"


class Forbidden(InterchangeError):
    """The key is good, but may not do this."""

    code = "forbidden"


class IdentityNotAllowed(Forbidden):
    """The key may not speak for this user or agent."""

    code = "identity_not_allowed"


class ResidencyViolation(Forbidden):
    """Nothing that may answer is allowed to see this data."""

    code = "residency_violation"


class PiiBlocked(Forbidden):
    """It holds personal data that a privacy policy lets go nowhere; `details` name kinds and places, never
    values."""

    code = "pii_blocked"


class PrivacyUnavailable(InterchangeError):
    """A privacy policy that has to be enforced cannot be; nothing was sent."""

    code = "privacy_unavailable"


class GuardrailBlocked(InterchangeError):
    """A guardrail objects to the request or to its answer; `details` name guardrails, reasons and places,
    never content."""

    code = "guardrail_blocked"


class GuardrailUnavailable(InterchangeError):
    """A guardrail that is demanded cannot be asked at all."""

    code = "guardrail_unavailable"


class BudgetExceeded(InterchangeError):
    """A hard budget has no room for what this may cost; `details` say which, how it stands and when it ends.

    `room_at_us` is from when on there may be room without anybody raising the limit, UTC epoch microseconds:
    0 at any moment, None never. It is for whoever can wait, and not shown.
    """

    code = "budget_exceeded"

    def __init__(
        self, message: str, *, details: dict[str, object] | None = None, room_at_us: int | None = None
    ) -> None:
        super().__init__(message, details=details)
        self.room_at_us = room_at_us


class CostUnbounded(BudgetExceeded):
    """Nothing bounds what this may cost, and a hard budget takes nothing it cannot bound."""

    code = "cost_unbounded"


class TenantSuspended(Forbidden):
    """Nobody of this tenant is let in for now; what it has stays."""

    code = "tenant_suspended"

    def __init__(self, tenant_id: str) -> None:
        super().__init__(f"tenant {tenant_id} is suspended")


class AgentStopped(Forbidden):
    """Whoever asks was stopped, by an operator or by a guard; `details` say which stop it is."""

    code = "agent_stopped"


class UnknownModel(InterchangeError):
    """No route, model or provider of that name; `nearest` are the closest names."""

    code = "model_not_found"

    def __init__(self, message: str, *, nearest: Sequence[str] = (), param: str | None = "model") -> None:
        super().__init__(message, param=param, details={"nearest": list(nearest)})
        self.nearest = tuple(nearest)


class NotFound(InterchangeError):
    """The named thing does not exist for this caller."""

    code = "not_found"


class Conflict(InterchangeError):
    """The named thing exists already, or changed meanwhile."""

    code = "conflict"


class OwnedByFile(Conflict):
    """The named thing is declared in the configuration file, which alone may change it."""

    code = "owned_by_file"


class RequestInProgress(InterchangeError):
    """A request with the same idempotency key is still running; SDKs try again, which is wanted."""

    code = "request_in_progress"


class IdempotencyKeyReused(InterchangeError):
    """The idempotency key was used for another body."""

    code = "idempotency_key_reused"


class RequestTooLarge(InterchangeError):
    """The body is over the limit."""

    code = "request_too_large"


class StorageQuotaExceeded(InterchangeError):
    """The tenant keeps as many files, bytes or batches as it may."""

    code = "storage_quota_exceeded"


class Overloaded(InterchangeError):
    """Interchange itself is full; nothing was sent."""

    code = "overloaded"


class StoreUnavailable(InterchangeError):
    """A store that this operation cannot do without is down."""

    code = "store_unavailable"


class VaultLocked(InterchangeError):
    """Credentials cannot be sealed or opened: a key is not there, or whoever holds it does not answer."""

    code = "vault_locked"


class CredentialDamaged(InterchangeError):
    """A stored credential, or the list of them, is not what was stored. Nothing of it is used."""

    code = "credential_damaged"


class RateLimited(InterchangeError):
    """A limit of ours has no room for it now; `standings` is how its caller stands with each limit that
    concerns it (`domain.limits.standing`), at the moment `at_us`. A provider's own 429 is an `UpstreamError`.
    """

    code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float,
        details: dict[str, object] | None = None,
        standings: Sequence[object] = (),
        at_us: int = 0,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s, details=details)
        self.standings = tuple(standings)
        self.at_us = at_us


class NoProviderAvailable(InterchangeError):
    """Candidates exist, but none can be used now; `retry_after_s` is the earliest reopening."""

    code = "no_provider_available"


class DeadlineExceeded(InterchangeError):
    """The time for this request ran out."""

    code = "request_timeout"


class UpstreamError(InterchangeError):
    """The provider's last word after everything allowed was tried; `failure` is it.

    `code` is `upstream_` and the kind of failure, or `egress_refused`. The caller may repeat later, but not
    at once: our own retries are spent.
    """

    def __init__(self, failure: Failure, *, attempts: int) -> None:
        super().__init__(failure.message, retry_after_s=failure.retry_after_s)
        self.code = failure.code_for_callers  # type: ignore[misc]
        self.failure = failure
        self.attempts = attempts


class EgressRefused(InterchangeError):
    """An address that this installation, or the tenant, allows no connections to; nothing was sent."""

    code = "egress_refused"


class IntegrationExists(Conflict):
    """This tenant has an integration of that name."""

    code = "integration_exists"


class InvalidConfiguration(InterchangeError):
    """A configuration of an integration or webhook that can never work; `param` is the path of the field."""

    code = "invalid_configuration"


class InvalidParameters(InterchangeError):
    """The parameters of a tool are not what its schema asks for; `param` is the path of the field."""

    code = "invalid_parameters"


class ToolRefused(InterchangeError):
    """What a tool was asked to do is outside what its integration allows; nothing was sent."""

    code = "tool_refused"


class ToolFailed(InterchangeError):
    """The other side refused or failed, or its answer is not what was agreed."""

    code = "tool_failed"


class ObjectNotFound(ToolFailed):
    """No object, version or upload of that name in the store behind an integration."""

    code = "object_not_found"


class PreconditionFailed(ToolFailed):
    """An object exists already, or is another than its caller knows; nothing changed."""

    code = "precondition_failed"


class RangeNotSatisfiable(InvalidParameters):
    """The range begins behind the end of the object."""

    code = "range_not_satisfiable"


class ChecksumMismatch(InvalidParameters):
    """Bytes are not what their size or checksum says; what was to be written is not visible."""

    code = "checksum_mismatch"


class ToolTimeout(InterchangeError):
    """A tool took longer than its caller waits; what ran for it was told to stop."""

    code = "execution_timeout"


class IntegrationUnavailable(InterchangeError):
    """An integration cannot be reached, refuses our credential, is paused, or is too busy."""

    code = "integration_unavailable"


class StreamCut(InterchangeError):
    """The answer broke after its first content and could not be finished elsewhere."""

    code = "stream_interrupted"
