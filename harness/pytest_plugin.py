"""The pytest plugin: a server, databases and interleavings for tests of one's own functions."""
