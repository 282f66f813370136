"""Why an attempt failed, and what that allows next.

Classification is data: what a provider's code, text or status means (`classify`), and what each kind
of failure permits (`DISPOSITIONS`). A code is trusted before a text, a text before a status, because
several providers report an empty balance as 429 and an over-long prompt as a plain 400.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class FailureKind(Enum):
    """The typed failures of SPEC L9."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    AUTH = "auth"
    CONTEXT_LENGTH = "context_length"
    CONTENT_POLICY = "content_policy"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    NETWORK = "network"
    TIMEOUT = "timeout"
    BAD_RESPONSE = "bad_response"
    MODEL_MISSING = "model_missing"
    """The provider does not know the model: its offering is wrong, not the caller."""
    CALLER_FAULT = "caller_fault"
    EGRESS_REFUSED = "egress_refused"
    """Our own rules allow no connection there: nobody is ill, and asking again changes nothing."""


class BreakerVote(Enum):
    """What a failure tells the circuit breaker."""

    FAILURE = "failure"
    NEUTRAL = "neutral"
    """Says nothing about health, such as a caller's mistake."""
    COOL_DOWN = "cool_down"
    """Not ill but closed for a while: honour Retry-After instead of counting."""


class Disposition(NamedTuple):
    """What may happen after a failure of one kind."""

    retry_same: bool
    try_next: bool
    breaker: BreakerVote
    larger_context_only: bool = False


DISPOSITIONS: dict[FailureKind, Disposition] = {
    FailureKind.RATE_LIMIT: Disposition(True, True, BreakerVote.COOL_DOWN),
    FailureKind.QUOTA: Disposition(False, True, BreakerVote.COOL_DOWN),
    FailureKind.AUTH: Disposition(False, True, BreakerVote.FAILURE),
    FailureKind.CONTEXT_LENGTH: Disposition(False, True, BreakerVote.NEUTRAL, larger_context_only=True),
    FailureKind.CONTENT_POLICY: Disposition(False, False, BreakerVote.NEUTRAL),
    FailureKind.OVERLOADED: Disposition(True, True, BreakerVote.FAILURE),
    FailureKind.SERVER_ERROR: Disposition(True, True, BreakerVote.FAILURE),
    FailureKind.NETWORK: Disposition(True, True, BreakerVote.FAILURE),
    FailureKind.TIMEOUT: Disposition(False, True, BreakerVote.FAILURE),
    FailureKind.BAD_RESPONSE: Disposition(True, True, BreakerVote.FAILURE),
    FailureKind.MODEL_MISSING: Disposition(False, True, BreakerVote.NEUTRAL),
    FailureKind.CALLER_FAULT: Disposition(False, False, BreakerVote.NEUTRAL),
    FailureKind.EGRESS_REFUSED: Disposition(False, True, BreakerVote.NEUTRAL),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One attempt's failure, with what the caller may need to see.

    `body` and `content_type` are the provider's own error, kept so that a caller of the same family
    gets it unmodified. `at_gateway` says that the hop in between failed, not the provider, so the
    provider's breaker must not count it. `sent` is False when nothing can have reached the provider.
    """

    kind: FailureKind
    message: str
    status: int | None = None
    code: str | None = None
    retry_after_s: float | None = None
    at_gateway: bool = False
    sent: bool = True
    body: bytes | None = None
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    of_caller: bool = False
    """Whether the call used the caller's own credential, so that a refusal of it is the caller's to see."""
    family: str = ""
    """Whose shape `body` has (a value of `application.ports.wire.FAMILY`); empty: nobody's."""

    @property
    def may_be_billed(self) -> bool:
        """Whether the provider may have worked for this: it got the request and did not refuse it."""
        return self.sent and (self.status is None or self.status < 400)

    @property
    def code_for_callers(self) -> str:
        """Its kind as a stable word; what our own rules refused is no failure of anybody upstream."""
        kind = self.kind
        return kind.value if kind is FailureKind.EGRESS_REFUSED else f"upstream_{kind.value}"

    @property
    def disposition(self) -> Disposition:
        return DISPOSITIONS[self.kind]


_BY_CODE: dict[str, FailureKind] = {
    "insufficient_quota": FailureKind.QUOTA,
    "billing_hard_limit_reached": FailureKind.QUOTA,
    "billing_not_active": FailureKind.QUOTA,
    "billing_error": FailureKind.QUOTA,
    "rate_limit_exceeded": FailureKind.RATE_LIMIT,
    "context_length_exceeded": FailureKind.CONTEXT_LENGTH,
    "string_above_max_length": FailureKind.CONTEXT_LENGTH,
    "request_too_large": FailureKind.CONTEXT_LENGTH,
    "content_policy_violation": FailureKind.CONTENT_POLICY,
    "content_filter": FailureKind.CONTENT_POLICY,
    "invalid_prompt": FailureKind.CONTENT_POLICY,
    "responsibleaipolicyviolation": FailureKind.CONTENT_POLICY,
    "invalid_api_key": FailureKind.AUTH,
    "api_key_invalid": FailureKind.AUTH,
    "authentication_error": FailureKind.AUTH,
    "permission_error": FailureKind.AUTH,
    "permission_denied": FailureKind.AUTH,
    "unauthenticated": FailureKind.AUTH,
    "model_not_found": FailureKind.MODEL_MISSING,
    "not_found_error": FailureKind.MODEL_MISSING,
    "overloaded_error": FailureKind.OVERLOADED,
    "unavailable": FailureKind.OVERLOADED,
    "timeout_error": FailureKind.TIMEOUT,
    "deadline_exceeded": FailureKind.TIMEOUT,
    "throttlingexception": FailureKind.RATE_LIMIT,
    "toomanyrequestsexception": FailureKind.RATE_LIMIT,
    "servicequotaexceededexception": FailureKind.QUOTA,
    "accessdeniedexception": FailureKind.AUTH,
    "unrecognizedclientexception": FailureKind.AUTH,
    "invalidsignatureexception": FailureKind.AUTH,
    "incompletesignatureexception": FailureKind.AUTH,
    "missingauthenticationtokenexception": FailureKind.AUTH,
    "expiredtokenexception": FailureKind.AUTH,
    "resourcenotfoundexception": FailureKind.MODEL_MISSING,
    "modelnotreadyexception": FailureKind.OVERLOADED,
    "serviceunavailableexception": FailureKind.OVERLOADED,
    "modeltimeoutexception": FailureKind.TIMEOUT,
    "modelerrorexception": FailureKind.SERVER_ERROR,
    "modelstreamerrorexception": FailureKind.SERVER_ERROR,
    "internalserverexception": FailureKind.SERVER_ERROR,
}

_BY_VAGUE_CODE: dict[str, FailureKind] = {
    "rate_limit_error": FailureKind.RATE_LIMIT,
    "too_many_requests": FailureKind.RATE_LIMIT,
    "resource_exhausted": FailureKind.RATE_LIMIT,
    "server_error": FailureKind.SERVER_ERROR,
    "api_error": FailureKind.SERVER_ERROR,
}
"""Names that say no more than a status, so text and status come before them."""

_BY_TEXT: tuple[tuple[str, FailureKind], ...] = (
    ("maximum context length", FailureKind.CONTEXT_LENGTH),
    ("context length", FailureKind.CONTEXT_LENGTH),
    ("context window", FailureKind.CONTEXT_LENGTH),
    ("prompt is too long", FailureKind.CONTEXT_LENGTH),
    ("exceeds the maximum number of tokens", FailureKind.CONTEXT_LENGTH),
    ("input token count", FailureKind.CONTEXT_LENGTH),
    ("too many tokens", FailureKind.CONTEXT_LENGTH),
    ("input is too long", FailureKind.CONTEXT_LENGTH),
    ("content management policy", FailureKind.CONTENT_POLICY),
    ("content policy", FailureKind.CONTENT_POLICY),
    ("content filtering policy", FailureKind.CONTENT_POLICY),
    ("usage policies", FailureKind.CONTENT_POLICY),
    ("safety system", FailureKind.CONTENT_POLICY),
    ("safety filter", FailureKind.CONTENT_POLICY),
    ("safety reasons", FailureKind.CONTENT_POLICY),
    ("credit balance is too low", FailureKind.QUOTA),
    ("exceeded your current quota", FailureKind.QUOTA),
    ("insufficient balance", FailureKind.QUOTA),
    ("insufficient credits", FailureKind.QUOTA),
    ("api calls / month", FailureKind.QUOTA),
    ("api key not valid", FailureKind.AUTH),
    ("does not exist or you do not have access", FailureKind.MODEL_MISSING),
    ("model not found", FailureKind.MODEL_MISSING),
    ("is not a valid model", FailureKind.MODEL_MISSING),
    ("invalid model", FailureKind.MODEL_MISSING),
    ("model identifier is invalid", FailureKind.MODEL_MISSING),
    ("on-demand throughput", FailureKind.MODEL_MISSING),
)

_TEXT_STATUSES = frozenset({400, 402, 403, 404, 413, 422, 429})
"""A text is only read where a provider is known to hide the meaning in it."""

_RATE_STATUS = 429
"""Its texts count tokens per minute, so only an empty balance is looked for in them."""

_BY_STATUS: dict[int, FailureKind] = {
    401: FailureKind.AUTH,
    402: FailureKind.QUOTA,
    403: FailureKind.AUTH,
    404: FailureKind.MODEL_MISSING,
    408: FailureKind.TIMEOUT,
    409: FailureKind.OVERLOADED,
    413: FailureKind.CONTEXT_LENGTH,
    425: FailureKind.OVERLOADED,
    429: FailureKind.RATE_LIMIT,
    498: FailureKind.CONTENT_POLICY,  # Cohere's, for a blocked word
    500: FailureKind.SERVER_ERROR,
    502: FailureKind.SERVER_ERROR,
    503: FailureKind.OVERLOADED,
    504: FailureKind.TIMEOUT,
    529: FailureKind.OVERLOADED,
}


def classify(status: int, *, codes: tuple[str | None, ...] = (), message: str = "") -> FailureKind:
    """The kind of a provider's error answer.

    `codes` are its machine-readable code, type and status texts in that order of trust.
    An unknown 4xx is the caller's fault, an unknown 5xx the server's, anything else a bad response.
    """
    for code in codes:
        if code and (kind := _BY_CODE.get(code.lower())):
            return kind
    if status in _TEXT_STATUSES:
        text = message.lower()
        for needle, kind in _BY_TEXT:
            if needle in text and (status != _RATE_STATUS or kind is FailureKind.QUOTA):
                return kind
    if kind := _BY_STATUS.get(status):
        return kind
    for code in codes:
        if code and (kind := _BY_VAGUE_CODE.get(code.lower())):
            return kind
    if 400 <= status < 500:
        return FailureKind.CALLER_FAULT
    if status >= 500:
        return FailureKind.SERVER_ERROR
    return FailureKind.BAD_RESPONSE
