"""The detectors, bound to what their port promises."""

import pytest

from adapters.privacy.detector import PatternDetector
from contracts.ports.pii_detector import PiiDetectorContract


class TestPatternDetector(PiiDetectorContract):
    @pytest.fixture
    def detector(self) -> PatternDetector:
        return PatternDetector()
