"""Judging histories. Pure: calls and a sequential model in, a witness or a refutation out."""
