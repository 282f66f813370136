"""Objectives of a service, what is left of their error budgets, and alerts. Pure: told the time, asked for
verdicts."""
