"""Faults: what goes wrong while money moves, and whether anything is lost by it."""
