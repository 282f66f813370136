"""What a provider's words mean, and what each kind of failure permits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.llm.failures import DISPOSITIONS, BreakerVote, FailureKind, classify


@pytest.mark.parametrize(
    ("status", "codes", "message", "kind"),
    [
        (429, (), "", FailureKind.RATE_LIMIT),
        (429, ("rate_limit_exceeded",), "", FailureKind.RATE_LIMIT),
        (429, ("insufficient_quota", "insufficient_quota"), "", FailureKind.QUOTA),
        (429, ("rate_limit_error",), "You exceeded your current quota", FailureKind.QUOTA),
        (429, (), "Too many tokens, please wait before trying again.", FailureKind.RATE_LIMIT),
        (429, ("rate_limit_exceeded",), "Limit 30000 tokens per min, context window", FailureKind.RATE_LIMIT),
        (400, ("context_length_exceeded", "invalid_request_error"), "", FailureKind.CONTEXT_LENGTH),
        (400, ("invalid_request_error",), "prompt is too long: 210000 tokens", FailureKind.CONTEXT_LENGTH),
        (400, ("INVALID_ARGUMENT",), "The input token count exceeds the maximum", FailureKind.CONTEXT_LENGTH),
        (413, ("request_too_large",), "", FailureKind.CONTEXT_LENGTH),
        (400, ("content_policy_violation",), "", FailureKind.CONTENT_POLICY),
        (400, (), "rejected as a result of our safety system", FailureKind.CONTENT_POLICY),
        (400, (), "Unrecognized request argument supplied: safety_identifier", FailureKind.CALLER_FAULT),
        (400, ("invalid_request_error",), "Your credit balance is too low", FailureKind.QUOTA),
        (401, (), "", FailureKind.AUTH),
        (403, ("PERMISSION_DENIED",), "", FailureKind.AUTH),
        (400, ("API_KEY_INVALID", "INVALID_ARGUMENT"), "", FailureKind.AUTH),
        (404, ("not_found_error",), "model: x", FailureKind.MODEL_MISSING),
        (400, (), "x is not a valid model ID", FailureKind.MODEL_MISSING),
        (503, ("server_error",), "", FailureKind.OVERLOADED),
        (529, ("overloaded_error",), "", FailureKind.OVERLOADED),
        (500, ("api_error",), "", FailureKind.SERVER_ERROR),
        (504, (), "", FailureKind.TIMEOUT),
        (200, ("overloaded_error",), "", FailureKind.OVERLOADED),
        (200, ("api_error",), "", FailureKind.SERVER_ERROR),
        (200, ("rate_limit_error",), "", FailureKind.RATE_LIMIT),
        (200, (), "context length", FailureKind.BAD_RESPONSE),
        (422, (), "", FailureKind.CALLER_FAULT),
        (599, (), "", FailureKind.SERVER_ERROR),
        (302, (), "", FailureKind.BAD_RESPONSE),
    ],
)
def test_a_code_comes_before_a_text_and_a_text_before_a_status(
    status: int, codes: tuple[str, ...], message: str, kind: FailureKind
) -> None:
    assert classify(status, codes=codes, message=message) is kind


@given(
    status=st.integers(100, 599),
    codes=st.lists(st.text(max_size=8), max_size=3),
    message=st.text(max_size=40),
)
def test_every_answer_has_a_kind_and_every_kind_a_disposition(
    status: int, codes: list[str], message: str
) -> None:
    assert classify(status, codes=tuple(codes), message=message) in DISPOSITIONS


def test_what_the_caller_did_is_never_tried_again_nor_held_against_the_provider() -> None:
    for kind in (FailureKind.CALLER_FAULT, FailureKind.CONTENT_POLICY):
        assert DISPOSITIONS[kind] == (False, False, BreakerVote.NEUTRAL, False)


def test_only_a_larger_context_helps_against_a_prompt_that_is_too_long() -> None:
    larger = [kind for kind, disposition in DISPOSITIONS.items() if disposition.larger_context_only]
    assert larger == [FailureKind.CONTEXT_LENGTH]
