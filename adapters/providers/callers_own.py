"""Calls with the caller's own credential: added to one request, kept nowhere, and in nothing that is said."""

from dataclasses import replace

from adapters.wire.redaction import redacted, redacted_body
from application.ports.http import HttpRequest
from application.ports.llm import UpstreamCall
from domain.llm.failures import Failure


def with_own_credential(request: HttpRequest, call: UpstreamCall) -> HttpRequest:
    """The request with the caller's credential in the header it came in, and none of ours.

    An operator's header of that name is left out too: it would be another proof beside the caller's.
    """
    own = call.request.own_credential
    kept = [pair for pair in request.headers if pair[0] not in _PROOFS]
    return request._replace(headers=[*kept, own] if own is not None else kept)


def without_own_credential(failure: Failure, call: UpstreamCall) -> Failure:
    """The failure without the credential, should a provider repeat it."""
    own = call.request.own_credential
    if own is None:
        return failure
    secrets = (own[1].rpartition(" ")[2],)
    body = failure.body
    return replace(
        failure,
        of_caller=True,
        message=redacted(failure.message, secrets),
        body=None if body is None else redacted_body(body, secrets),
        headers=tuple((name, redacted(value, secrets)) for name, value in failure.headers),
    )


_PROOFS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
