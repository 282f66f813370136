"""Delivering events by webhook: who wants them, their secrets, the dispatcher."""
