"""The configuration, as the rest of the entrypoints read it."""

from entrypoints.config.budget_sections import BudgetSettings
from entrypoints.config.cache_sections import CacheDefaults, CacheSettings
from entrypoints.config.loading import LoadedSettings, load_settings
from entrypoints.config.problems import ConfigError, ConfigProblem
from entrypoints.config.provider_sections import ModelSettings, ProviderKey, ProviderSettings
from entrypoints.config.root import Settings
from entrypoints.config.route_sections import (
    RouteSettings,
    RouteTargetSettings,
    TimeoutSettings,
)
from entrypoints.config.sections import (
    BreakerSettings,
    HealthSettings,
    LimitSettings,
    PortkeySettings,
    SimulatorSettings,
    StorageSettings,
)
from entrypoints.config.server_section import ServerSettings
from entrypoints.config.telemetry_section import TelemetrySettings

__all__ = [
    "BreakerSettings",
    "BudgetSettings",
    "CacheDefaults",
    "CacheSettings",
    "ConfigError",
    "ConfigProblem",
    "HealthSettings",
    "LimitSettings",
    "LoadedSettings",
    "ModelSettings",
    "PortkeySettings",
    "ProviderKey",
    "ProviderSettings",
    "RouteSettings",
    "RouteTargetSettings",
    "ServerSettings",
    "Settings",
    "SimulatorSettings",
    "StorageSettings",
    "TelemetrySettings",
    "TimeoutSettings",
    "load_settings",
]
