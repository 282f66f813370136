"""Every page, in the order of the navigation. A new page: a module here, and its row."""

from typing import Final

from entrypoints.ui.page import Page
from entrypoints.ui.pages.alerts import PAGE as ALERTS
from entrypoints.ui.pages.audit import PAGE as AUDIT
from entrypoints.ui.pages.budgets import PAGE as BUDGETS
from entrypoints.ui.pages.cache import PAGE as CACHE
from entrypoints.ui.pages.costs import PAGE as COSTS
from entrypoints.ui.pages.credentials import PAGE as CREDENTIALS
from entrypoints.ui.pages.events import PAGE as EVENTS
from entrypoints.ui.pages.experiments import PAGE as EXPERIMENTS
from entrypoints.ui.pages.forecast import PAGE as FORECAST
from entrypoints.ui.pages.integrations import PAGE as INTEGRATIONS
from entrypoints.ui.pages.keys import PAGE as KEYS
from entrypoints.ui.pages.limits import PAGE as LIMITS
from entrypoints.ui.pages.models import PAGE as MODELS_PAGE
from entrypoints.ui.pages.overview import PAGE as OVERVIEW
from entrypoints.ui.pages.playground import PAGE as PLAYGROUND
from entrypoints.ui.pages.privacy import PAGE as PRIVACY
from entrypoints.ui.pages.providers import PAGE as PROVIDERS
from entrypoints.ui.pages.quality import PAGE as QUALITY
from entrypoints.ui.pages.recommendations import PAGE as RECOMMENDATIONS
from entrypoints.ui.pages.requests import PAGE as REQUESTS
from entrypoints.ui.pages.routes import PAGE as ROUTES
from entrypoints.ui.pages.settings import PAGE as SETTINGS
from entrypoints.ui.pages.stops import PAGE as STOPS
from entrypoints.ui.pages.tenants import PAGE as TENANTS
from entrypoints.ui.pages.users import PAGE as USERS
from entrypoints.ui.pages.webhooks import PAGE as WEBHOOKS

NOW: Final = ""
MONEY: Final = "Money"
MODELS: Final = "Models"
OUTSIDE: Final = "Outside"
ACCESS: Final = "Access"
GROUPS: Final = (NOW, MONEY, MODELS, OUTSIDE, ACCESS)
PAGES: Final[tuple[Page, ...]] = (
    *(OVERVIEW, REQUESTS, PLAYGROUND, ALERTS),
    *(COSTS, FORECAST, RECOMMENDATIONS, BUDGETS, LIMITS, USERS),
    *(PROVIDERS, ROUTES, MODELS_PAGE, QUALITY, EXPERIMENTS, CACHE),
    *(INTEGRATIONS, WEBHOOKS, EVENTS),
    *(KEYS, STOPS, TENANTS, CREDENTIALS, PRIVACY, AUDIT, SETTINGS),
)
