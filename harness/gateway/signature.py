"""How Stripe signs what it sends: written from its documentation, not taken from the library that checks it.

``t=<unix time>,v1=<hex>``, where hex is the HMAC-SHA256 of ``<unix time>.<body>`` under the secret of the endpoint.
When a secret has been rolled, there is a v1 for the new one and one for the old one until that expires. Test events
also bear a v0, which proves nothing and must be passed over.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def signature_header(body: bytes, secrets: Sequence[str], at: int) -> str:
    """The ``Stripe-Signature`` of a body that is signed at this Unix time with each of these secrets, newest first."""
    signed = str(at).encode() + b"." + body
    fake = hashlib.sha256(signed).hexdigest()
    proofs = [f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in secrets]
    return ",".join([f"t={at}", *proofs, f"v0={fake}"])
