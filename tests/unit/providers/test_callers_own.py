"""A caller's own credential in what a provider says about it."""

import dataclasses
from typing import Any

from adapters.providers.callers_own import without_own_credential
from application.ports.llm import UpstreamCall
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest, Operation
from domain.time import Timeouts

OWN = "the-callers+own/token-42"
ANY_TARGET: Any = None


def test_a_callers_credential_is_repeated_in_no_spelling() -> None:
    request = LlmRequest(operation=Operation.CHAT, dialect="openai.chat", model="m", body=b"{}")
    call = UpstreamCall(
        dataclasses.replace(request, own_credential=("authorization", f"bearer {OWN}")),
        ANY_TARGET,
        Timeouts(),
        1.0,
    )
    failure = Failure(
        kind=FailureKind.AUTH,
        message=f"wrong: {OWN}",
        body=b'{"error": "the-callers+own\\/token-42"}',
        headers=(("x-seen", OWN), ("x-kept", "1")),
    )

    clean = without_own_credential(failure, call)

    assert clean.message == "wrong: [redacted]"
    assert clean.body == b'{"error":"[redacted]"}'
    assert clean.headers == (("x-seen", "[redacted]"), ("x-kept", "1"))
