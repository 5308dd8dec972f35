//! One house from founding to its end, each command with its exit code and its one JSON object.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::house::{House, free_port, in_days};
use crate::receiver::Receiver;

/// The number of an order's entry, as its answer's receipt has it.
fn number_of(answered: &Value) -> String {
    let entry: Value = serde_json::from_str(answered["answer"]["receipt"]["entry"].as_str().unwrap()).unwrap();
    entry["number"].to_string()
}

fn mandate(per_order: &str) -> String {
    format!(
        r#"
agent = "bot-1"
mandate = "m-1"
expires = "{}"
rationale = "a small desk"
[conduct]
max_day_loss = ["EUR 500"]
max_open_orders = 2
max_position = ["BTC_EUR 0.3"]
self_trade = "refuse"
on_halt = "cancel_all"
on_unanswered_warning = "reduce_only"
repeat_window_ms = 0
scoring = "observe until {}"
[limits]
per_order = ["EUR {per_order}"]
per_day = ["EUR 1000000"]
order_rates = ["20/1s"]
instruments = ["BTC_EUR"]
counterparties = ["exchange_a"]
regions = ["local"]
hours = ["always"]
order_types = ["limit", "market"]
price_collar_bps = 1000
order_proof = true
"#,
        in_days(60),
        in_days(20)
    )
}

struct Walk {
    house: House,
}

impl Walk {
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.house.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn as_officer(&self, officer: &str, arguments: &[&str]) -> Value {
        self.house.done(&[&["--officer", officer], arguments].concat())
    }

    /// Founds, with a venue that trades.
    fn founded() -> (Self, crate::house::Process, crate::house::Process) {
        let house = House::new();
        let missing = house.fails(2, "mandatum init", &["serve"]);
        assert_eq!(missing["answer"], Value::Null);
        let written = house.done(&[
            "init",
            "--officers",
            "ada,grace,joan",
            "--pen",
            "99999",
            "--only-config",
        ]);
        assert!(written["config"].is_string());
        let port = free_port();
        std::fs::create_dir(house.dir().join("venues")).unwrap();
        let key = house.secret("venues/key", "public\n");
        let secret = house.secret("venues/secret", "private\n");
        let file = house.dir().join("mandatum.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("\npen = 99999"), "{text}");
        let allowed = "webhook_networks = [\"127.0.0.0/8\"]";
        text = text.replace("# webhook_networks = []", allowed);
        assert!(text.contains(allowed), "{text}");
        text.push_str(&format!(
            "\n[venues.exchange_a]\nurl = \"http://127.0.0.1:{port}\"\napi_key_file = \"venues/key\"\nsecret_file = \"venues/secret\"\ninstruments = {{ BTC_EUR = \"EUR\" }}\n"
        ));
        std::fs::write(&file, text).unwrap();
        let (listen, key, secret) = (
            format!("127.0.0.1:{port}"),
            key.to_str().unwrap(),
            secret.to_str().unwrap(),
        );
        let venue = house.spawn(&[
            "paper-venue",
            "--listen",
            &listen,
            "--api-key-file",
            key,
            "--secret-file",
            secret,
            "BTC_EUR=50000",
        ]);
        let founded = house.done(&["init", "--use-config"]);
        house.fails(
            4,
            "is `mandatum serve` running there?",
            &[
                "officer",
                "enrol",
                "ada",
                "--token",
                founded["tokens"][0]["token"].as_str().unwrap(),
            ],
        );
        let server = house.serve();
        for token in founded["tokens"].as_array().unwrap() {
            let text = |member: &str| token[member].as_str().unwrap();
            house.done(&["officer", "enrol", text("officer"), "--token", text("token")]);
        }
        (Self { house }, venue, server)
    }

    /// A mandate is signed as it was read: a change in between is refused. Control: the digest that `show` gives then is signed.
    fn approves_what_was_read(&self) {
        let submitted = self.file("mandate.toml", &mandate("20000"));
        let submitted = submitted.to_str().unwrap();
        self.as_officer(
            "ada",
            &[
                "agent",
                "register",
                "bot-1",
                "--owner",
                "desk",
                "--model",
                "m-1",
                "--purpose",
                "market making",
            ],
        );
        self.as_officer("ada", &["application", "submit", submitted]);
        let seen = |officer: &str| {
            let shown = self.as_officer(officer, &["application", "show", "m-1"]);
            shown["document_digest"].as_str().unwrap().to_owned()
        };
        let first = seen("grace");
        self.file("mandate.toml", &mandate("900000"));
        self.as_officer("ada", &["application", "submit", submitted]);
        let stale = [
            "--officer",
            "grace",
            "application",
            "approve",
            "m-1",
            "--document",
            &first,
        ];
        self.house.fails(3, "nothing was signed", &stale);
        assert_eq!(
            self.as_officer("ada", &["application", "show", "m-1"])["signatures"],
            json!([])
        );
        self.file("mandate.toml", &mandate("20000"));
        self.as_officer("ada", &["application", "submit", submitted]);
        let own = seen("ada");
        let refused = ["--officer", "ada", "application", "approve", "m-1", "--document", &own];
        assert_eq!(
            self.house.fails(3, "ada", &refused)["answer"]["code"],
            "SIGNATURE_REFUSED"
        );
        for officer in ["grace", "joan"] {
            self.as_officer(
                officer,
                &["application", "approve", "m-1", "--document", &seen(officer)],
            );
        }
        assert_eq!(
            self.as_officer("ada", &["application", "show", "m-1"])["status"],
            "approved"
        );
    }

    /// Orders with the signature that the mandate asks for, a receipt, and what is not one.
    fn trades_and_verifies(&self) {
        let token = self.as_officer("ada", &["agent", "token", "bot-1", "--mandate", "m-1"]);
        self.house
            .done(&["agent", "enrol", "bot-1", "--token", token["token"].as_str().unwrap()]);
        let order = |id: &str, quantity: &str| {
            let (id, quantity) = (id.to_owned(), quantity.to_owned());
            [
                "order", "send", "--agent", "bot-1", "--side", "buy", "--price", "49000", "--id",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain([id, "--quantity".to_owned(), quantity, "BTC_EUR".to_owned()])
            .collect::<Vec<String>>()
        };
        let sent = order("o-1", "0.01");
        let answer = self.house.done(&sent.iter().map(String::as_str).collect::<Vec<_>>());
        let sent = order("o-2", "5");
        let refused = self
            .house
            .fails(3, "MAX_NOTIONAL", &sent.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(refused["answer"]["code"], "MAX_NOTIONAL");
        self.passes_once(&refused);
        self.meets_its_bounds();
        self.house.done(&["order", "list", "--agent", "bot-1"]);
        self.house.done(&["order", "cancel", "--agent", "bot-1", "--all"]);

        let receipt = self.file("answer.json", &answer.to_string());
        let receipt = receipt.to_str().unwrap();
        let verified = self.house.done(&["receipt", "verify", receipt]);
        assert_eq!(verified["kind"], "order.decided");
        let shown = self.as_officer("joan", &["receipt", "show", &verified["index"].to_string()]);
        assert_eq!(shown["receipt"]["entry"], answer["receipt"]["entry"]);
        let changed = self.file("changed.json", &answer.to_string().replace("0.01", "0.02"));
        self.house
            .fails(5, "does not verify", &["receipt", "verify", changed.to_str().unwrap()]);
        let certificate = self.house.dir().join("agents/bot-1/certificate.pem");
        let shown = self.house.done(&["limits", "show", certificate.to_str().unwrap()]);
        assert_eq!(shown["mandate"]["id"], "m-1", "under the house's own number");
        let wide = self.file("wide.toml", &mandate("900000"));
        let diff = [wide.to_str().unwrap(), certificate.to_str().unwrap()];
        assert_eq!(self.house.done(&["limits", "diff", diff[0], diff[1]])["within"], true);
        assert_eq!(self.house.done(&["limits", "diff", diff[1], diff[0]])["within"], false);
    }

    /// Beside the one open order: its own price from the other side, a position with it filled, and one open order too many. Control: a
    /// mandate without the three members, and each of the refused is permitted.
    fn meets_its_bounds(&self) {
        let send = |id: &str, side: &str, quantity: &str| {
            let words =
                format!("order send --agent bot-1 --side {side} --price 49000 --id {id} --quantity {quantity} BTC_EUR");
            words.split(' ').map(str::to_owned).collect::<Vec<String>>()
        };
        let refused = |code: &str, sent: Vec<String>| {
            let told = self
                .house
                .fails(3, code, &sent.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(told["answer"]["code"], code);
            told
        };
        let shown = self.as_officer("ada", &["application", "show", "m-1"]);
        let words = shown["in_words"].as_str().unwrap();
        for line in [
            "at most 2 at once",
            "BTC_EUR 0.3; long or short",
            "one of the bot's own open orders",
        ] {
            assert!(words.contains(line), "{line}: {words}");
        }
        let own = refused("SELF_TRADE", send("o-3", "sell", "0.01"));
        refused("MAX_POSITION", send("o-4", "buy", "0.3"));
        self.house.done(
            &send("o-5", "buy", "0.28")
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        refused("OPEN_ORDERS_CAP", send("o-6", "buy", "0.01"));
        let (number, never) = (number_of(&own), "SELF_TRADE, which no two people override");
        let asked = ["agent", "override", "bot-1", "--order", &number, "--reason", "once"];
        self.house
            .fails(3, never, &[&["--officer", "ada"], &asked[..]].concat());
    }

    /// Two officers let the order that was too large pass: the same under a fresh id, once; no other, and not again. Nobody lets one pass that
    /// would trade with itself. Controls: unsigned, and with one signature, it is refused as before.
    fn passes_once(&self, refused: &Value) {
        let send = |id: &str, quantity: &str| {
            let words =
                format!("order send --agent bot-1 --side buy --price 49000 --id {id} --quantity {quantity} BTC_EUR");
            words.split(' ').map(str::to_owned).collect::<Vec<String>>()
        };
        let fails = |id: &str, quantity: &str| {
            let sent = send(id, quantity);
            self.house
                .fails(3, "MAX_NOTIONAL", &sent.iter().map(String::as_str).collect::<Vec<_>>());
        };
        let number = number_of(refused);
        let proposal = self.as_officer(
            "ada",
            &["agent", "override", "bot-1", "--order", &number, "--reason", "once"],
        );
        fails("o-7", "5");
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        fails("o-8", "5.1");
        let sent = send("o-9", "5");
        self.house.done(&sent.iter().map(String::as_str).collect::<Vec<_>>());
        fails("o-10", "5");
        self.house.done(&["order", "cancel", "--agent", "bot-1", "o-9"]);
    }

    /// Signs a proposal as two officers have read it.
    fn two_sign(&self, proposal: &Value) -> Value {
        let reference = proposal["proposal"].as_str().unwrap();
        let other = "0".repeat(64);
        let mistaken = [
            "--officer",
            "grace",
            "proposal",
            "sign",
            reference,
            "--document",
            &other,
        ];
        self.house.fails(3, "nothing was signed", &mistaken);
        let mut answer = Value::Null;
        for officer in ["grace", "joan"] {
            let shown = self.as_officer(officer, &["proposal", "show", reference]);
            let digest = shown["document_digest"].as_str().unwrap();
            answer = self.as_officer(officer, &["proposal", "sign", reference, "--document", digest]);
        }
        answer
    }

    fn settles_the_house(&self) {
        let proposal = self.as_officer("ada", &["thresholds", "set", "EUR=123456"]);
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        let shown = self.as_officer("ada", &["thresholds", "show"]);
        assert_eq!(shown["thresholds"]["two_officers_above"]["EUR"], "123456");
        let table = self.file(
            "regions.toml",
            "local = [\"127.0.0.0/8\"]\neu-west-1 = [\"10.0.0.0/8\"]\n",
        );
        let proposal = self.as_officer("ada", &["regions", "set", table.to_str().unwrap()]);
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        assert_eq!(
            self.as_officer("ada", &["regions", "show"])["networks"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        assert!(self.as_officer("ada", &["house", "show"])["epoch"].as_u64() > Some(0));
        let listed = self.as_officer("ada", &["proposal", "list"]);
        assert_eq!(listed["proposals"].as_array().unwrap().len(), 3);
        assert_eq!(self.as_officer("joan", &["officer", "whoami"])["officer"], "joan");
        self.house
            .fails(3, "NOT_FOUND", &["--officer", "ada", "webhook", "dead", "nobody"]);
        assert_eq!(self.as_officer("ada", &["webhook", "list"])["webhooks"], json!([]));
    }

    /// The limits above a bot: what its owner's bots may have at stake together. Two open orders of some EUR 490 each: one fits below 600, the other
    /// does not until two officers lifted the limit. Each decision comes out again from the record (`replay`, further down).
    fn holds_the_group(&self) {
        let send = |id: &str| {
            let words = format!("order send --agent bot-1 --side buy --price 49000 --id {id} --quantity 0.01 BTC_EUR");
            words.split(' ').map(str::to_owned).collect::<Vec<String>>()
        };
        let done = |id: &str| {
            self.house
                .done(&send(id).iter().map(String::as_str).collect::<Vec<_>>())
        };
        let owner = self.as_officer("ada", &["agent", "show", "bot-1"])["owner"].clone();
        let scope = format!("owner:{}", owner.as_str().unwrap());
        let whose = ["exposure", "set", "owner:nobody", "EUR=1"];
        self.house
            .fails(3, "NOT_FOUND", &[&["--officer", "ada"], &whose[..]].concat());
        let proposal = self.as_officer("ada", &["exposure", "set", &scope, "EUR=600"]);
        assert_eq!(
            self.as_officer("ada", &["exposure", "show"])["exposure"]["owners"],
            json!({})
        );
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        let proposal = self.as_officer("ada", &["exposure", "set", "all", "EUR=900000"]);
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        let shown = self.as_officer("ada", &["exposure", "show"]);
        assert_eq!(shown["exposure"]["owners"][owner.as_str().unwrap()]["EUR"], "600");
        assert_eq!(shown["exposure"]["all"]["EUR"], "900000");
        done("g-1");
        let sent = send("g-2");
        let refused = self.house.fails(
            3,
            "GROUP_EXPOSURE",
            &sent.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        let check = &refused["answer"]["checks"][0];
        assert!(
            check["limit"].as_str().unwrap().starts_with("EUR 600 at stake"),
            "{refused}"
        );
        let proposal = self.as_officer("ada", &["exposure", "lift", &scope]);
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        done("g-3");
        self.house.done(&["order", "cancel", "--agent", "bot-1", "--all"]);
        assert_eq!(
            self.as_officer("ada", &["exposure", "show"])["exposure"],
            json!({"all": {"EUR": "900000"}, "owners": {}})
        );
    }

    /// Two sign a subscription of the running house; its receiver is told without a restart, under the secret that was shown once. Controls tried:
    /// without `webhook_networks` in the configuration nothing comes; under another secret the message does not verify.
    fn tells_whom_two_signed_for(&self) {
        let receiver = Receiver::new();
        let asked = [
            "webhook",
            "set",
            "desk",
            "--url",
            &receiver.url(),
            "--kinds",
            "house.webhook_set",
        ];
        let proposal = self.as_officer("ada", &asked);
        let secret = proposal["secret"].as_str().unwrap();
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        self.as_officer("ada", &["webhook", "test", "desk"]);
        let (headers, body) = receiver.message();
        standardwebhooks::Webhook::new(secret)
            .unwrap()
            .verify(&body, &headers)
            .unwrap();
        let listed = self.as_officer("ada", &["webhook", "list"]);
        assert_eq!(listed["webhooks"][0]["signed"]["url"], receiver.url());
        let proposal = self.as_officer("ada", &["webhook", "remove", "desk"]);
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        assert_eq!(
            self.as_officer("ada", &["webhook", "list"])["webhooks"][0]["signed"],
            Value::Null
        );
    }

    fn stops_and_reviews(&self) {
        self.as_officer("joan", &["agent", "revoke", "bot-1", "--reason", "drill"]);
        let listed = self.as_officer("joan", &["incident", "list"]);
        let incident = listed["incidents"][0]["incident"].as_str().unwrap().to_owned();
        self.as_officer("joan", &["incident", "acknowledge", &incident]);
        let review = [
            "incident",
            "review",
            &incident,
            "--finding",
            "false-alarm",
            "--root-cause",
            "a drill",
            "--impact",
            "none",
            "--lessons",
            "drills are announced",
        ];
        let proposal = self.as_officer("ada", &review);
        assert_eq!(self.two_sign(&proposal)["accepted"], true);
        assert_eq!(
            self.as_officer("ada", &["incident", "show", &incident])["finding"],
            "false_alarm"
        );
        let proposal = self.as_officer("ada", &["agent", "reinstate", "bot-1", "--incident", &incident]);
        assert!(proposal["proposal"].is_string(), "{proposal}");
        let removed = self.as_officer("ada", &["officer", "remove", "joan", "--reason", "left"]);
        assert!(removed["entry"].is_object(), "{removed}");
        self.house.fails(3, "", &["--officer", "joan", "officer", "whoami"]);
    }

    fn reads_beside_the_server(&self) -> String {
        for beside in [
            &["rebuild"][..],
            &["serve"],
            &["ceremony", "rekey"],
            &["adopt-head", "--root", &"0".repeat(64)],
        ] {
            let (code, said) = self.house.json(beside);
            let wanted = if beside[0] == "adopt-head" { 3 } else { 4 };
            assert_eq!(code, wanted, "{beside:?}: {said}");
        }
        self.house.fails(1, "exists", &["init", "--officers", "ada,grace"]);
        let erased = self.as_officer("ada", &["erase", "--subject", "officer:joan", "--reason", "left"]);
        assert!(erased["keys_destroyed"].as_u64() > Some(0), "{erased}");
        let transcript = std::fs::read_to_string(self.house.dir().join("ca/transcript.txt")).unwrap();
        let root = transcript
            .lines()
            .find_map(|line| line.strip_prefix("  root key "))
            .unwrap()
            .to_owned();
        let verified = self.house.done(&["verify", "--key", &root]);
        assert_eq!(
            (&verified["ok"], &verified["root_key_given"]),
            (&json!(true), &json!(true))
        );
        assert!(verified["texts_erased"].as_u64() > Some(0), "{verified}");
        let export = self.house.folder.path().join("audit.txt");
        let to = export.to_str().unwrap();
        self.house.done(&["export", "--to", to]);
        self.house.fails(2, "is there already", &["export", "--to", to]);
        self.house.done(&["verify", to, "--key", &root]);
        let replayed = self.house.done(&["replay", to, "--key", &root]);
        assert!(replayed["decisions"].as_u64() >= Some(6), "{replayed}");
        let receipt = self.house.folder.path().join("answer.json");
        self.house.done(&[
            "receipt",
            "verify",
            receipt.to_str().unwrap(),
            "--against",
            to,
            "--key",
            &root,
        ]);
        let text = std::fs::read_to_string(&export).unwrap();
        let changed = self.file("changed.txt", &text.replacen("bot-1", "bot-2", 1));
        let found = self.house.fails(
            5,
            "does not verify",
            &["verify", changed.to_str().unwrap(), "--key", &root],
        );
        assert!(found["answer"]["place"].is_string(), "{found}");
        root
    }
}

/// Each failure stands beside the same command succeeding, so that none fails for another reason.
#[test]
fn from_founding_to_an_adopted_head() {
    let (walk, _venue, server) = Walk::founded();
    let house = &walk.house;
    house.fails(2, "unexpected argument", &["verify", "--nonsense"]);
    house.fails(2, "--officer ID", &["application", "list"]);
    walk.approves_what_was_read();
    walk.trades_and_verifies();
    walk.settles_the_house();
    walk.holds_the_group();
    walk.tells_whom_two_signed_for();
    walk.reads_beside_the_server();
    walk.stops_and_reviews();
    assert_eq!(server.end(), Some(0), "SIGTERM ends it in good order");

    assert!(house.done(&["rebuild"])["entries"].as_u64() > Some(50));
    let verified = house.done(&["verify"]);
    assert_eq!(verified["head_file_checked"], true);
    let head = house.dir().join("ledger.head");
    std::fs::remove_file(&head).unwrap();
    house.fails(1, "adopt-head", &["serve"]);
    let root = verified["root"].as_str().unwrap();
    house.fails(3, "nothing was adopted", &["adopt-head", "--root", &"0".repeat(64)]);
    house.fails(1, "adopt-head", &["serve"]);
    house.done(&["adopt-head", "--root", root]);
    house.fails(3, "is there", &["adopt-head", "--root", root]);
    assert_eq!(house.done(&["verify"])["head_file_checked"], true);
    assert_eq!(house.serve().end(), Some(0));
}
