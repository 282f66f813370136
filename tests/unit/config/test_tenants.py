"""`tenants` and `roles` of the file: what they become, and what keeps a server from starting."""

from pathlib import Path

import pytest

from domain.tenancy.tenant import TenantState
from entrypoints.config.loading import load_settings
from entrypoints.config.problems import ConfigError
from entrypoints.tenancy import declared_in, declared_tenancy


def written(directory: Path, text: str) -> Path:
    path = directory / "interchange.yaml"
    path.write_text(text)
    return path


def test_tenants_and_roles_are_read_with_their_place(tmp_path: Path) -> None:
    text = """
tenants:
  acme: {name: Acme, state: Suspended, compliance: [hipaa], projects: enforced, residency: eu-west}
  plain: {}
roles:
  helper: {permissions: [usage.read]}
"""
    loaded = load_settings({}, config_path=written(tmp_path, text))

    declared = declared_tenancy(loaded.settings)

    acme, plain = declared.tenants
    assert (acme.tenant_id, acme.state, acme.projects_enforced) == ("acme", TenantState.SUSPENDED, True)
    assert plain.active
    [helper] = declared.roles
    assert (helper.name, helper.permissions) == ("helper", frozenset({"usage.read"}))
    assert declared_in(loaded, "tenants", "acme") == "interchange.yaml:3"
    assert declared_in(loaded, "roles", "nobody") is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("tenants: {default: {state: suspended}}", "tenants.default.state"),
        ("tenants: {acme: {residency: atlantis}}", "tenants.acme.residency"),
        ("tenants: {acme: {privacy: nobodys}}", "tenants.acme.privacy"),
        ("tenants: {acme: {guardrails: [nobodys]}}", "tenants.acme.guardrails"),
        ("audit: {checkpoint_webhook_url: nowhere}", "audit.checkpoint_webhook_url"),
        ("audit: {checkpoint_webhook_url: 'https://u:p@hooks.example/'}", "audit.checkpoint_webhook_url"),
        ("tenants: {acme: {networks: [300.0.0.0/8]}}", "tenants.acme"),
        ("tenants: {acme: {egress: ['http://x']}}", "tenants.acme"),
        ("tenants: {Acme: {}}", "tenants.Acme"),
        ("tenants: {acme: {colour: red}}", "tenants.acme.colour"),
        ("roles: {admin: {permissions: [llm.call]}}", "roles.admin"),
        ("roles: {mine: {permissions: [fly]}}", "roles.mine"),
        ("roles: {mine: {permissions: []}}", "roles.mine.permissions"),
    ],
)
def test_what_cannot_be_is_told_with_its_path(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({}, config_path=written(tmp_path, text + "\n"))

    assert where in [problem.path for problem in caught.value.problems]
