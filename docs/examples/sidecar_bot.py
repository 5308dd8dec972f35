#!/usr/bin/env python3
"""Stock clients through the sidecar: python sidecar_bot.py SIDECAR, where SIDECAR is its address, as http://127.0.0.1:8787.

ccxt, sync and async, and requests, each places an order and cancels it. No certificate, no key file: of a bot that trades at the venue itself,
the base URL alone differs.
"""

import asyncio
import sys

import ccxt
import ccxt.async_support
import requests

sidecar = sys.argv[1]
settings = {
    "apiKey": "placeholder",
    "secret": "placeholder",
    "urls": {"api": {"public": sidecar + "/api/v3", "private": sidecar + "/api/v3"}},  # the one line that differs
    "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
}
symbol = "BTC/EUR"

bot = ccxt.binance(settings)
resting = bot.create_order(symbol, "limit", "buy", 0.01, 47000)
assert resting["status"] == "open", resting
assert bot.cancel_order(resting["id"], symbol)["status"] == "canceled"
try:
    bot.create_order(symbol, "limit", "buy", 1, 47000)
    raise AssertionError("above the mandate's cap for one order, and taken")
except ccxt.PermissionDenied as refused:
    assert "MAX_NOTIONAL" in str(refused), refused


async def trade():
    bot = ccxt.async_support.binance(settings)
    try:
        resting = await bot.create_order(symbol, "limit", "buy", 0.01, 47000)
        assert resting["status"] == "open", resting
        assert (await bot.cancel_order(resting["id"], symbol))["status"] == "canceled"
    finally:
        await bot.close()


asyncio.run(trade())

session = requests.Session()
session.trust_env = False
order = {
    "client_order_id": "by-requests",
    "instrument": "BTC_EUR",
    "side": "buy",
    "type": "limit",
    "quantity": "0.01",
    "price": "47000",
    "currency": "EUR",
    "counterparty": "exchange_a",
}
placed = session.post(sidecar + "/v1/orders", json=order, timeout=10)
assert placed.status_code == 200 and placed.json()["status"] == "open", placed.text
cancelled = session.delete(sidecar + "/v1/orders/by-requests", timeout=10)
assert cancelled.status_code == 200 and cancelled.json()["became"] == "cancelled", cancelled.text
print("OK")
