"""Property-based and stress tests for money-moving SQL on PostgreSQL."""

__version__ = "0.1.0"
