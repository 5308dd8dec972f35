#!/usr/bin/env python3
"""Reads the tables of docs/clients.md, gives stock ccxt each answer in them, and compares what the client raises: ccxt_table.py CLIENTS.md"""

import json
import re
import sys

import ccxt

ROW = re.compile(r"^\| `([A-Z_]+)` \| (\d+) \| (-?\d+) \| (.+?) \| `(\w+)` \|$")
KRAKEN_ROW = re.compile(r"^\| (\d+) \| (.+?) \| `(\w+)` \| (`[A-Z_`, ]+`) \|$")
lines = [line.strip() for line in open(sys.argv[1], encoding="utf-8")]
wrong = []
# On these freqtrade answers a refused stop with a market order. Only a cancel of what is not open may raise one: it says OrderNotFound there.
DANGEROUS = (ccxt.InvalidOrder, ccxt.BadRequest, ccxt.OperationRejected, ccxt.InsufficientFunds)


def dangerous(code, found):
    return code != "ORDER_NOT_FOUND" and found != "nothing" and issubclass(getattr(ccxt, found), DANGEROUS)


def raised(exchange, status, url, body):
    """What the client makes of an answer."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    try:
        exchange.handle_errors(status, "", url, "POST", {}, body, answer, {}, "")
        exchange.handle_http_status_code(status, "", url, "POST", body)
        return "nothing"
    except ccxt.BaseError as error:
        return type(error).__name__


exchange = ccxt.binance({"urls": {"api": {"public": "https://localhost/api/v3", "private": "https://localhost/api/v3"}}})
rows = [ROW.match(line) for line in lines if re.match(r"\| `[A-Z_]+` ", line)]
assert rows and all(rows), "every row reads"
for row in rows:
    code, status, number, text, wanted = row.groups()
    found = raised(exchange, int(status), "https://localhost/api/v3/order", json.dumps({"code": int(number), "msg": text}))
    if found != wanted or dangerous(code, found):
        wrong.append(f"{code}: {found}, the table says {wanted}")

# Kraken's paths: the venue's error first, ours behind it. What has no envelope is its text alone.
exchange = ccxt.kraken({"urls": {"api": {"public": "https://localhost", "private": "https://localhost"}}})
kraken_rows = [KRAKEN_ROW.match(line) for line in lines if re.match(r"\| \d+ ", line)]
assert kraken_rows and all(kraken_rows), "every row reads"
for row in kraken_rows:
    status, text, wanted, codes = row.groups()
    for code in codes.replace("`", "").split(", "):
        body = text if status != "200" else json.dumps({"error": [text, f"EMandatum:{code}: in words"]})
        found = raised(exchange, int(status), "https://localhost/0/private/AddOrder", body)
        if found != wanted or dangerous(code, found):
            wrong.append(f"{code} at Kraken's paths: {found}, the table says {wanted}")
assert not wrong, "\n".join(wrong)
print(len(rows), "and", len(kraken_rows), "rows")
