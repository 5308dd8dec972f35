#!/usr/bin/env python3
"""Reads the table of docs/clients.md, gives stock ccxt each answer in it, and compares what the client raises: ccxt_table.py CLIENTS.md"""

import json
import re
import sys

import ccxt

ROW = re.compile(r"^\| `([A-Z_]+)` \| (\d+) \| (-?\d+) \| (.+?) \| `(\w+)` \|$")
exchange = ccxt.binance({"urls": {"api": {"public": "https://localhost/api/v3", "private": "https://localhost/api/v3"}}})
rows = [ROW.match(line.strip()) for line in open(sys.argv[1], encoding="utf-8") if re.match(r"\| `[A-Z_]+` ", line)]
assert rows and all(rows), "every row reads"
wrong = []
for row in rows:
    code, status, number, text, wanted = row.groups()
    answer = {"code": int(number), "msg": text}
    url = "https://localhost/api/v3/order"
    try:
        body = json.dumps(answer)
        exchange.handle_errors(int(status), "", url, "POST", {}, body, answer, {}, "")
        exchange.handle_http_status_code(int(status), "", url, "POST", body)
        raised = "nothing"
    except ccxt.BaseError as error:
        raised = type(error).__name__
    if raised != wanted or raised == "InvalidOrder":
        wrong.append(f"{code}: {raised}, the table says {wanted}")
assert not wrong, "\n".join(wrong)
print(len(rows), "rows")
