"""Webhook deliveries as Forgejo sends them, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"
SECRET = "payload-sample-secret"  # the recorded headers are signed with it
DELIVERY = "08b9b80a-30f7-520e-b337-87e2b8649648"


def recorded(name: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a recorded delivery."""
    headers: dict[str, str] = json.loads((PAYLOADS / "headers.json").read_text())["headers"][f"{name}.json"]
    return (PAYLOADS / f"{name}.json").read_bytes(), headers


def payload(name: str) -> Any:
    """A recorded payload, to be changed and signed anew."""
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def signed(kind: str, body: bytes | dict[str, Any], secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A delivery of our own making."""
    data = body if isinstance(body, bytes) else json.dumps(body, indent=2).encode()
    return data, {
        "Content-Type": "application/json",
        "X-Forgejo-Delivery": DELIVERY,
        "X-Forgejo-Event": kind,
        "X-Forgejo-Event-Type": kind,
        "X-Forgejo-Signature": hmac.new(secret.encode(), data, hashlib.sha256).hexdigest(),
    }
