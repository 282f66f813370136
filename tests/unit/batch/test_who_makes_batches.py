"""Batches outlive the requests that make them, so their makers need rights that can be asked for then."""

from typing import Any

import pytest

from application.use_cases.manage_batches import BatchLimits, ManageBatches
from domain.errors import Forbidden
from domain.tenancy.principal import Principal


@pytest.mark.parametrize("kind", ["token", "session"])
async def test_tokens_and_logins_make_no_batches(kind: str) -> None:
    nobody_is_asked: Any = object()
    manage = ManageBatches(
        store=nobody_is_asked,
        files=nobody_is_asked,
        clock=nobody_is_asked,
        ids=nobody_is_asked,
        limits=BatchLimits(),
        on_new=lambda: None,
    )
    by = Principal(
        tenant_id="acme",
        key_id="jwt_0123456789abcdef01234567",
        key_name="alice",
        role="developer",
        permissions=frozenset({"llm.call", "batch.write"}),
        kind=kind,
        subject="alice",
    )
    with pytest.raises(Forbidden, match="use an API key"):
        await manage.create(
            by,
            input_file_id="file-1",
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={},
        )
