"""Upstreams for load runs that answer as fast as a provider can: nothing here thinks.

`nginx_mock` answers unary chat completions, `stream_mock` streams (and unary answers after a delay).
Both tell their own bill, by their own arithmetic, for the reconciliation after a run. What is measured
through them is the gateway; run each against the load generator alone first to know their ceiling.
"""
