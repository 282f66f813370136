"""Shared by every test: assertion details from the port suites, and what `INTERCHANGE_REQUIRE=all` means."""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("contracts.ports")

REQUIRE_ALL = os.environ.get("INTERCHANGE_REQUIRE") == "all"

# A busy machine is no reason to fail: neither a slow example nor slow drawing says anything about the code.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")


def missing(part: str) -> None:
    """A real part is not on this machine: skip, or fail where everything is required."""
    if REQUIRE_ALL:
        pytest.fail(f"{part} is missing and INTERCHANGE_REQUIRE=all", pytrace=False)
    pytest.skip(f"{part} is not installed")
