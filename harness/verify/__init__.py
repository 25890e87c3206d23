"""``harness verify``: every scenario on a subject, every property judged, one run document."""
