"""Puts together what keeps requests to privacy policies, from ports alone."""

from collections.abc import Mapping

from application.places import Places
from application.ports.pii_detector import PiiDetector
from application.ports.system import Clock
from application.ports.text_fields import TextFields
from application.ports.wire import RequestReader
from application.privacy.inspecting import PrivacyInspector
from application.privacy.policies import PolicyBook
from application.tenant_book import TenantBook
from entrypoints.caching import Caching
from entrypoints.logs import protect_logs
from entrypoints.settings import Settings


def make_privacy(
    settings: Settings,
    caching: Caching,
    tenants: TenantBook,
    peppers: Mapping[int, bytes],
    texts: TextFields,
    detector: PiiDetector,
    reader: RequestReader,
    clock: Clock,
    places: Places,
) -> PrivacyInspector:
    """The inspector of a serving process; the cache keeps its answers apart by the policies it names, and the
    log is redacted from now on.

    Placeholders are made with the newest pepper, which every instance has.
    """
    protect_logs(detector)
    policies = PolicyBook()
    policies.use(settings.privacy.default, settings.privacy.made())
    inspector = PrivacyInspector(
        policies=policies,
        tenants=tenants,
        texts=texts,
        detector=detector,
        reader=reader,
        secret=peppers[max(peppers)],
        clock=clock,
        places=places,
    )
    caching.cache.policy_version = inspector.version
    return inspector
