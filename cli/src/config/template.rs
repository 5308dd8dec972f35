//! The configuration file that `init` writes: every key with its default and what it means.

use std::fmt::Write as _;

use extensions::{
    OfficerId,
    oids::{Environment, OidArc},
};

const REST: &str = r#"
# Mandates whose largest amount, of an order or of a day, is above this need two officers. A currency without a row always needs two.
# [house.two_officers_above]
# EUR = "100000"

# Source networks and the region each is in; an address in no row has no region, and its orders are refused.
[house.regions]
local = ["127.0.0.0/8"]

# The hard ceiling of every mandate, in the agent root. Without it: the widest that the form permits.
# [house.ceiling]
# per_order = ["EUR 1000000"]
# per_day = ["EUR 20000000"]
# order_rates = ["1000/1s"]
# instruments = "any"
# counterparties = "any"
# regions = "any"
# hours = ["always"]
# order_types = ["limit", "market", "stop_limit", "stop_market"]
# price_collar_bps = 1000
# order_proof = false

# Files and folders, relative to this file.
[paths]
# certificates = "ca"          # for everybody to read
# keys = "keys"                # of the running processes
# roots = "roots"              # both roots' keys: take this folder offline after init
# ledger = "ledger"
# head = "ledger.head"         # best on another disk
# crl = "crl.der"              # the newest CRL
# passphrase_file = "passphrase"   # encrypts the key files; required in production
# root_passphrase_file = "root-passphrase"   # encrypts both roots' keys; required by init in production; take it away with them
# webhook_roots_file = "webhook-roots.pem"  # whom webhook receivers behind https are trusted under

[ca]
# bot_life_seconds = 86400     # at most 604800
# officer_life_seconds = 7776000   # at most 31536000
# crl_life_seconds = 86400     # at most 604800; renewed at half of it and at every revocation

[gateway]
# id = "gw-1"
# listen = "127.0.0.1:8443"
# fix = "127.0.0.1:8446"       # FIX 4.4 over the same TLS; off without a line
# names = ["localhost", "127.0.0.1"]   # in its certificate; fixed by init
# accepted_pens = []           # for a migration: arcs of bots' certificates beside the house's own
# threads = 2                  # runtimes side by side
# proxy_protocol = false       # PROXY protocol version 2 from a balancer
# proxy_from = ["10.0.0.7/32"] # the balancers; needed with proxy_protocol, everybody else is dropped
# connections = 4096
# handshake_ms = 5000
# body_bytes = 16384
# head_bytes = 16384
# head_ms = 75000              # from the last answer to the end of the next head
# body_ms = 10000              # from there to the end of its body
# send_deadline_ms = 250       # a permit is sent within this time or never
# price_age_ms = 5000          # an older reference price is no price
# price_every_ms = 500
# watch_every_ms = 2000        # from one look at resting orders to the next
# messages_per_second = 1000   # of one bot; more are counted, not read

# A venue, named as mandates name it.
# [venues.exchange_a]
# kind = "binance"            # or "kraken"; spot REST. The key must not be able to withdraw: the venue is asked before the first order
# url = "http://127.0.0.1:9090"
# api_key_file = "venues/exchange_a.key"
# secret_file = "venues/exchange_a.secret"
# roots_file = "venues/exchange_a.pem"  # pinned roots; needed for https
# instruments = { BTC_EUR = "EUR" }
# dead_man_s = 60             # Kraken, an account of one bot: it cancels what rests there this long after the gateway last said that all is well

[console]
# officers = "127.0.0.1:8444"  # officers' API, mTLS
# enrolment = "127.0.0.1:8445" # EST: simpleenroll, simplereenroll
# origin = "https://localhost:8444" # where browsers find the pages; passkeys count for it alone
# names = ["localhost", "127.0.0.1"]

[status]
# listen = "127.0.0.1:8180"    # CRL, OCSP, CA certificates; plain HTTP
# url = "http://status.example.com"     # as certificates name it: plain http; fixed by init
# crl_schedule = "0 */5 * * * *"        # when the CRL's age is looked at: cron with seconds, UTC
# heartbeat_schedule = "30 * * * * *"   # when webhooks get a sign of life
# webhook_networks = []        # private networks that subscriptions signed in the console may reach

# [webhooks.desk]
# url = "https://desk.example.com/hooks"
# format = "cloud_events"               # pagerduty (Events API v2), slack (incoming webhook)
# secret_file = "webhooks/desk"         # whsec_ and base64 of 24 to 64 bytes; routing key; /services/...
# kinds = ["agent.*", "warning.*"]      # all that changes who may trade when absent
# allow_networks = []          # private networks it may connect to

[operations]
# listen = "127.0.0.1:8181"    # /healthz, /readyz, /metrics; loopback only

[logs]
# level = "info"               # error, warn, info, debug
# format = "json"              # json, text
"#;

/// The commented file for a new house.
#[must_use]
pub fn template(
    ledger: &str,
    trust_domain: &str,
    environment: Environment,
    officers: &[OfficerId],
    pen: Option<OidArc>,
) -> String {
    let mut text = String::from(
        "# Mandatum. Any key can be overridden by an environment variable: MANDATUM__GATEWAY__LISTEN=127.0.0.1:9443.\n\
         # Unknown keys are refused. Lines that are commented out show the defaults.\n\n[house]\n",
    );
    let officers: Vec<String> = officers.iter().map(|officer| format!("\"{officer}\"")).collect();
    let _ = writeln!(text, "ledger = \"{ledger}\"");
    let _ = writeln!(
        text,
        "trust_domain = \"{trust_domain}\"    # an FQDN you control; part of every bot's name"
    );
    let _ = writeln!(
        text,
        "environment = \"{environment}\"           # sandbox or production; fixed by init"
    );
    let _ = writeln!(
        text,
        "officers = [{}]            # the first officers, at least two",
        officers.join(", ")
    );
    let (mark, pen) = pen.map_or(("# ", OidArc::DEVELOPMENT), |pen| ("", pen));
    let _ = writeln!(
        text,
        "{mark}pen = {}                    # your private enterprise number; 32473 is for development",
        pen.pen()
    );
    text.push_str(REST);
    text
}
