"""Outgoing HTTP/1.1: the transport on the hot path, its well-kept fallback, TLS policy and egress seam."""
