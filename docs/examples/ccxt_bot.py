#!/usr/bin/env python3
"""A stock ccxt bot under a mandate: python ccxt_bot.py GATEWAY FOLDER ROOT, where FOLDER holds the bot's chain.pem and key.pem and ROOT is the house root
(ca/house.pem).

Three lines differ from a bot that trades at the venue itself; they are marked. Key and secret are placeholders: the certificate says who asks,
and the venue's credential is the gateway's.
"""

import sys

import ccxt

gateway, folder, root = sys.argv[1:4]
bot = ccxt.binance(
    {
        "apiKey": "placeholder",
        "secret": "placeholder",
        "urls": {"api": {"public": gateway + "/api/v3", "private": gateway + "/api/v3"}},  # 1: where to
        "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
    }
)
bot.session.cert = (folder + "/chain.pem", folder + "/key.pem")  # 2: who asks
bot.validateServerSsl = root  # 3: whom to trust

symbol = "BTC/EUR"
# The venue's own bounds and prices.
assert bot.load_markets()[symbol]["precision"] == {**bot.markets[symbol]["precision"], "price": 0.01}, bot.markets[symbol]["precision"]
ticker, book = bot.fetch_ticker(symbol), bot.fetch_order_book(symbol, 5)
# Two questions at two moments: the market may move between them, so each is looked at by itself.
assert ticker["symbol"] == symbol and ticker["last"] > 0 and book["bids"][0][0] < book["asks"][0][0], (ticker, book)
resting = bot.create_order(symbol, "limit", "buy", 0.01, 47000)
assert resting["status"] == "open" and resting["filled"] == 0, resting
assert [order["id"] for order in bot.fetch_open_orders(symbol)] == [resting["id"]]
assert bot.fetch_order(resting["id"], symbol)["status"] == "open"
assert bot.cancel_order(resting["id"], symbol)["status"] == "canceled"
assert bot.fetch_order(resting["id"], symbol)["status"] == "canceled"
bought = bot.create_order(symbol, "market", "buy", 0.01)
assert bought["status"] == "closed" and bought["filled"] == 0.01, bought
# What it cost is exact, or not told.
assert bought["cost"] == sum(fill["cost"] for fill in bought["trades"]) > 0, bought

# Its own books: what it holds, what it traded, what it ordered.
assert bot.fetch_balance()["BTC"] == {"free": 0.01, "used": 0.0, "total": 0.01}
trades = bot.fetch_my_trades(symbol)
assert [(trade["order"], trade["amount"], trade["side"]) for trade in trades] == [(bought["id"], 0.01, "buy")], trades
assert [order["id"] for order in bot.fetch_orders(symbol)] == [resting["id"], bought["id"]]

assert bot.fetch_trades(symbol)[-1]["price"] == trades[-1]["price"]

# A test is no order. An edit is a cancel and a new order.
assert bot.create_order(symbol, "limit", "buy", 0.01, 46000, {"test": True})["id"] is None
first = bot.create_order(symbol, "limit", "buy", 0.01, 46000)
edited = bot.edit_order(first["id"], symbol, "limit", "buy", 0.02, 46500)
assert edited["amount"] == 0.02 and edited["id"] != first["id"], edited
assert [order["id"] for order in bot.fetch_open_orders(symbol)] == [edited["id"]]
# Less of it, under the same id.
less = bot.request("order/amend/keepPriority", ["private"], "PUT", {"symbol": "BTCEUR", "orderId": edited["id"], "newQty": "0.01"})
assert str(less["amendedOrder"]["orderId"]) == edited["id"], less
known = bot.fetch_order(edited["id"], symbol)
assert (known["status"], known["amount"]) == ("open", 0.01), known
bot.cancel_all_orders(symbol)
assert bot.fetch_open_orders(symbol) == []


def raises(kind, *order):
    """What the client raises; never InvalidOrder, which makes some bots answer with a market order."""
    try:
        bot.create_order(*order)
    except ccxt.BaseError as refused:
        assert type(refused) is kind, f"{type(refused).__name__}: {refused}"
        return str(refused)
    raise AssertionError(f"{order} was taken")


# Above the mandate's cap for one order; a type it does not have; a market that the gateway does not know.
assert "MAX_NOTIONAL" in raises(ccxt.PermissionDenied, symbol, "limit", "buy", 1, 47000)
assert "ORDER_TYPE" in raises(ccxt.PermissionDenied, symbol, "limit", "sell", 0.01, 47000, {"triggerPrice": 46900})
assert "MAX_NOTIONAL" in raises(ccxt.PermissionDenied, symbol, "limit", "buy", 1, 47000, {"test": True})
try:
    stop = {"belowType": "STOP_LOSS", "belowStopPrice": "48000"}
    bot.private_post_orderlist_oco({"symbol": "BTCEUR", "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": "52000", **stop})
    raise AssertionError("a list with a stop was taken")
except ccxt.PermissionDenied as refused:
    assert "ORDER_TYPE" in str(refused), refused
try:
    bot.fetch_ohlcv(symbol)  # the paper venue keeps no history; a real one answers
except ccxt.PermissionDenied as refused:
    assert "VENUE_REFUSED" in str(refused), refused
try:
    bot.withdraw("BTC", 1, "somewhere")
    raise AssertionError("a withdrawal was taken")
except (ccxt.BaseError, KeyError):
    pass
print("OK")
