"""Guardrails on the way of requests and answers."""
