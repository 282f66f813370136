"""Who may grant what: nobody more than they hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.key import KeyRecord
from domain.tenancy.key_rules import (
    PAYERS,
    NewKey,
    check_holds,
    check_new_key,
    check_revocation,
    check_tenant,
    grant,
)
from domain.tenancy.principal import Principal
from domain.tenancy.role import (
    INSTALLATION_WIDE,
    OPERATOR_TENANT,
    PERMISSIONS,
    ROLES,
    local_operator,
    permissions_of,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLE_NAMES = st.sampled_from(tuple(ROLES))
TENANTS = st.sampled_from((OPERATOR_TENANT, "acme", "other"))
SCOPES = st.none() | st.frozensets(st.sampled_from(tuple(sorted(PERMISSIONS))))


def principal(
    role: str,
    tenant_id: str = "acme",
    scopes: frozenset[str] | None = None,
    allowed_models: frozenset[str] | None = None,
) -> Principal:
    return Principal(
        tenant_id=tenant_id,
        key_id="k",
        key_name="n",
        role=role,
        permissions=permissions_of(role, tenant_id, scopes),
        allowed_models=allowed_models,
    )


def new_key(role: str = "agent", tenant_id: str = "acme", **changes: object) -> NewKey:
    return NewKey(tenant_id=tenant_id, name="n", role=role, **changes)  # type: ignore[arg-type]


@given(ROLE_NAMES, TENANTS, SCOPES, ROLE_NAMES, TENANTS, SCOPES)
@settings(max_examples=200, deadline=None)
def test_a_granted_key_never_holds_more_than_its_maker(
    role: str,
    tenant: str,
    scopes: frozenset[str] | None,
    new_role: str,
    new_tenant: str,
    new_scopes: frozenset[str] | None,
) -> None:
    by = principal(role, tenant, scopes)
    try:
        granted = grant(by, new_key(new_role, new_tenant, scopes=new_scopes))
    except Forbidden:
        return

    assert permissions_of(granted.role, granted.tenant_id, granted.scopes) <= by.permissions
    assert by.may("keys.write")
    assert granted.tenant_id == by.tenant_id or by.may("tenants.manage")
    assert granted.role != "owner" or by.role == "owner"


@given(ROLE_NAMES, TENANTS, SCOPES)
@settings(max_examples=60, deadline=None)
def test_scopes_only_narrow(role: str, tenant: str, scopes: frozenset[str] | None) -> None:
    assert permissions_of(role, tenant, scopes) <= permissions_of(role, tenant) <= ROLES[role]


def test_an_unknown_role_may_nothing() -> None:
    assert permissions_of("king", OPERATOR_TENANT) == frozenset()


def test_no_role_of_another_tenant_reaches_the_installation() -> None:
    for role in ROLES:
        assert not permissions_of(role, "acme") & INSTALLATION_WIDE


def test_only_the_operators_owner_manages_tenants() -> None:
    assert [role for role in ROLES if "tenants.manage" in permissions_of(role, OPERATOR_TENANT)] == ["owner"]


def test_agents_call_and_nothing_else_that_changes_or_tells() -> None:
    calling = {"llm.call", "models.read", "routing.explain", "batch.read", "batch.write"}
    calling |= {"tools.read", "tools.execute", "feedback.write"}
    assert permissions_of("agent", "acme") == calling


def test_viewers_and_auditors_do_not_spend() -> None:
    assert "llm.call" not in ROLES["viewer"] | ROLES["auditor"]


def test_the_local_operator_is_an_owner_of_the_installation() -> None:
    assert local_operator().may("tenants.manage")


def test_the_operator_makes_an_owner_of_another_tenant() -> None:
    assert grant(local_operator(), new_key("owner", "acme")).role == "owner"


def test_an_admin_makes_no_owner() -> None:
    with pytest.raises(Forbidden, match="only an owner"):
        grant(principal("admin"), new_key("owner"))


def test_another_tenants_owner_stays_at_home() -> None:
    with pytest.raises(Forbidden, match="another tenant"):
        grant(principal("owner"), new_key("agent", "other"))


def test_a_refused_grant_names_what_is_missing() -> None:
    by = principal("admin", scopes=frozenset({"keys.write", "llm.call"}))

    with pytest.raises(Forbidden, match=r"models\.read, routing\.explain"):
        grant(by, new_key("agent"))


def test_a_model_limit_is_passed_on_and_may_be_narrowed_but_not_widened() -> None:
    by = principal("owner", allowed_models=frozenset({"acme/*", "assistant"}))

    assert grant(by, new_key()).allowed_models == by.allowed_models
    narrower = frozenset({"acme/small", "assistant"})
    assert grant(by, new_key(allowed_models=narrower)).allowed_models == narrower
    for wider in ("other/x", "acme", "assistant/*"):
        with pytest.raises(Forbidden, match="may not call"):
            grant(by, new_key(allowed_models=frozenset({wider})))


def test_only_an_owner_revokes_an_owners_key() -> None:
    owned = KeyRecord(
        key_id="k", tenant_id="acme", name="n", role="owner", hash=b"", pepper_version=1, created_at=NOW
    )

    check_revocation(principal("owner"), owned)
    with pytest.raises(Forbidden, match="only an owner"):
        check_revocation(principal("admin"), owned)


def test_without_the_permission_nothing_is_done() -> None:
    with pytest.raises(Forbidden, match=r"keys\.write"):
        check_tenant(principal("developer"), "acme", "keys.write")


@pytest.mark.parametrize(
    ("new", "param", "says"),
    [
        (new_key(tenant_id="No"), "tenant_id", "a-z"),
        (new_key(tenant_id="x" * 64), "tenant_id", "1-63"),
        (NewKey(tenant_id="acme", name=" ", role="agent"), "name", "1-100"),
        (NewKey(tenant_id="acme", name="a\nb", role="agent"), "name", "printable"),
        (new_key("king"), "role", "owner, admin"),
        (new_key(scopes=frozenset()), "scopes", "at least one"),
        (new_key(scopes=frozenset({"fly"})), "scopes", r"llm\.call"),
        (new_key(scopes=frozenset({"keys.write"})), "scopes", "does not include"),
        (new_key("owner", scopes=frozenset({"tenants.manage"})), "scopes", "does not include"),
        (new_key(allowed_models=frozenset()), "allowed_models", "1-1000"),
        (new_key(allowed_models=frozenset({""})), "allowed_models", "1-200"),
        (new_key(expires_at=NOW), "expires_at", "future"),
        (new_key(expires_at=datetime(2030, 1, 1)), "expires_at", "time zone"),  # noqa: DTZ001 (that is the mistake)
    ],
)
def test_a_malformed_wish_names_its_field_and_what_is_allowed(new: NewKey, param: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        check_new_key(new, NOW)

    assert refused.value.param == param


def test_a_sound_wish_passes() -> None:
    check_new_key(
        new_key(
            "developer",
            scopes=frozenset({"llm.call"}),
            allowed_models=frozenset({"acme/*"}),
            expires_at=NOW + timedelta(days=1),
        ),
        NOW,
    )


@pytest.mark.parametrize("field", PAYERS)
@pytest.mark.parametrize("name", ["-a", " a", "a" * 65, "=1+1", "a\nb", "\N{SNOWMAN}"])
def test_a_payer_has_a_plain_name(field: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_new_key(new_key(**{field: name}), NOW)

    assert refused.value.param == field
    check_new_key(new_key(**{field: "Search team 2:eu/west._-"}), NOW)


@pytest.mark.parametrize("field", PAYERS)
def test_who_is_counted_for_somebody_makes_keys_for_the_same(field: str) -> None:
    changes: dict[str, Any] = {field: "search"}
    by = replace(principal("owner"), **changes)

    assert getattr(grant(by, new_key()), field) == "search"
    assert getattr(grant(by, new_key(**{field: "search"})), field) == "search"
    assert getattr(grant(principal("owner"), new_key(**{field: "other"})), field) == "other"
    with pytest.raises(Forbidden):
        grant(by, new_key(**{field: "other"}))


def test_somebody_who_logged_in_makes_keys_that_may_name_others() -> None:
    by = replace(principal("admin"), kind="session", subject="alice", assertable=frozenset({"user:alice"}))
    assert grant(by, new_key("agent")).assertable is None
    check_holds(by, new_key("agent"))
    with pytest.raises(Forbidden):
        grant(replace(by, subject="", kind="key"), new_key("agent", assertable=frozenset({"user:bob"})))
