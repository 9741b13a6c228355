"""The key that signs an installation's access tokens."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def new_signing_key() -> str:
    """A fresh P-256 private key for ES256, as unencrypted PKCS #8 PEM: keep it at mode 0600."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")
