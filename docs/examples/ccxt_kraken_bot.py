#!/usr/bin/env python3
"""A stock ccxt bot for Kraken under a mandate: python ccxt_kraken_bot.py GATEWAY FOLDER ROOT, where FOLDER holds the bot's chain.pem and key.pem and ROOT is
the house root (ca/house.pem).

Three lines differ from a bot that trades at the venue itself; they are marked. Key and secret are placeholders: the certificate says who asks,
and the venue's credential is the gateway's.
"""

import base64
import sys

import ccxt

gateway, folder, root = sys.argv[1:4]
bot = ccxt.kraken(
    {
        "apiKey": "placeholder",
        "secret": base64.b64encode(b"placeholder").decode(),
        "urls": {"api": {"public": gateway, "private": gateway}},  # 1: where to
    }
)
bot.session.cert = (folder + "/chain.pem", folder + "/key.pem")  # 2: who asks
bot.validateServerSsl = root  # 3: whom to trust

symbol = "BTC/EUR"
# The venue's own bounds and prices.
assert bot.load_markets()[symbol]["precision"] == {"amount": 0.00001, "price": 0.01}, bot.markets[symbol]["precision"]
ticker, book = bot.fetch_ticker(symbol), bot.fetch_order_book(symbol, 5)
# Two questions at two moments: the market may move between them, so each is looked at by itself.
assert ticker["symbol"] == symbol and ticker["last"] > 0 and book["bids"][0][0] < book["asks"][0][0], (ticker, book)
resting = bot.create_order(symbol, "limit", "buy", 0.01, 47000, {"clientOrderId": "k-1"})
assert (resting["symbol"], resting["amount"], resting["price"]) == (symbol, 0.01, 47000), resting
assert [order["id"] for order in bot.fetch_open_orders(symbol)] == [resting["id"]]
known = bot.fetch_order(resting["id"], symbol)
assert (known["status"], known["filled"], known["clientOrderId"]) == ("open", 0, "k-1"), known
assert bot.cancel_order(resting["id"], symbol)["info"]["result"]["count"] in (1, "1")
assert bot.fetch_order(resting["id"], symbol)["status"] == "canceled"
bought = bot.create_order(symbol, "market", "buy", 0.01)
bought = bot.fetch_order(bought["id"], symbol)
assert bought["status"] == "closed" and bought["filled"] == 0.01 and bought["cost"] > 0, bought

# Its own books: what it holds, what it traded, what it ordered.
assert bot.fetch_balance()["BTC"] == {"free": 0.01, "used": 0.0, "total": 0.01}, bot.fetch_balance()
trades = bot.fetch_my_trades(symbol)
assert [(trade["order"], trade["amount"], trade["side"]) for trade in trades] == [(bought["id"], 0.01, "buy")], trades
assert {order["id"] for order in bot.fetch_closed_orders(symbol)} == {resting["id"], bought["id"]}

# A test is no order.
assert bot.create_order(symbol, "limit", "buy", 0.01, 46000, {"validate": "true"})["id"] is None
for price in (46000, 46100):
    bot.create_order(symbol, "limit", "buy", 0.01, price)
bot.cancel_all_orders()
assert bot.fetch_open_orders(symbol) == []


def raises(kind, call, *arguments):
    """What the client raises; never InvalidOrder for an order, which makes some bots answer with a market order."""
    try:
        call(*arguments)
    except ccxt.BaseError as refused:
        assert type(refused) is kind, f"{type(refused).__name__}: {refused}"
        return str(refused)
    raise AssertionError(f"{arguments} was taken")


# Above the mandate's cap for one order; a type it does not have; what has no meaning here.
assert "MAX_NOTIONAL" in raises(ccxt.PermissionDenied, bot.create_order, symbol, "limit", "buy", 1, 47000)
assert "MAX_NOTIONAL" in raises(ccxt.PermissionDenied, bot.create_order, symbol, "limit", "buy", 1, 47000, {"validate": "true"})
assert "ORDER_TYPE" in raises(ccxt.PermissionDenied, bot.create_order, symbol, "market", "sell", 0.01, None, {"stopLossPrice": 46900})
assert "ORDER_INVALID" in raises(ccxt.ExchangeError, bot.create_order, symbol, "limit", "buy", 0.01, 47000, {"postOnly": True})
assert "ORDER_NOT_FOUND" in raises(ccxt.OrderNotFound, bot.cancel_order, resting["id"], symbol)
raises(ccxt.OrderNotFound, bot.fetch_order, "O00000-00000-999999", symbol)

# A batch is so many orders: one beyond the mandate raises, and the other stands.
limit = {"symbol": symbol, "type": "limit", "side": "buy", "price": 46000}
two = bot.create_orders([{**limit, "amount": 0.01}, {**limit, "amount": 0.02, "params": {"clientOrderId": "k-2"}}])
assert [order["id"] for order in bot.fetch_open_orders(symbol)] == [order["id"] for order in two], two
said = raises(ccxt.PermissionDenied, bot.create_orders, [{**limit, "amount": 1}, {**limit, "amount": 0.03, "params": {"clientOrderId": "k-3"}}])
assert "MAX_NOTIONAL" in said, said
assert len(bot.fetch_open_orders(symbol)) == 3

# An amend is a new order under the old names; one beyond the mandate leaves the order as it is.
amended = bot.edit_order(two[1]["id"], symbol, "limit", "buy", 0.01, 46500)
assert amended["id"] == two[1]["id"], amended
known = bot.fetch_order(two[1]["id"], symbol)
assert (known["amount"], known["price"], known["status"], known["clientOrderId"]) == (0.01, 46500, "open", "k-2"), known
assert "MAX_NOTIONAL" in raises(ccxt.PermissionDenied, bot.edit_order, two[1]["id"], symbol, "limit", "buy", 1, 46500)
assert bot.fetch_order(two[1]["id"], symbol)["amount"] == 0.01
edited = bot.private_post_editorder({"txid": two[0]["id"], "pair": "XBTEUR", "volume": "0.02", "price": "46100"})["result"]
assert edited["txid"] != edited["originaltxid"] == two[0]["id"], edited
assert bot.cancel_orders([two[1]["id"], edited["txid"]])[0]["info"]["result"]["count"] in (2, "2")
assert len(bot.fetch_open_orders(symbol)) == 1
bot.cancel_all_orders()

# Whatever moves money.
assert "PATH_UNKNOWN" in raises(ccxt.PermissionDenied, bot.cancel_all_orders_after, 60000)
assert "PATH_UNKNOWN" in raises(ccxt.PermissionDenied, bot.withdraw, "BTC", 1, "somewhere", {"key": "mine"})
assert "PATH_UNKNOWN" in raises(ccxt.PermissionDenied, bot.fetch_deposit_methods, "BTC")
print("OK")
