"""Tests of the gate, from its budget to the summary of a CI step."""
