"""Tenants, projects and roles: what may be said of them, and that no role is a way up."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.role_book import RoleBook
from domain.errors import Conflict, Forbidden, InterchangeError, InvalidRequest, NotFound
from domain.tenancy.custom_role import CustomRole, allowed_permissions, check_role, check_role_reach
from domain.tenancy.key_rules import NewKey, check_new_key, grant
from domain.tenancy.principal import Principal
from domain.tenancy.project import Project, check_project
from domain.tenancy.role import INSTALLATION_WIDE, OPERATOR_TENANT, PERMISSIONS, ROLES, permissions_of
from domain.tenancy.tenant import Tenant, TenantState
from domain.tenancy.tenant_rules import check_description, check_sight, state_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SOME = st.frozensets(st.sampled_from(sorted(PERMISSIONS)))
ROLE = CustomRole(tenant_id="acme", name="support", permissions=frozenset({"usage.read"}))


def by(permissions: frozenset[str], tenant_id: str = "acme", role: str = "support") -> Principal:
    return Principal(
        tenant_id=tenant_id, key_id="Key000000001", key_name="k", role=role, permissions=permissions
    )


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"tenant_id": "Acme"}, "tenant_id"),
        ({"tenant_id": "*"}, "tenant_id"),
        ({"tenant_id": ""}, "tenant_id"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"organisation": "no good"}, "organisation"),
        ({"residency": "e u"}, "residency"),
        ({"privacy": "ä"}, "privacy"),
        ({"compliance": frozenset({"a b"})}, "compliance"),
        ({"guardrails": tuple("abcdefghij") * 11}, "guardrails"),
        ({"networks": ("10.0.0.0/33",)}, "networks"),
        ({"egress": ("https://x",)}, "egress"),
        ({"egress": ("x" * 300,)}, "egress"),
        ({"tenant_id": OPERATOR_TENANT, "state": TenantState.SUSPENDED}, "state"),
    ],
)
def test_a_description_that_cannot_be_names_its_field(changed: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_description(replace(Tenant(tenant_id="acme"), **changed))  # type: ignore[arg-type]

    assert caught.value.param == param


def test_a_full_description_is_taken() -> None:
    check_description(
        Tenant(
            tenant_id="acme-1_x",
            name="Äcme",
            residency="eu-west",
            compliance=frozenset({"hipaa", "ISO-27001"}),
            networks=("203.0.113.0/24", "2001:db8::/32"),
            egress=("api.example.com", "*.example.com:8443"),
        )
    )


def test_states_are_known_by_name() -> None:
    assert state_of("suspended") is TenantState.SUSPENDED
    with pytest.raises(InvalidRequest):
        state_of("asleep")


def test_another_tenant_is_as_unknown_as_one_there_is_not() -> None:
    for tenant_id in ("other", "none"):
        with pytest.raises(NotFound):
            check_sight(by(frozenset()), tenant_id)
    check_sight(by(frozenset()), "acme")
    check_sight(by(frozenset({"tenants.manage"})), "other")


@pytest.mark.parametrize("name", ["", " x", "x" * 65, "a\tb", "-a"])
def test_a_projects_name_is_one_keys_can_name(name: str) -> None:
    with pytest.raises(InvalidRequest):
        check_project(Project(tenant_id="acme", name=name))


@pytest.mark.parametrize("name", sorted(ROLES))
def test_the_names_of_built_in_roles_are_taken(name: str) -> None:
    with pytest.raises(Conflict):
        check_role(replace(ROLE, name=name))


@settings(max_examples=60)
@given(permissions=SOME, tenant_id=st.sampled_from(["acme", OPERATOR_TENANT]))
def test_a_role_holds_what_its_tenant_may_hold_and_at_least_something(
    permissions: frozenset[str], tenant_id: str
) -> None:
    role = replace(ROLE, tenant_id=tenant_id, permissions=permissions)
    good = bool(permissions) and permissions <= allowed_permissions(tenant_id)
    try:
        check_role(role)
    except InvalidRequest:
        assert not good
    else:
        assert good


@settings(max_examples=60)
@given(mine=SOME, old=SOME, new=SOME)
def test_nobody_makes_or_changes_a_role_that_holds_more_than_they_do(
    mine: frozenset[str], old: frozenset[str], new: frozenset[str]
) -> None:
    try:
        check_role_reach(by(mine), old, new)
    except Forbidden:
        assert not (old | new) <= mine
    else:
        assert (old | new) <= mine


@settings(max_examples=60)
@given(mine=SOME, role=SOME)
def test_a_key_with_a_custom_role_never_holds_more_than_whoever_made_it(
    mine: frozenset[str], role: frozenset[str]
) -> None:
    book = RoleBook()
    book.use([replace(ROLE, permissions=role)])
    new = NewKey(tenant_id="acme", name="k", role="support")
    roles = book.of("acme")
    check_new_key(new, NOW, roles)
    maker = by((mine - INSTALLATION_WIDE) | {"keys.write"})
    try:
        grant(maker, new, roles)
    except InterchangeError:
        return
    assert book.permissions_of("support", "acme") <= maker.permissions


def test_a_name_means_the_built_in_role_then_the_tenants_own_then_the_installations() -> None:
    book = RoleBook()
    book.declare(
        [
            CustomRole(tenant_id="", name="shared", permissions=frozenset({"usage.read", "config.read"})),
            CustomRole(tenant_id="", name="support", permissions=frozenset({"models.read"})),
        ]
    )
    book.use([ROLE])

    assert book.permissions_of("support", "acme") == {"usage.read"}
    assert book.permissions_of("support", "other") == {"models.read"}
    assert book.permissions_of("shared", "acme") == {"usage.read"}
    assert book.permissions_of("shared", OPERATOR_TENANT) == {"usage.read", "config.read"}
    assert book.permissions_of("viewer", "acme") == permissions_of("viewer", "acme")
    assert book.permissions_of("nobody", "acme") == frozenset()


def test_a_book_tells_only_of_changes() -> None:
    book, told = RoleBook(), []
    book.on_change(lambda: told.append(book.version))
    book.use([ROLE])
    book.use([ROLE])
    book.declare([])
    book.use([])

    assert told == [1, 2]
