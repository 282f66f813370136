"""Cohere's second API bound to the providers' suite."""

from collections.abc import Callable
from typing import Any

import pytest

from application.ports.llm import LlmProvider, UpstreamCall
from contracts.ports.llm_calls import failed
from domain.llm.failures import FailureKind
from tests.contract.test_llm_providers import DirectContract, SimulatedUpstream


class TestCohere(DirectContract):
    wire = "cohere"
    version_path = "/acme/v2"

    @pytest.mark.parametrize(
        ("status", "message", "kind"),
        [
            (400, "too many tokens: size limit exceeded by 11326 tokens.", FailureKind.CONTEXT_LENGTH),
            (402, "Please add or update your payment method", FailureKind.QUOTA),
            (404, "model 'x' not found, make sure the correct model ID was used", FailureKind.MODEL_MISSING),
            (422, "invalid request: p must be between 0.01 and 0.99", FailureKind.CALLER_FAULT),
            (429, "a Trial key, which is limited to 20 API calls / minute.", FailureKind.RATE_LIMIT),
            (429, "a Trial key, which is limited to 1000 API calls / month.", FailureKind.QUOTA),
            (498, "the text has a deny-listed token", FailureKind.CONTENT_POLICY),
        ],
    )
    async def test_a_sentence_without_a_code_is_a_typed_failure(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        upstream: SimulatedUpstream,
        status: int,
        message: str,
        kind: FailureKind,
    ) -> None:
        fault: dict[str, Any] = {"kind": "status", "status": status, "message": message}
        upstream.fault(fault)
        failure = await failed(provider, ask())
        assert (failure.kind, failure.status, failure.message) == (kind, status, message)
