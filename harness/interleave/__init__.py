"""Programs of a user's own, run on a real server in every order: plain functions and coroutines of a connection."""
