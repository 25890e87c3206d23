"""Stress: clients that really run at the same time, on connections of their own; nobody schedules them."""
