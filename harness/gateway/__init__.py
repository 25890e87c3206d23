"""A payment gateway on the local machine that plays Stripe for tests: its API, its customers, its webhooks.

It shares no code with the purchase API that is tested against it, so that a mistake there cannot be agreed with here.
"""
