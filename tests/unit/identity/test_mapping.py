"""Claims in the words of this installation."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Forbidden, InvalidToken
from domain.tenancy.identities import USER, spoken_for
from domain.tenancy.identity import identify, principal_of
from tests.unit.identity.world import claims, issuer


def test_tenants_are_looked_up_or_read_out_of_a_claim() -> None:
    policy = issuer(
        tenant="",
        tenant_claim="org",
        tenants=(("Acme Inc.", "acme"), ("root", "default")),
        tenant_pattern=r"org-([a-z0-9-]+)",
    )

    assert identify(policy, claims(org="Acme Inc.")).tenant_id == "acme"
    assert identify(policy, claims(org="root")).tenant_id == "default"
    assert identify(policy, claims(org="org-blue-7")).tenant_id == "blue-7"


@pytest.mark.parametrize(
    "org", [None, "acme", "org-default", "org-", "org-a/b", "xorg-a", "org-a\n", ["org-a"]]
)
def test_a_claim_that_is_nobodys_tenant_lets_nobody_in(org: Any) -> None:
    policy = issuer(tenant="", tenant_claim="org", tenant_pattern=r"org-(.*)")

    with pytest.raises((Forbidden, InvalidToken)):
        identify(policy, claims(org=org))


def test_the_first_role_in_the_operators_order_counts() -> None:
    assert identify(issuer(), claims(roles=["bots", "devs"])).role == "developer"
    assert identify(issuer(default_role="viewer"), claims(roles=[])).role == "viewer"
    assert identify(issuer(), claims(roles="x bots")).role == "agent"


def test_claims_inside_objects_are_found_and_whole_names_come_first() -> None:
    policy = issuer(roles_claim="realm_access.roles")

    assert identify(policy, claims(realm_access={"roles": ["devs"]})).role == "developer"
    both = {"realm_access": {"roles": ["devs"]}, "realm_access.roles": ["bots"]}
    assert identify(policy, claims(**both)).role == "agent"
    with pytest.raises(Forbidden):
        identify(policy, claims(realm_access=["devs"]))


def test_scopes_only_narrow() -> None:
    policy = issuer(scopes_claim="scope", scope_prefix="ic:")

    assert identify(policy, claims(scope="openid ic:llm.call")).scopes == frozenset({"llm.call"})
    assert identify(policy, claims()).scopes == frozenset()
    assert identify(issuer(), claims(scope="nothing")).scopes is None


def test_whom_it_speaks_for_and_who_pays() -> None:
    policy = issuer(
        user_claim="email",
        agent_claim="client_id",
        team_claim="team",
        project_claim="p",
        cost_center_claim="cc",
    )
    said = claims(email="al@example.com", client_id="bot", team="blue", p="x", cc="4711")

    by = principal_of(identify(policy, said), frozenset(), "token")

    assert by.assertable == frozenset({"user:al@example.com", "agent:bot"})
    assert (by.team, by.project, by.cost_center) == ("blue", "x", "4711")
    with pytest.raises(InvalidToken):
        identify(policy, claims(team="no\nteam"))


@settings(max_examples=60)
@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_nobody_speaks_for_anybody_else(subject: str, other: str) -> None:
    try:
        by = principal_of(identify(issuer(), claims(sub=subject)), frozenset(), "token")
    except InvalidToken:
        return
    if other != subject:
        with pytest.raises(Forbidden):
            spoken_for(by, USER, other)
    assert spoken_for(by, USER, "") == subject


def test_whatever_changes_who_is_let_in_changes_the_fingerprint() -> None:
    seen = {
        issuer(**changed).fingerprint()
        for changed in (
            {},
            {"tenant": "x"},
            {"roles": (("devs", "admin"),)},
            {"clients": ("a",)},
            {"leeway_s": 1.0},
        )
    }

    assert len(seen) == 5
