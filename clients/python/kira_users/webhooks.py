"""Signatures of webhooks, as Standard Webhooks 1.0 has them."""

import base64
import binascii
import hashlib
import hmac
import json
import time


class WebhookError(Exception):
    """Why a request is not believed to be a webhook of the service."""


def verify_webhook(secrets, headers, body, *, tolerance=300, now=None):
    """The webhook in a request, as a dict, if one of the secrets has signed it. `headers` is a mapping, its names in any case; `body`
    the bytes as they came. The same webhook may arrive twice: drop one whose `data["sequence"]` is not above the highest of its
    user."""
    headers = {name.lower(): value for name, value in headers.items()}
    identifier, timestamp, signatures = (headers.get(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if not identifier or not timestamp or not signatures:
        raise WebhookError("a header of the signature is missing")
    is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if not is_number or abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        raise WebhookError("the timestamp is too far from now")
    signed = f"{identifier}.{timestamp}.".encode() + body
    for secret in [secrets] if isinstance(secrets, str) else secrets:
        mac = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
        for signature in signatures.split(" "):
            if hmac.compare_digest(signature.encode(), f"v1,{mac}".encode()):
                return json.loads(body)
    raise WebhookError("no signature is of a known secret")


def _key(secret):
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise WebhookError("the secret is not base64 after whsec_") from error
