"""Tests of the subjects under sql/, on real servers."""
