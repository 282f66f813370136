"""Rows of `LiteLLM_VerificationToken` as keys that go on working here.

LiteLLM keeps the SHA-256 of the whole `sk-…` text, in hexadecimal; that is all we need.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from domain.money import format_usd, parse_usd
from domain.tenancy.imported_key import NOTE_LENGTH_MAX, ImportedKey, imported_key_id
from domain.tenancy.key_rules import ALLOWED_MODELS_MAX, NAME_LENGTH_MAX, PAYER_LENGTH_MAX
from domain.tenancy.role import OPERATOR_TENANT
from entrypoints.litellm.draft import Draft, number, period_of, truth
from entrypoints.litellm.dump import TEAMS, TOKENS, Row, Tables, as_list
from entrypoints.litellm.report import Finding, Outcome
from entrypoints.litellm.routing import route_name

_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
_NO_MODELS: Final = "no-default-models"
_EVERY_MODEL: Final = frozenset({"all-proxy-models", "*"})
_TEAMS_MODELS: Final = "all-team-models"
_LIMITS: Final = ("rpm_limit", "tpm_limit", "max_parallel_requests")


class ReadKeys(NamedTuple):
    """What can be taken, and what became of each row."""

    keys: tuple[ImportedKey, ...]
    findings: tuple[Finding, ...]


def read_keys(tables: Tables, draft: Draft, *, now: datetime) -> ReadKeys:
    """Keys with their tenants, limits and notes; their budgets go into the draft."""
    teams = {str(row.get("team_id")): row for row in tables.get(TEAMS, ())}
    tenants = _tenants(teams, tables)
    keys: list[ImportedKey] = []
    findings: list[Finding] = []
    for place, row in enumerate(tables[TOKENS]):
        where = f"{TOKENS}[{place}]"
        token = str(row.get("token") or "")
        if not _DIGEST.fullmatch(token):
            findings.append(_told(where, Outcome.ATTENTION, "not a hashed key; its holder needs a new one"))
            continue
        if row.get("expires") not in (None, "") and _moment(row["expires"]) is None:
            findings.append(
                _told(f"{where}.expires", Outcome.ATTENTION, "cannot be read; the key is left out")
            )
            continue
        key = _key(row, bytes.fromhex(token), teams, tenants, now)
        keys.append(key)
        findings.append(_told(where, Outcome.TAKEN, f"key {key.name!r} of tenant {key.tenant_id}"))
        findings += _beside(where, row, key, draft)
        if _lacks_team(row, teams.get(str(row.get("team_id") or ""))):
            message = (
                f"its team's models are not in the dump, so it may call none; add {TEAMS} and begin anew"
            )
            findings.append(_told(f"{where}.models", Outcome.ATTENTION, message))
    return ReadKeys(tuple(keys), tuple(findings))


def _told(where: str, outcome: Outcome, message: str) -> Finding:
    return Finding(None, where, outcome, message)


def _key(
    row: Row, digest: bytes, teams: Mapping[str, Row], tenants: Mapping[str, str], now: datetime
) -> ImportedKey:
    team_id = str(row.get("team_id") or "")
    name = str(row.get("key_alias") or row.get("key_name") or "imported key")
    return ImportedKey(
        digest=digest,
        tenant_id=tenants.get(team_id, OPERATOR_TENANT),
        name="".join(sign for sign in name if sign.isprintable()).strip()[:NAME_LENGTH_MAX] or "imported key",
        role="agent",
        created_at=_moment(row.get("created_at")) or now,
        allowed_models=_models(row, teams.get(team_id)),
        expires_at=_moment(row.get("expires")),
        blocked=truth(row.get("blocked")) or str(row.get("blocked")).lower() == "t",
        note=_note(row)[:NOTE_LENGTH_MAX],
        team=_team(team_id, teams),
    )


def _team(team_id: str, teams: Mapping[str, Row]) -> str:
    """The team's alias, or its id, in the letters a team may have."""
    alias = teams.get(team_id, {}).get("team_alias") or team_id
    return re.sub(r"[^A-Za-z0-9 ._:/-]+", "-", str(alias)).lstrip(" ._:/-")[:PAYER_LENGTH_MAX]


def _models(row: Row, team: Row | None) -> frozenset[str] | None:
    """None: every model. What is not known narrows: a key must not gain models by being moved."""
    asked = as_list(row.get("models"))
    if not asked or _TEAMS_MODELS in asked:
        asked = [name for name in asked if name != _TEAMS_MODELS]
        asked += [_NO_MODELS] if _lacks_team(row, team) else as_list(team.get("models")) if team else []
        if not asked:
            return None
    if _EVERY_MODEL & set(asked):
        return None
    names = {*asked, *(route_name(name) for name in asked if not name.endswith("*"))}
    return frozenset(sorted(names)[:ALLOWED_MODELS_MAX])


def _lacks_team(row: Row, team: Row | None) -> bool:
    """Whether the models of the key are those of a team that the dump does not tell about."""
    asked = as_list(row.get("models"))
    of_team = not asked or _TEAMS_MODELS in asked
    return of_team and team is None and bool(row.get("team_id") or _TEAMS_MODELS in asked)


def _note(row: Row) -> str:
    parts = ["imported from LiteLLM"]
    spend = number(row.get("spend"))
    if spend is not None and spend > 0:
        parts.append(f"had spent {format_usd(parse_usd(spend))} USD there")
    if row.get("user_id"):
        parts.append(f"user {str(row['user_id'])[:100]}")
    return "; ".join(parts)


def _beside(where: str, row: Row, key: ImportedKey, draft: Draft) -> list[Finding]:
    found: list[Finding] = []
    if key.blocked:
        found.append(_told(f"{where}.blocked", Outcome.CHANGED, "taken over as revoked, which is for good"))
    limit = number(row.get("max_budget"))
    if limit is not None:
        period = period_of(row.get("budget_duration"))
        if limit < 0 or period is None:
            found.append(_told(f"{where}.max_budget", Outcome.ATTENTION, "no such period; write it by hand"))
        else:
            scope = {"tenant": key.tenant_id, "key": imported_key_id(key.digest)}
            name = draft.add_budget(f"key {key.name}", scope, period, limit)
            found.append(
                _told(f"{where}.max_budget", Outcome.CHANGED, f"budget {name!r}, which begins anew here")
            )
    found += [
        _told(f"{where}.{name}", Outcome.NO_COUNTERPART, "keys have no rate limits yet")
        for name in _LIMITS
        if row.get(name) not in (None, "")
    ]
    if row.get("aliases") not in (None, "", "{}", {}):
        found.append(_told(f"{where}.aliases", Outcome.NO_COUNTERPART, "names are routes, for everybody"))
    return found


def _tenants(teams: Mapping[str, Row], tables: Tables) -> dict[str, str]:
    """A tenant per team, named for its alias where it has one; never two teams in one tenant."""
    used = dict.fromkeys(str(row.get("team_id")) for row in tables[TOKENS] if row.get("team_id"))
    tenants: dict[str, str] = {}
    for team_id in used:
        alias = teams.get(team_id, {}).get("team_alias")
        base = re.sub(r"[^a-z0-9_-]+", "-", str(alias or team_id).lower()).strip("-_")[:58] or "team"
        name, count = base, 1
        while name in tenants.values() or name == OPERATOR_TENANT:
            count += 1
            name = f"{base}-{count}"
        tenants[team_id] = name
    return tenants


def _moment(value: Any) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
