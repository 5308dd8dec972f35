#!/usr/bin/env python3
"""A stock ccxt bot as it trades at the venue itself. stock_bot.patch is all that differs under a mandate."""

import os

import ccxt

bot = ccxt.binance(
    {
        "apiKey": os.environ.get("API_KEY", "placeholder"),
        "secret": os.environ.get("API_SECRET", "placeholder"),
        "options": {"defaultType": "spot"},
    }
)
ask = bot.fetch_ticker("BTC/EUR")["ask"]
order = bot.create_order("BTC/EUR", "limit", "buy", 0.01, ask * 1.001)
print(f"order {order['id']}: {order['status']}, {order['filled']} of {order['amount']} at {order['average']}")
