"""What counts for objectives: not what a budget, a check or an operator ended as they should."""

import pytest

from contracts.ports.usage import usage_event
from domain.sla.measure import of_requests


@pytest.mark.parametrize(
    ("outcome", "status", "code", "counted", "errors", "left_out"),
    [
        ("ok", 200, "", 1, 0, 0),
        ("error", 402, "budget_exceeded", 0, 0, 1),
        ("error", 402, "cost_unbounded", 0, 0, 1),
        ("cut", 200, "guardrail_blocked", 0, 0, 1),
        ("refused", 0, "rate_limit_exceeded", 0, 0, 1),
        ("cancelled", 499, "", 0, 0, 1),
        ("refused", 0, "no_provider_available", 1, 1, 0),
        ("error", 400, "invalid_request", 0, 1, 0),
        ("error", 503, "no_provider_available", 1, 1, 0),
        ("cut", 200, "upstream_error", 1, 1, 0),
    ],
)
def test_an_end_counts_for_what_it_says_of_the_installation(
    outcome: str, status: int, code: str, counted: int, errors: int, left_out: int
) -> None:
    found = of_requests([usage_event(1, outcome=outcome, status=status, error_code=code)])
    assert (found.counted, found.errors, found.left_out) == (counted, errors, left_out)
