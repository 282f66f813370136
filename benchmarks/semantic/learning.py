"""A network of one hidden layer, learned by Adam with a likelihood that knows of wrong labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class NetworkSettings(NamedTuple):
    units: int = 16
    passes: int = 15
    rate: float = 3e-3
    shrink: float = 1e-3
    batch: int = 256
    called_wrong: float = 0.04
    called_right: float = 0.002


class Network:
    def __init__(self, inputs: int, settings: NetworkSettings, seed: int) -> None:
        self._settings = settings
        self._chance = np.random.RandomState(seed)
        units = settings.units
        self.inner: Numbers = self._chance.randn(inputs, units) / np.sqrt(inputs)
        self.inner_bias: Numbers = np.zeros(units)
        self.outer: Numbers = self._chance.randn(units, 1) / np.sqrt(units)
        self.outer_bias: Numbers = np.zeros(1)
        self.means: Numbers = np.zeros(inputs)
        self.deviations: Numbers = np.ones(inputs)

    def log_odds(self, features: Numbers) -> Numbers:
        scaled = (features - self.means) / self.deviations
        found: Numbers = (np.tanh(scaled @ self.inner + self.inner_bias) @ self.outer + self.outer_bias)[:, 0]
        return found

    def chance(self, features: Numbers) -> Numbers:
        found: Numbers = 1 / (1 + np.exp(-self.log_odds(features)))
        return found

    def fit(self, features: Numbers, labels: Numbers) -> "Network":
        settings = self._settings
        self.means, self.deviations = features.mean(axis=0), features.std(axis=0) + 1e-3
        scaled = (features - self.means) / self.deviations
        parts = [self.inner, self.inner_bias, self.outer, self.outer_bias]
        first = [np.zeros_like(part) for part in parts]
        second = [np.zeros_like(part) for part in parts]
        step = 0
        for number in range(settings.passes):
            rate = settings.rate * (1 - number / settings.passes) + 1e-5
            order = self._chance.permutation(len(labels))
            for start in range(0, len(labels), settings.batch):
                chosen = order[start : start + settings.batch]
                step += 1
                slopes = self._slopes(scaled[chosen], labels[chosen], parts)
                for part, slope, one, two in zip(parts, slopes, first, second, strict=True):
                    one += 0.1 * (slope - one)
                    two += 0.001 * (slope * slope - two)
                    part -= rate * (one / (1 - 0.9**step)) / (np.sqrt(two / (1 - 0.999**step)) + 1e-8)
        return self

    def _slopes(self, scaled: Numbers, labels: Numbers, parts: Sequence[Numbers]) -> list[Numbers]:
        inner, inner_bias, outer, outer_bias = parts
        one, other = self._settings.called_wrong, self._settings.called_right
        units = np.tanh(scaled @ inner + inner_bias)
        right = 1 / (1 + np.exp(-(units @ outer + outer_bias)[:, 0]))
        called = (1 - one) * right + other * (1 - right)
        steep = (1 - one - other) * right * (1 - right) / len(labels)
        pull = (-(labels / called - (1 - labels) / (1 - called)) * steep)[:, None]
        back = (pull @ outer.T) * (1 - units**2)
        shrink = self._settings.shrink
        return [
            scaled.T @ back + shrink * inner, back.sum(axis=0),
            units.T @ pull + shrink * outer, pull.sum(axis=0),
        ]  # fmt: skip

    @classmethod
    def mean_of(cls, networks: "Sequence[Network]") -> "Network":
        """One network that gives the mean of several's log-odds: all their units, side by side."""
        mean = networks[0]
        count = len(networks)
        mean.inner = np.concatenate([each.inner for each in networks], axis=1)
        mean.inner_bias = np.concatenate([each.inner_bias for each in networks])
        mean.outer = np.concatenate([each.outer for each in networks]) / count
        mean.outer_bias = np.sum([each.outer_bias for each in networks], axis=0) / count
        return mean
