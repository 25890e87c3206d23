"""Monitoring: four figures of a live marketplace, read without writing, and whether each of them is as expected."""
