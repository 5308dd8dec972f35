#!/usr/bin/env python3
"""Checks every passkey's signature in an export, with public keys and the library `cryptography` alone.

    signatures.py EXPORT COUNT

Reads the entries of the export, takes the passkeys from `officer.passkey_added`, and holds each recorded assertion against
W3C Web Authentication level 2, section 7.2. Fails when fewer than COUNT officers' signatures were found and hold.
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key


def sha256(data):
    return hashlib.sha256(data).digest()


def records(value):
    """Every recorded signature inside an entry's body, wherever it stands."""
    if isinstance(value, dict):
        if "passkey" in value and "signature" in value:
            yield value
        for member in value.values():
            yield from records(member)
    elif isinstance(value, list):
        for member in value:
            yield from records(member)


def check(record, passkeys):
    passkey = passkeys[record["key"]]
    data = base64.b64decode(record["passkey"]["authenticator_data"])
    client = base64.b64decode(record["passkey"]["client_data"])
    said = json.loads(client)
    answer = b"\x01" if record["decision"] == "approve" else b"\x00"
    parts = [bytes.fromhex(record["nonce"]), bytes.fromhex(record["document"]), answer]
    message = sha256(b"mandatum/approve/v1" + b"".join(parts))
    assert said["type"] == "webauthn.get", said
    assert said["challenge"] == base64.urlsafe_b64encode(message).rstrip(b"=").decode(), said
    assert said["origin"] == passkey["party"]["origin"], said
    assert data[:32] == sha256(passkey["party"]["id"].encode())
    assert data[32] & 5 == 5, "somebody was there, and verified"
    key = load_der_public_key(base64.b64decode(passkey["spki"]))
    key.verify(base64.b64decode(record["signature"]), data + sha256(client), ec.ECDSA(hashes.SHA256()))


def main():
    path, least = sys.argv[1], int(sys.argv[2])
    passkeys, seen = {}, set()
    for line in open(path, encoding="utf-8"):
        if "{" not in line:
            continue
        entry = json.loads(line[line.index("{"):])
        body = entry.get("body", {})
        if entry.get("kind") == "officer.passkey_added":
            spki = base64.b64decode(body["spki"])
            passkeys[sha256(spki).hex()] = body
        for record in records(body):
            check(record, passkeys)
            seen.add(record["signature"])
    assert len(seen) >= least, f"{len(seen)} signatures hold, {least} were counted by the product"
    print(f"{len(seen)} signatures of {len(passkeys)} passkeys hold")


main()
