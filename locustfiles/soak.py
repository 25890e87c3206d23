"""For hours: customers of every kind, and webhook storms beside what the gateway delivers."""

from marketplace_mix import Customer
from webhook_storm import Stripe

Customer.weight = 4

__all__ = ["Customer", "Stripe"]
