"""The words of the contract for a no."""

from __future__ import annotations

REFUSALS = frozenset(
    {
        "amount_mismatch",
        "amount_not_payable",
        "duplicate_leads",
        "insufficient_credits",
        "key_reused",
        "lead_reserved",
        "lead_unavailable",
        "lead_unpriced",
        "no_leads",
        "own_lead",
        "purchase_not_found",
        "purchase_not_pending",
        "purchase_not_refundable",
        "top_up_not_found",
        "top_up_not_refundable",
        "wrong_payment_method",
    }
)
"""The words of the contract for a no. A subject that uses another word of its own is compared by the no alone."""
