#!/usr/bin/env python3
"""Reads what docs/clients.md says of freqtrade, gives its own code each exception of stock ccxt in the tables, and compares: freqtrade_table.py CLIENTS.md

A refused stop must never become what freqtrade answers with a market order.
"""

import logging
import re
import sys

import ccxt
from freqtrade.exceptions import InvalidOrderException
from freqtrade.exchange.binance import Binance
from freqtrade.exchange.kraken import Kraken

ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|")
text = open(sys.argv[1], encoding="utf-8").read()
section = text.split("## What freqtrade makes of it")[1].split("\n## ")[0]
rows = [ROW.match(line).groups() for line in section.splitlines() if re.match(r"\| `", line)]
# What the tables before it say that ccxt raises where an order is placed; OrderNotFound and InvalidOrder are answers to cancels and questions.
raised = set(re.findall(r"\| `(\w+)` \|(?:$| `[A-Z_]+`)", text, re.M)) & set(dir(ccxt)) - {"OrderNotFound", "InvalidOrder"}
assert raised and raised == {row[0] for row in rows}, f"rows for {raised}, and no other"
logging.disable(logging.CRITICAL)


class Venue:
    """Stands where freqtrade keeps its ccxt client: knows one market, and refuses every order."""

    precisionMode = ccxt.TICK_SIZE
    markets = {"BTC/EUR": {"precision": {"amount": 0.00001, "price": 0.01}, "contractSize": None}}

    def __init__(self, error):
        self.error = error

    def create_order(self, *_, **__):
        raise self.error


def made_of(exchange, error, place):
    """The exception that freqtrade makes of a refusal."""
    bot = object.__new__(exchange)
    bot._config = {"dry_run": False, "trading_mode": "spot", "candle_type_def": "spot"}
    bot._api = Venue(error)
    bot._markets = Venue.markets
    bot._params, bot._ft_has = {}, {**exchange._ft_has_default, **exchange._ft_has}
    bot.trading_mode = "spot"
    bot._lev_prep = lambda *_, **__: None
    bot.loop = bot._api_async = bot._exchange_ws = bot._ws_async = None
    try:
        place(bot)
    except Exception as made:
        return made
    raise AssertionError("it was taken")


def entry(bot):
    bot.create_order(pair="BTC/EUR", ordertype="limit", side="buy", amount=0.01, rate=50000, leverage=1)


def stop(bot):
    order_types = {"stoploss": "limit", "stoploss_on_exchange": True}
    bot.create_stoploss(pair="BTC/EUR", amount=0.01, stop_price=40000, order_types=order_types, side="sell", leverage=1)


wrong = []
for name, of_entry, of_stop in rows:
    for exchange in (Binance, Kraken):
        for place, wanted in ((entry, of_entry), (stop, of_stop)):
            made = made_of(exchange, getattr(ccxt, name)("refused"), place)
            if type(made).__name__ != wanted or isinstance(made, InvalidOrderException):
                wrong.append(f"{name}, {exchange.__name__}, {place.__name__}: {type(made).__name__}, the table says {wanted}")
# What it would have been with the venue's own numbers: freqtrade sells by a market order on these.
for name in ("InvalidOrder", "BadRequest", "OperationRejected", "InsufficientFunds"):
    assert isinstance(made_of(Binance, getattr(ccxt, name)("refused"), stop), InvalidOrderException), name
assert not wrong, "\n".join(wrong)
print(len(rows), "rows")
