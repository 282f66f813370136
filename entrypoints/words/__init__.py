"""Figures as plain text, for terminals and for whoever gets a report."""
