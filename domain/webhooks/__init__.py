"""Delivering events to whoever subscribed: endpoints, schedules, signatures, deliveries."""
