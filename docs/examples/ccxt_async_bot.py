#!/usr/bin/env python3
"""The asynchronous ccxt bot under a mandate: python ccxt_async_bot.py GATEWAY FOLDER ROOT, as ccxt_bot.py.

Two lines differ from a bot that trades at the venue itself: where to, and a TLS context that holds the bot's certificate and trusts the house root alone.
"""

import asyncio
import ssl
import sys

import ccxt.async_support as ccxt

gateway, folder, root = sys.argv[1:4]
symbol = "BTC/EUR"


def made():
    bot = ccxt.binance(
        {
            "apiKey": "placeholder",
            "secret": "placeholder",
            "urls": {"api": {"public": gateway + "/api/v3", "private": gateway + "/api/v3"}},  # 1: where to
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
        }
    )
    bot.ssl_context = ssl.create_default_context(cafile=root)  # 2: whom to trust, and who asks
    bot.ssl_context.load_cert_chain(folder + "/chain.pem", folder + "/key.pem")
    return bot


async def main():
    bot = made()
    try:
        await bot.load_markets()
        prices = (46000, 46100, 46200)
        resting = await asyncio.gather(*(bot.create_order(symbol, "limit", "buy", 0.01, price) for price in prices))
        assert {order["status"] for order in resting} == {"open"}, resting
        ticker, balance = await asyncio.gather(bot.fetch_ticker(symbol), bot.fetch_balance())
        assert ticker["symbol"] == symbol and balance["BTC"]["used"] == 0, (ticker, balance)
        edited = await bot.edit_order(resting[0]["id"], symbol, "limit", "buy", 0.01, 46300)
        assert edited["price"] == 46300, edited
        await bot.cancel_all_orders(symbol)
        assert await bot.fetch_open_orders(symbol) == []
        try:
            await bot.create_order(symbol, "limit", "buy", 1, 47000)
            raise AssertionError("more than the mandate allows was taken")
        except ccxt.PermissionDenied as refused:
            assert "MAX_NOTIONAL" in str(refused), refused
    finally:
        await bot.close()
    print("OK")


asyncio.run(main())
