"""Promises that stay true whoever keeps them: port suites, published HTTP, events and wire exchanges."""
