"""Providers' invoices and usage exports, read into lines of day, model and amount."""
