"""Where this installation and its stores are, as the configuration says."""

from application.places import Places
from application.tenant_book import TenantBook
from entrypoints.settings import Settings


def make_places(settings: Settings, tenants: TenantBook) -> Places:
    """What is demanded of the place of content, and where everything is that takes it."""
    section = settings.residency
    return Places(
        tenants, section.atlas(), section.sinks(hosted_gateway=settings.portkey.api_key is not None)
    )
