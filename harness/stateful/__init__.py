"""Stateful models: Hypothesis makes up whole lives of a marketplace, alone and at once, and each step is judged."""
