"""What each command works on, and what it takes: one table beside that of the routes.

A test walks the commands and fails on one that is not here.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple


class Works(Enum):
    """What a command works on."""

    NOWHERE = "what it is given or what ships with it; it keeps nothing of the installation's"
    DATA = "the data directory or its database: whoever may read those acts as the operator's owner"
    SERVER = "a running server, with a key, whose permissions count there as for anybody else"
    EITHER = "a running server where one is named, else the data directory"


class Access(NamedTuple):
    """`permission` is what the server asks for, or the local operator needs; empty: a valid key, or none."""

    works: Works
    permission: str = ""


_KEYS: Final = Access(Works.DATA, "keys.write")
_TENANTS: Final = Access(Works.DATA, "tenants.manage")
_VAULT: Final = Access(Works.DATA, "credentials.rotate")
_MACHINE: Final = Access(Works.DATA, "config.write")
_BUDGETS: Final = Access(Works.EITHER, "budgets.write")
_SEES_BUDGETS: Final = Access(Works.EITHER, "budgets.read")
_LIMITS: Final = Access(Works.SERVER, "limits.write")
_SEES_LIMITS: Final = Access(Works.SERVER, "limits.read")
_EXPERIMENTS: Final = Access(Works.SERVER, "experiments.write")
_SEES_EXPERIMENTS: Final = Access(Works.SERVER, "experiments.read")
_INTEGRATIONS: Final = Access(Works.SERVER, "integrations.write")
_OPERATES_INTEGRATIONS: Final = Access(Works.SERVER, "integrations.operate")
_SEES_INTEGRATIONS: Final = Access(Works.SERVER, "integrations.read")
_CACHE: Final = Access(Works.SERVER, "cache.write")
_SEES_CACHE: Final = Access(Works.SERVER, "cache.read")
_AUDIT: Final = Access(Works.DATA, "audit.read")
_CATALOG: Final = Access(Works.DATA, "catalog.read")

COMMAND_ACCESS: Final[Mapping[str, Access]] = {
    "version": Access(Works.NOWHERE),
    "serve": _MACHINE,
    "doctor": Access(Works.DATA, "config.read"),
    "config check": Access(Works.DATA, "config.read"),
    "config diff": Access(Works.SERVER, "config.read"),
    "config export": Access(Works.EITHER, "config.read"),
    "config schema": Access(Works.NOWHERE),
    "config status": Access(Works.SERVER, "config.read"),
    "keys create": _KEYS,
    "keys list": Access(Works.DATA, "keys.read"),
    "keys show": Access(Works.DATA, "keys.read"),
    "keys update": _KEYS,
    "keys rotate": _KEYS,
    "keys revoke": _KEYS,
    "keys recover": _KEYS,
    "keys pepper show": Access(Works.DATA, "keys.read"),
    "keys pepper rotate": _KEYS,
    "keys pepper drop": _KEYS,
    "credentials list": Access(Works.DATA, "credentials.read"),
    "credentials keys": Access(Works.DATA, "credentials.read"),
    "credentials verify": Access(Works.DATA, "credentials.read"),
    "credentials add": Access(Works.DATA, "credentials.write"),
    "credentials replace": Access(Works.DATA, "credentials.write"),
    "credentials delete": Access(Works.DATA, "credentials.write"),
    "credentials accept": _VAULT,
    "credentials rotate": _VAULT,
    "credentials retire": _VAULT,
    "tenants list": Access(Works.DATA, "tenants.read"),
    "tenants add": _TENANTS,
    "tenants set": _TENANTS,
    "tenants suspend": _TENANTS,
    "tenants resume": _TENANTS,
    "tenants release": _TENANTS,
    "tenants delete": _TENANTS,
    "tenants projects": Access(Works.DATA, "tenants.read"),
    "tenants project-set": _KEYS,
    "tenants project-delete": _KEYS,
    "roles list": Access(Works.DATA, "roles.read"),
    "roles set": Access(Works.DATA, "roles.write"),
    "roles delete": Access(Works.DATA, "roles.write"),
    "providers list": Access(Works.SERVER, "providers.read"),
    "providers status": Access(Works.SERVER, "providers.read"),
    "route explain": Access(Works.SERVER, "routing.explain"),
    "backtest": Access(Works.SERVER, "usage.read"),
    "tail": Access(Works.SERVER, "usage.read"),
    "requests show": Access(Works.SERVER, "usage.read"),
    "budget list": _SEES_BUDGETS,
    "budget show": _SEES_BUDGETS,
    "budget check": _SEES_BUDGETS,
    "budget unresolved": _SEES_BUDGETS,
    "budget set": _BUDGETS,
    "budget delete": _BUDGETS,
    "budget resolve": _BUDGETS,
    "limits list": _SEES_LIMITS,
    "limits show": _SEES_LIMITS,
    "limits set": _LIMITS,
    "limits delete": _LIMITS,
    "integrations list": _SEES_INTEGRATIONS,
    "integrations show": _SEES_INTEGRATIONS,
    "integrations health": _SEES_INTEGRATIONS,
    "integrations add": _INTEGRATIONS,
    "integrations import-openapi": _INTEGRATIONS,
    "integrations remove": _INTEGRATIONS,
    "integrations test": _OPERATES_INTEGRATIONS,
    "integrations enable": _OPERATES_INTEGRATIONS,
    "integrations disable": _OPERATES_INTEGRATIONS,
    "integrations maintenance": _OPERATES_INTEGRATIONS,
    "tools pins": _SEES_INTEGRATIONS,
    "tools accept": _OPERATES_INTEGRATIONS,
    "tools list": Access(Works.SERVER, "tools.read"),
    "tools show": Access(Works.SERVER, "tools.read"),
    "tools call": Access(Works.SERVER, "tools.execute"),
    "webhooks list": Access(Works.SERVER, "webhooks.read"),
    "webhooks show": Access(Works.SERVER, "webhooks.read"),
    "webhooks deliveries": Access(Works.SERVER, "webhooks.read"),
    "webhooks delivery": Access(Works.SERVER, "webhooks.read"),
    "webhooks dead-letters": Access(Works.SERVER, "webhooks.read"),
    "webhooks add": Access(Works.SERVER, "webhooks.write"),
    "webhooks set": Access(Works.SERVER, "webhooks.write"),
    "webhooks delete": Access(Works.SERVER, "webhooks.write"),
    "webhooks rotate-secret": Access(Works.SERVER, "webhooks.write"),
    "webhooks pause": Access(Works.SERVER, "webhooks.operate"),
    "webhooks resume": Access(Works.SERVER, "webhooks.operate"),
    "webhooks test": Access(Works.SERVER, "webhooks.operate"),
    "webhooks retry": Access(Works.SERVER, "webhooks.operate"),
    "webhooks replay": Access(Works.SERVER, "webhooks.operate"),
    "usage": Access(Works.EITHER, "usage.read"),
    "report": Access(Works.EITHER, "usage.read"),
    "recommendations list": Access(Works.SERVER, "usage.read"),
    "recommendations refresh": Access(Works.SERVER, "recommendations.write"),
    "recommendations accept": Access(Works.SERVER, "recommendations.write"),
    "recommendations dismiss": Access(Works.SERVER, "recommendations.write"),
    "recommendations reopen": Access(Works.SERVER, "recommendations.write"),
    "forecast": Access(Works.EITHER, "usage.read"),
    "anomalies": Access(Works.EITHER, "usage.read"),
    "reconcile": Access(Works.DATA, "usage.read"),
    "cache status": _SEES_CACHE,
    "cache show": _SEES_CACHE,
    "cache explain": _SEES_CACHE,
    "cache verified": _SEES_CACHE,
    "cache prompt": Access(Works.SERVER, "usage.read"),
    "cache invalidate": _CACHE,
    "cache warm": _CACHE,
    "quality": Access(Works.SERVER, "usage.read"),
    "models compare": Access(Works.SERVER, "usage.read"),
    "feedback add": Access(Works.SERVER, "feedback.write"),
    "feedback list": Access(Works.SERVER, "feedback.read"),
    "experiment list": _SEES_EXPERIMENTS,
    "experiment show": _SEES_EXPERIMENTS,
    "experiment create": _EXPERIMENTS,
    "experiment start": _EXPERIMENTS,
    "experiment stop": _EXPERIMENTS,
    "experiment promote": _EXPERIMENTS,
    "experiment delete": _EXPERIMENTS,
    "sla": Access(Works.SERVER, "alerts.read"),
    "alerts": Access(Works.SERVER, "alerts.read"),
    "stop": Access(Works.SERVER, "agents.stop"),
    "events list": Access(Works.SERVER, "events.read"),
    "events follow": Access(Works.SERVER, "events.read"),
    "events schemas": Access(Works.SERVER),
    "events verify": Access(Works.SERVER, "webhooks.operate"),
    "connect": Access(Works.SERVER),
    "login": Access(Works.NOWHERE),
    "logout": Access(Works.NOWHERE),
    "guardrails check": Access(Works.SERVER, "guardrails.read"),
    "guardrails list": Access(Works.SERVER, "guardrails.read"),
    "import litellm": _KEYS,
    "batch run": Access(Works.SERVER, "batch.write"),
    "batch list": Access(Works.SERVER, "batch.read"),
    "batch show": Access(Works.SERVER, "batch.read"),
    "batch cancel": Access(Works.SERVER, "batch.write"),
    "audit list": _AUDIT,
    "audit export": _AUDIT,
    "audit key": _AUDIT,
    "audit verify": _AUDIT,
    "audit checkpoint": _AUDIT,
    "privacy check": Access(Works.SERVER, "privacy.read"),
    "privacy export-user": Access(Works.SERVER, "privacy.export"),
    "privacy erase-user": Access(Works.SERVER, "privacy.erase"),
    "privacy policies": Access(Works.SERVER, "privacy.read"),
    "backup": _MACHINE,
    "restore": _MACHINE,
    "db status": _MACHINE,
    "db current": _MACHINE,
    "db upgrade": _MACHINE,
    "db downgrade": _MACHINE,
    "db partitions": _MACHINE,
    "db audit-role": _MACHINE,
    "catalog list": _CATALOG,
    "catalog show": _CATALOG,
    "catalog stats": _CATALOG,
    "catalog export": _CATALOG,
    "catalog import": Access(Works.DATA, "catalog.write"),
    "catalog sync": Access(Works.DATA, "catalog.write"),
    "models list": _MACHINE,
    "models install": _MACHINE,
    "models remove": _MACHINE,
    "demo status": Access(Works.NOWHERE),
    "demo break": Access(Works.NOWHERE),
    "demo heal": Access(Works.NOWHERE),
}
