"""How the audit trail speaks of users, and whom one can ask to forget."""

import pytest

from domain.errors import InvalidRequest
from domain.privacy.erasure import USER_LENGTH_MAX, audited_user, check_user


def test_a_users_digest_tells_nothing_without_the_secret_and_is_each_tenants_own() -> None:
    digest = audited_user(b"secret", "acme", "alice")
    assert digest == audited_user(b"secret", "acme", "alice")
    assert "alice" not in digest
    others = {
        audited_user(b"another", "acme", "alice"),
        audited_user(b"secret", "other", "alice"),
        audited_user(b"secret", "acme", "bob"),
        audited_user(b"secret", "acmea", "lice"),
    }
    assert len(others) == 4
    assert digest not in others


@pytest.mark.parametrize("user_id", ["", "x" * (USER_LENGTH_MAX + 1), "a\x00b"])
def test_what_nobody_can_be_called_is_refused(user_id: str) -> None:
    with pytest.raises(InvalidRequest):
        check_user(user_id)
