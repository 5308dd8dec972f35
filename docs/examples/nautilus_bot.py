#!/usr/bin/env python3
"""A stock NautilusTrader node through the sidecar: python nautilus_bot.py SIDECAR, where SIDECAR is its address, as http://127.0.0.1:8787.

Of a node that trades at the venue itself three lines differ; they are marked. Its strategy places an order that rests and cancels it, buys, asks for more than its
mandate allows and is refused.
"""

import asyncio
import sys

from nautilus_trader.adapters.binance import BinanceAccountType, BinanceDataClientConfig, BinanceExecClientConfig
from nautilus_trader.adapters.binance import BinanceLiveDataClientFactory, BinanceLiveExecClientFactory
from nautilus_trader.config import InstrumentProviderConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

sidecar = sys.argv[1]
instrument_id = InstrumentId.from_str("BTCEUR.BINANCE")
heard = []
ended = asyncio.Event()


class Tour(Strategy):
    def on_start(self):
        self.instrument = self.cache.instrument(instrument_id)
        self.place(self.order_factory.limit, "0.01", self.instrument.make_price(47000))

    def place(self, kind, quantity, *price):
        self.submit_order(kind(instrument_id, OrderSide.BUY, self.instrument.make_qty(float(quantity)), *price))

    def on_order_accepted(self, event):
        if not any(name == "OrderAccepted" for name, _ in heard):
            self.cancel_order(self.cache.order(event.client_order_id))

    def on_order_canceled(self, event):
        self.place(self.order_factory.market, "0.01")

    def on_order_filled(self, event):
        assert event.last_qty.as_double() == 0.01 and event.last_px.as_double() > 0, event
        self.place(self.order_factory.limit, "1", self.instrument.make_price(47000))

    def on_order_rejected(self, event):
        assert "MAX_NOTIONAL" in event.reason, event
        ended.set()

    def on_event(self, event):
        heard.append((type(event).__name__, event))


settings = {
    "api_key": "placeholder",
    "api_secret": "placeholder",
    "account_type": BinanceAccountType.SPOT,
    "instrument_provider": InstrumentProviderConfig(load_all=True),
    "base_url_http": sidecar,  # 1: where to
    "base_url_ws": sidecar.replace("http", "ws", 1),  # 2: and where from
    "testnet": True,  # 3: asks for no tier of fees, which is the house's
}
config = TradingNodeConfig(
    logging=LoggingConfig(log_level="WARNING"),
    timeout_post_stop=1,
    data_clients={"BINANCE": BinanceDataClientConfig(**settings)},
    exec_clients={"BINANCE": BinanceExecClientConfig(**settings)},
)
node = TradingNode(config=config)
node.add_data_client_factory("BINANCE", BinanceLiveDataClientFactory)
node.add_exec_client_factory("BINANCE", BinanceLiveExecClientFactory)
node.build()
node.trader.add_strategy(Tour())


async def main():
    running = asyncio.create_task(node.run_async())
    try:
        await asyncio.wait_for(ended.wait(), 60)
    finally:
        await node.stop_async()
        running.cancel()
    told = ("OrderAccepted", "OrderCanceled", "OrderFilled", "OrderRejected")
    names = [name for name, _ in heard if name in told]
    assert names == list(told), names


try:
    asyncio.get_event_loop().run_until_complete(main())
finally:
    node.dispose()
print("OK")
