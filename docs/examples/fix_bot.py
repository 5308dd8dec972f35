#!/usr/bin/env python3
"""Stock QuickFIX under a mandate: python fix_bot.py HOST:PORT FOLDER ROOT AGENT [--until-halted], where FOLDER holds the bot's chain.pem and key.pem, ROOT is
the house root (ca/house.pem) and HOST:PORT is gateway.fix.

The wheel of QuickFIX for Python brings an OpenSSL without TLS 1.3, and the gateway speaks nothing else: `bridge` carries its plain connection over TLS, as
stunnel would. With a QuickFIX that speaks TLS 1.3 leave it out and set SocketConnectHost, ClientCertificateFile, ClientCertificateKeyFile and
CertificationAuthoritiesFile.
"""

import os
import queue
import socket
import ssl
import sys
import tempfile
import threading
import time

import quickfix

address, folder, root, agent = sys.argv[1:5]
PATIENCE = 30


def bridge(host, port):
    """A port on loopback whose one connection goes on over TLS 1.3 with the bot's certificate."""
    tls = ssl.create_default_context(cafile=root)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_cert_chain(os.path.join(folder, "chain.pem"), os.path.join(folder, "key.pem"))
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink):
        try:
            while octets := source.recv(16384):
                sink.sendall(octets)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve():
        near, _ = listener.accept()
        far = tls.wrap_socket(socket.create_connection((host, port)), server_hostname=host)
        threading.Thread(target=pump, args=(near, far), daemon=True).start()
        pump(far, near)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class Bot(quickfix.Application):
    def __init__(self):
        super().__init__()
        self.on, self.heard = threading.Event(), queue.Queue()

    def onCreate(self, session):
        self.session = session

    def onLogon(self, session):
        self.on.set()

    def onLogout(self, session):
        pass

    def toAdmin(self, message, session):
        pass

    def toApp(self, message, session):
        pass

    def fromAdmin(self, message, session):
        if message.getHeader().getField(35) in "35":
            self.hear(message)

    def fromApp(self, message, session):
        self.hear(message)

    def hear(self, message):
        text = message.toString().split("\x01")
        self.heard.put(dict(field.split("=", 1) for field in text if field))

    def send(self, kind, fields):
        message = quickfix.Message()
        message.getHeader().setField(quickfix.StringField(8, "FIX.4.4"))
        message.getHeader().setField(quickfix.StringField(35, kind))
        now = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())
        for tag, value in {60: now, **fields}.items():
            message.setField(quickfix.StringField(tag, str(value)))
        assert quickfix.Session.sendToTarget(message, self.session)

    def next(self, kind, **fields):
        """The next message, which has to be this one."""
        heard = self.heard.get(timeout=PATIENCE)
        wanted = {"35": kind, **{name[1:]: str(value) for name, value in fields.items()}}
        assert wanted.items() <= heard.items(), f"wanted {wanted}, heard {heard}"
        return heard


def limit(id, quantity="0.01", price="47000", **more):
    return {11: id, 55: "BTC/EUR", 54: 1, 38: quantity, 40: 2, 44: price, 59: 1, **more}


host, port = address.rsplit(":", 1)
store = tempfile.mkdtemp()
dictionary = os.path.join(sys.prefix, "share", "quickfix", "FIX44.xml")
with open(os.path.join(store, "settings"), "w") as settings:
    settings.write(
        f"""[DEFAULT]
ConnectionType=initiator
ReconnectInterval=60
FileStorePath={store}
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary={'Y' if os.path.exists(dictionary) else 'N'}
DataDictionary={dictionary}
[SESSION]
BeginString=FIX.4.4
SenderCompID={agent}
TargetCompID=MANDATUM
HeartBtInt=30
ResetOnLogon=Y
SocketConnectHost=127.0.0.1
SocketConnectPort={bridge(host, int(port))}
"""
    )
settings = quickfix.SessionSettings(os.path.join(store, "settings"))
bot = Bot()
initiator = quickfix.SocketInitiator(bot, quickfix.FileStoreFactory(settings), settings)
initiator.start()
assert bot.on.wait(PATIENCE), "no Logon"

# A permitted order rests; what the mandate does not allow is refused with our stable code in Text (58).
bot.send("D", limit("f-1"))
bot.next("8", _11="f-1", _150=0, _39=0, _151="0.01", _14=0)
bot.send("D", limit("f-2", quantity="10"))
refused = bot.next("8", _11="f-2", _150=8, _39=8, _103=3)
assert refused["58"].startswith("MAX_NOTIONAL: "), refused

# A cancel; a second one finds nothing.
bot.send("F", {11: "c-1", 41: "f-1", 55: "BTC/EUR", 54: 1})
bot.next("8", _11="c-1", _41="f-1", _150=4, _39=4, _151=0)
bot.send("F", {11: "c-2", 41: "f-1", 55: "BTC/EUR", 54: 1})
bot.next("9", _11="c-2", _41="f-1", _102=0, _434=1)

# A market order fills: quantities and prices are exact.
bot.send("D", {11: "f-3", 55: "BTC_EUR", 54: 1, 38: "0.01", 40: 1})
filled = bot.next("8", _11="f-3", _150="F", _39=2, _32="0.01", _14="0.01", _151=0)
assert filled["6"] == filled["31"], filled
bot.send("H", {11: "f-3", 55: "BTC/EUR", 54: 1})
bot.next("8", _11="f-3", _150="I", _39=2, _14="0.01")

# A replacement is a cancel and a new order, and told as both.
bot.send("D", limit("f-4", price="46000"))
bot.next("8", _11="f-4", _150=0)
bot.send("G", limit("f-5", quantity="0.02", price="46500", **{}) | {41: "f-4"})
bot.next("8", _11="f-4", _150=4)
bot.next("8", _11="f-5", _41="f-4", _150=0, _38="0.02")

# All that is open goes at once.
bot.send("q", {11: "m-1", 530: 7})
heard = [bot.heard.get(timeout=PATIENCE) for _ in range(2)]
report = next(message for message in heard if message["35"] == "r")
assert (report["531"], report["533"]) == ("7", "1"), report
assert any(message.get("150") == "4" and message["11"] == "f-5" for message in heard), heard

if "--until-halted" in sys.argv:
    print("READY", flush=True)
    logout = bot.next("5")
    print("Logout:", logout["58"], flush=True)
else:
    initiator.stop()
print("OK", flush=True)
os._exit(0)
