#!/usr/bin/env python3
"""A bot on one WebSocket: python stream_bot.py GATEWAY FOLDER ROOTS, as https://localhost:8443 agents/mm-1 ca/house.pem; through a sidecar:
python stream_bot.py http://127.0.0.1:8787. Needs websockets (version: xtask/requirements.txt).

It places, is refused, cancels, reads its events and resumes them; then it waits until the gateway closes, and says with which code.
"""

import itertools
import json
import ssl
import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


class Stream:
    """One session: requests by id, and the events that come between their answers."""

    def __init__(self, gateway, context, since=None):
        query = "" if since is None else f"?since={since}"
        address = gateway.replace("http", "ws", 1) + "/v1/stream" + query
        self.socket = connect(address, ssl=context, proxy=None, compression=None)
        self.ids = map(str, itertools.count())
        self.events = []

    def ask(self, op, **more):
        """The answer: `status` and `body`, as the route of the same purpose gives them."""
        request_id = next(self.ids)
        self.socket.send(json.dumps({"id": request_id, "op": op, **more}))
        while True:
            message = json.loads(self.socket.recv(timeout=20))
            if "event" not in message and message["id"] == request_id:
                return message
            self.events.append(message)

    def event(self, name):
        """The next event of this name, with the `number` to resume by."""
        while True:
            for place, message in enumerate(self.events):
                if message["event"] == name:
                    return self.events.pop(place)
            self.events.append(json.loads(self.socket.recv(timeout=20)))


def order(client_order_id, quantity):
    return {
        "client_order_id": client_order_id,
        "instrument": "BTC_EUR",
        "side": "buy",
        "type": "limit",
        "quantity": quantity,
        "price": "47000",
        "currency": "EUR",
        "counterparty": "exchange_a",
    }


def main(gateway, folder=None, roots=None):
    context = None
    if folder:
        context = ssl.create_default_context(cafile=roots)
        context.load_cert_chain(f"{folder}/chain.pem", f"{folder}/key.pem")
    stream = Stream(gateway, context)
    placed = stream.ask("order", order=order("s-1", "0.01"))
    assert placed["status"] == 200 and placed["body"]["status"] == "open", placed
    refused = stream.ask("order", order=order("s-2", "1"))
    assert refused["status"] == 403 and refused["body"]["code"] == "MAX_NOTIONAL", refused
    cancelled = stream.ask("cancel", client_order_id="s-1")
    assert cancelled["body"]["became"] == "cancelled", cancelled
    stream.ask("order", order=order("s-3", "0.01"))
    cancelled = stream.ask("cancel_all")["body"]["cancels"]
    assert [one["client_order_id"] for one in cancelled] == ["s-3"], cancelled

    first = stream.event("order")
    assert first["data"]["body"]["order"]["client_order_id"] == "s-1", first
    stream.event("outcome")
    again = Stream(gateway, context, since=first["number"] - 1)
    assert again.event("order") == first
    again.ask("cancel_all")
    again.socket.send(json.dumps({"op": "goodbye"}))  # a clean end: nothing is cancelled for a bot that leaves on purpose
    again.socket.close()

    stream.ask("order", order=order("s-4", "0.01"))
    print("OK", flush=True)
    try:
        while True:
            stream.socket.recv()
    except ConnectionClosed as closed:
        print("closed", closed.rcvd.code, closed.rcvd.reason, flush=True)
        if closed.rcvd.code == 1008:
            return  # halted, or the certificate has ended: a person has to act; do not reconnect in a loop


main(*sys.argv[1:])
