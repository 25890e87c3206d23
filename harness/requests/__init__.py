"""The purchase API under the scheduler: operations as HTTP requests, in process, on a session's connection."""
