#!/usr/bin/env python3
"""A bot's side of the gateway, in one file: mutual TLS, orders, safe repeats, signed orders, events.

    python3 docs/examples/bot.py order  --gateway https://localhost:8443 --trust ca/house.pem \
        --certificate agents/mm-1/certificate.pem --key agents/mm-1/key.pem < order.json
    python3 docs/examples/bot.py events --gateway ... (the same)

Needs requests, cryptography and http-message-signatures (versions: xtask/requirements.txt).
"""

import argparse
import datetime
import json
import secrets
import sys
import time

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms

COVERED = ("@method", "@target-uri", "content-digest", "content-type")
SIGNATURE_SECONDS = 30  # the gateway accepts at most 60
LONGEST_WAIT = 8.0  # seconds between repeats


class OwnKey(HTTPSignatureKeyResolver):
    """The key of the bot's certificate; keyid is the certificate's SHA-256 fingerprint."""

    def __init__(self, certificate_path, key_path):
        with open(certificate_path, "rb") as file:
            self.certificate = x509.load_pem_x509_certificate(file.read())
        with open(key_path, "rb") as file:
            self.key = serialization.load_pem_private_key(file.read(), password=None)
        self.keyid = self.certificate.fingerprint(hashes.SHA256()).hex()

    def resolve_private_key(self, key_id):
        return self.key

    def resolve_public_key(self, key_id):
        return self.key.public_key()

    def sign(self, request):
        """Signs a prepared request (RFC 9421) with a digest of its body (RFC 9530) and a nonce of its own."""
        ed25519 = isinstance(self.key, Ed25519PrivateKey)
        signer = HTTPMessageSigner(
            signature_algorithm=algorithms.ED25519 if ed25519 else algorithms.ECDSA_P256_SHA256, key_resolver=self
        )
        now = datetime.datetime.now(datetime.timezone.utc)
        request.headers.pop("Content-Digest", None)
        signer.sign(
            request,
            key_id=self.keyid,
            created=now,
            expires=now + datetime.timedelta(seconds=SIGNATURE_SECONDS),
            nonce=secrets.token_urlsafe(16),
            covered_component_ids=COVERED,
            body=request.body,
        )


class Gateway:
    """One bot's session. Keeps its connection: a handshake costs more than an order."""

    def __init__(self, url, trust, certificate, key, signed=False):
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.cert, self.session.verify = (certificate, key), trust
        self.session.trust_env = False  # or REQUESTS_CA_BUNDLE would replace the pinned root, and a proxy come between
        self.signing = OwnKey(certificate, key) if signed else None

    def prepare(self, body):
        headers = {"Content-Type": "application/json"}
        request = requests.Request("POST", f"{self.url}/v1/orders", data=body, headers=headers)
        prepared = self.session.prepare_request(request)
        if self.signing:
            self.signing.sign(prepared)
        return prepared

    def order(self, order, patience=60.0):
        """Sends an order until its fate is known. A repeat carries the same id and the same terms, so it cannot trade twice."""
        body, wait, until = json.dumps(order).encode(), 0.2, time.monotonic() + patience
        while True:
            try:
                answer = self.session.send(self.prepare(body), timeout=10)
            except requests.exceptions.SSLError:
                raise  # the wrong gateway, or a certificate that it does not take: repeating does not help
            except (requests.ConnectionError, requests.Timeout):
                answer = None  # nobody knows whether it arrived: ask with the same id
            if answer is not None and not may_be_repeated(answer):
                return answer
            if time.monotonic() + wait > until:
                return answer
            time.sleep(float(answer.headers.get("Retry-After", wait)) if answer is not None else wait)
            wait = min(wait * 2, LONGEST_WAIT)

    def get(self, path):
        return self.session.get(self.url + path, timeout=10)

    def cancel(self, client_order_id=None):
        """Cancels one order, or all. Nothing refuses a cancel."""
        path = f"/v1/orders/{client_order_id}" if client_order_id else "/v1/orders"
        return self.session.delete(self.url + path, timeout=30)

    def events(self, last_id=None):
        """Yields (id, kind of event, data) for ever; a lost connection is taken up where it broke off."""
        while True:
            headers = {"Last-Event-ID": str(last_id)} if last_id is not None else {}
            try:
                with self.session.get(f"{self.url}/v1/events", headers=headers, stream=True, timeout=(10, 60)) as answer:
                    answer.raise_for_status()
                    event = {}
                    for line in answer.iter_lines(decode_unicode=True):
                        if line.startswith(":"):
                            continue
                        if line:
                            name, _, value = line.partition(": ")
                            event[name] = value
                        elif event:
                            last_id = int(event["id"])
                            yield last_id, event["event"], json.loads(event["data"])
                            event = {}
            except requests.exceptions.SSLError:
                raise
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                time.sleep(1)


def may_be_repeated(answer):
    """202: in doubt, ask again. 429 unread and 503 unrecorded: the id is still free. All else is final for this id."""
    code = answer.headers.get("Mandatum-Code", "")
    return answer.status_code == 202 or code in ("RATE_MESSAGES", "LEDGER_UNAVAILABLE")


def main():
    usage = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usage.add_argument("what", choices=["order", "me", "events", "sign"])
    usage.add_argument("--gateway", default="https://localhost:8443")
    usage.add_argument("--trust", help="PEM of the house root: whom the bot trusts as a gateway")
    usage.add_argument("--certificate", required=True)
    usage.add_argument("--key", required=True)
    usage.add_argument("--signed", action="store_true", help="sign each order, as the mandate may ask")
    given = usage.parse_args()
    gateway = Gateway(given.gateway, given.trust, given.certificate, given.key, given.signed or given.what == "sign")
    if given.what == "sign":  # shows the fields of a signed order without sending it
        print(json.dumps(dict(gateway.prepare(sys.stdin.buffer.read()).headers)))
    elif given.what == "events":
        for number, name, data in gateway.events():
            print(number, name, json.dumps(data))
    else:
        answer = gateway.get("/v1/me") if given.what == "me" else gateway.order(json.load(sys.stdin))
        if answer is None:
            sys.exit("no answer: ask again with the same client_order_id")
        print(answer.status_code, answer.headers.get("Mandatum-Code", ""), answer.text)
        sys.exit(0 if answer.ok else 1)


if __name__ == "__main__":
    main()
