"""What a text that names a server looks like."""

from __future__ import annotations


def is_dsn(choice: str) -> bool:
    """True for a URI or for ``name=value`` words."""
    return choice.startswith(("postgresql://", "postgres://")) or "=" in choice
