"""A recorded run for people who do not have the harness: a specification, psql scripts, a test."""
