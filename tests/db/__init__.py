"""Tests of harness.db, on real servers."""
