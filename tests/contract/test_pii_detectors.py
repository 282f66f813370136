"""The detectors, bound to what their port promises."""

from importlib.util import find_spec

import pytest

from adapters.privacy.detector import PatternDetector
from adapters.privacy.presidio import PresidioDetector
from contracts.ports.pii_detector import PiiDetectorContract
from domain.errors import StoreUnavailable
from domain.privacy.kinds import ALL_KINDS

PRESIDIO = find_spec("presidio_analyzer") is not None


class TestPatternDetector(PiiDetectorContract):
    @pytest.fixture
    def detector(self) -> PatternDetector:
        return PatternDetector()


@pytest.mark.skipif(not PRESIDIO, reason="the extra `presidio` is not installed")
class TestPresidioDetector(PiiDetectorContract):
    @pytest.fixture
    def detector(self) -> PresidioDetector:
        return PresidioDetector()


@pytest.mark.skipif(PRESIDIO, reason="the extra `presidio` is installed")
def test_without_its_extra_presidio_says_what_to_install() -> None:
    with pytest.raises(StoreUnavailable, match=r"interchange\[presidio\]"):
        PresidioDetector().find("Write to a@example.com", ALL_KINDS)
