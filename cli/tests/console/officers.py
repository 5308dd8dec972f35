#!/usr/bin/env python3
"""Three officers at their work in Chromium, each with a virtual authenticator; and what an attacker would try.

    officers.py '{"origin": ..., "links": {"ada": ..., "grace": ..., "joan": ...}, "pictures": FOLDER-OR-EMPTY}'

Every step looks at what the page then says. Exit code 0 when all of it is as it should be.
"""

import base64
import datetime
import json
import sys
import tempfile
from pathlib import Path

from axe_core_python.base import AxeBase
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import Credential, VirtualAuthenticatorOptions
from selenium.webdriver.support.ui import Select, WebDriverWait

GIVEN = json.loads(sys.argv[1])
ORIGIN = GIVEN["origin"]
PATIENCE = 30
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>'\"&lt;"
AXE = (Path(sys.modules[AxeBase.__module__].__file__).parent / "axe.min.js").read_text()
LOOKED_AT = set()


def day(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%d")


class Person:
    """One officer's browser."""

    def __init__(self, name):
        self.name = name
        options = webdriver.ChromeOptions()
        for argument in [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1200,900",
            f"--user-data-dir={tempfile.mkdtemp(prefix='console-')}",
        ]:
            options.add_argument(argument)
        options.set_capability("acceptInsecureCerts", True)
        options.binary_location = "/usr/bin/chromium"
        self.browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        self.browser.set_page_load_timeout(PATIENCE)
        self.authenticator(verified=True)

    def authenticator(self, verified, transport=VirtualAuthenticatorOptions.Transport.INTERNAL):
        options = VirtualAuthenticatorOptions(
            protocol=VirtualAuthenticatorOptions.Protocol.CTAP2,
            transport=transport,
            has_resident_key=True,
            has_user_verification=True,
            is_user_consenting=True,
            is_user_verified=verified,
        )
        self.browser.add_virtual_authenticator(options)

    def open(self, path):
        self.browser.get(path if path.startswith("https:") else ORIGIN + path)
        return self

    @property
    def text(self):
        return self.browser.find_element(By.TAG_NAME, "body").text

    @property
    def path(self):
        return self.browser.current_url.removeprefix(ORIGIN)

    def until(self, test, what):
        try:
            # A page that is just replaced holds none of what was found on it: look again.
            waits = WebDriverWait(self.browser, PATIENCE, 0.05, ignored_exceptions=[StaleElementReferenceException])
            waits.until(lambda _: test())
        except Exception as error:
            raise AssertionError(f"{self.name}: {what}; at {self.path} the page says:\n{self.text}") from error
        return self

    def says(self, *words):
        for word in words:
            self.until(lambda: word in self.text, f"should say {word!r}")
        return self

    def fills(self, **values):
        for name, value in values.items():
            field = self.browser.find_element(By.CSS_SELECTOR, f"[name={name}]:not([type=hidden])")
            if field.tag_name == "select":
                Select(field).select_by_value(value)
            elif field.get_attribute("type") == "date":
                self.browser.execute_script("arguments[0].value = arguments[1]", field, value)
            else:
                field.clear()
                field.send_keys(value)
        return self

    def ticks(self, name, *values):
        for value in values:
            box = self.browser.find_element(By.CSS_SELECTOR, f"input[name={name}][value={value}]")
            if not box.is_selected():
                box.click()
        return self

    def presses(self, label):
        """Presses a button and waits for the next page, or for what the page says instead of going on."""
        old = self.browser.find_element(By.TAG_NAME, "html")
        button = next(one for one in self.browser.find_elements(By.TAG_NAME, "button") if label in one.text and one.is_displayed())
        button.click()

        def gone():
            try:
                said = self.browser.find_elements(By.CSS_SELECTOR, "[data-said]:not([hidden])")
                old.is_enabled()
                return bool(said)
            except Exception:
                return self.browser.execute_script("return document.readyState") == "complete"

        return self.until(gone, f"pressed {label!r} and nothing happened")

    def unfolds(self, label):
        next(one for one in self.browser.find_elements(By.TAG_NAME, "summary") if one.text == label).click()
        return self

    def looks(self, page):
        """No serious fault of accessibility, nothing run that was typed, wide and narrow, light and dark; a picture when asked for."""
        assert "owned" not in self.browser.title, page
        size = len(self.browser.page_source.encode())
        assert size <= 100_000, f"{page} has {size} bytes"
        for width, name in [(1200, page), (400, f"{page}-phone")]:
            self.browser.set_window_size(width, 900)
            wide = self.browser.execute_script("return document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert not wide, f"{page} at {width} px must be scrolled sideways"
            for scheme, suffix in [("dark", "-dark"), ("light", "")]:
                feature = {"name": "prefers-color-scheme", "value": scheme}
                self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
                self.judged(f"{page}, {width} px, {scheme}")
                self.pictured(width, name + suffix)
        self.browser.set_window_size(1200, 900)
        LOOKED_AT.add(page)
        return self

    def pictured(self, width, name):
        """The page from its beginning, as far as anybody scrolls; when it was asked for."""
        if not GIVEN["pictures"]:
            return
        height = min(self.browser.execute_script("return document.documentElement.scrollHeight"), 4000)
        part = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": part, "captureBeyondViewport": True})
        (Path(GIVEN["pictures"]) / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))

    def judged(self, what):
        """axe-core finds nothing serious on the page as it is shown now."""
        result = self.browser.execute_async_script(
            AXE + "; const done = arguments[arguments.length - 1]; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}).then(done)"
        )
        bad = [(one["id"], one["impact"], [node["html"][:160] for node in one["nodes"]]) for one in result["violations"] if one["impact"] in ("serious", "critical")]
        assert not bad, f"{what}: {bad}"

    def joins(self):
        self.open(GIVEN["links"][self.name]).says("Become an officer")
        assert "#" not in self.browser.current_url, "the token leaves the address at once"
        self.looks("join").fills(name="A Person").presses("Go on")
        self.says(f"You will be officer {self.name}").looks("join-passkey").presses("Make a passkey")
        return self.says(f"Passkeys of {self.name}", "You have 1 of at least two").looks("passkeys")

    def signs_in(self, next_path="/"):
        self.open(next_path).says("Sign in with a passkey").looks("sign-in").presses("Sign in with a passkey")
        return self.until(lambda: self.path == next_path, f"should be at {next_path}")

    def approves(self, path):
        return self.open(path).says("Your signature").presses("Approve with passkey")

    def posts(self, path, fields):
        """A form that a page of ours would not make, sent from a page of ours."""
        return self.browser.execute_async_script(
            """const [path, fields, done] = arguments;
            fetch(path, {method: "POST", body: new URLSearchParams(fields), redirect: "manual"}).then(async (answer) => done([answer.status || 303, await answer.text()]));""",
            path, fields,
        )

    @property
    def token(self):
        return self.browser.find_element(By.CSS_SELECTOR, "form input[name=token]").get_attribute("value")


def asks(person, mandate, **changes):
    usual = {
        "mandate": mandate, "expires": day(20), "rationale": f"small {HOSTILE}", "instruments": "BTC_EUR, ETH_EUR", "counterparties": "exchange_a",
        "per_order": "EUR 50000", "per_day": "EUR 500000", "regions": "eu-west-1",
    }
    person.open("/applications/new?agent=mm-1").fills(**usual | changes)
    return person.presses("Ask")


def main():
    ada, grace, joan = (Person(name) for name in ["ada", "grace", "joan"])

    # First officers, by one-time links; a link opens once.
    for person in (ada, grace, joan):
        person.joins()
    ada.presses("Sign out").says("Sign in")
    ada.open(GIVEN["links"]["ada"]).fills(name="Another").presses("Go on").says("is not known, was used, or is too old")
    ada.signs_in("/passkeys")
    # A second passkey, under a signature of the first: on a second authenticator.
    ada.authenticator(verified=True, transport=VirtualAuthenticatorOptions.Transport.USB)
    ada.presses("Add a passkey").says("One more signature").looks("passkeys-sign").presses("Sign with a passkey I have")
    ada.until(lambda: ada.path == "/passkeys" and "of at least two" not in ada.text, "two passkeys are held")
    ada.browser.remove_virtual_authenticator()  # the second one goes into a drawer

    # Empty states.
    for page in ["/", "/agents", "/applications", "/proposals", "/incidents", "/officers", "/entries", "/webhooks"]:
        ada.open(page).looks("empty-" + (page.strip("/") or "overview"))

    # An agent; what was typed stays when something is wrong.
    ada.open("/agents/new").looks("agent-new").fills(
        agent="mm-1", owner="desk", purpose=f"market making {HOSTILE}", declared_model="model 1", expires_at=day(-3)
    ).presses("Register").says("choose a later end")
    assert ada.browser.find_element(By.NAME, "owner").get_attribute("value") == "desk", "typed is kept"
    ada.looks("agent-new-fault").fills(expires_at=day(60)).presses("Register").says("mm-1", "Standing")

    # An application, refused with a reason, asked again, approved by one who is not the applicant.
    asks(ada, "m-1", order_rates="nonsense").says("Not done.")
    ada.looks("application-new-fault").fills(order_rates="60/1s").presses("Ask").says("In plain words", "BTC_EUR")
    assert HOSTILE[:9] in ada.text, "shown as it was typed"
    ada.presses("Approve with passkey").says("cannot approve it; another officer must")
    # What it would have done to past orders comes by itself; this bot has no past.
    grace.open("/applications/m-1").says("In plain words", "there is no past").looks("application")
    grace.presses("Refuse with passkey").says("A refusal needs its reason").fills(reason="too wide").presses("Refuse with passkey").says("rejected")
    asks(ada, "m-1").says("pending")

    # A question with its answer, and less than was asked.
    grace.open("/applications/m-1").unfolds("Ask, or answer").fills(text=f"why at night? {HOSTILE}").presses("Say it").says("why at night?")
    ada.open("/applications/m-1").unfolds("Ask, or answer").fills(text="it hedges Asia").presses("Say it").says("it hedges Asia")
    grace.open("/applications/m-1").unfolds("Grant less").fills(per_day="EUR 999000000", why="a slip").presses("Ask officers to sign this instead").says("more than was asked for")
    grace.looks("application-narrow-fault").fills(per_day="EUR 1000", per_order="EUR 100", why="a smaller start").presses("Ask officers to sign this instead").says("narrowed by grace", "EUR 1000")
    ada.open("/applications/m-1").presses("Approve with passkey").says("cannot approve it; another officer must")

    # A document that changed under the reader: the answer is to the earlier question.
    grace.open("/applications/m-1").says("Your signature")
    asks(ada, "m-1", price_collar_bps="100").says("pending")
    grace.presses("Approve with passkey").says("the nonce is not this application's")
    # A page that shows another document than it asks to sign: the browser finds it.
    grace.open("/applications/m-1")
    grace.browser.execute_script("document.getElementById('document').textContent = '{}'")
    grace.presses("Approve with passkey").says("not what would be signed")
    # An answer that is sent again.
    grace.open("/applications/m-1")
    grace.browser.execute_script("window.sent = null; HTMLFormElement.prototype.submit = function () { window.sent = Object.fromEntries(new FormData(this)); this.querySelector('[data-said]').hidden = false; }")
    grace.presses("Approve with passkey").until(lambda: grace.browser.execute_script("return window.sent"), "an answer was made")
    answer = grace.browser.execute_script("return window.sent")
    assert grace.posts("/applications/m-1", answer)[0] == 303
    status, body = grace.posts("/applications/m-1", answer)
    assert status == 409 and "not pending" in body, (status, body)
    grace.open("/applications/m-1").says("approved").looks("application-approved")

    # Two signatures above the threshold.
    asks(ada, "m-2", per_day="EUR 2000000").says("0 of 2 given")
    grace.approves("/applications/m-2").says("1 of 2 given")
    grace.presses("Approve with passkey").says("has answered this application already")
    joan.approves("/applications/m-2").says("approved")
    ada.open("/agents/mm-1").looks("agent").presses("Make a one-time token").says("shown this once")

    # Acts with a reason; a confirmation says what they leave.
    for act, reason, then in [("Freeze", "looks odd", "frozen"), ("Resume", "was nothing", "active"), ("Reduce only", HOSTILE, "reduce-only"), ("Revoke", "it is stolen", "revoked")]:
        ada.open("/agents/mm-1").unfolds(act)
        box = ada.browser.find_element(By.ID, "reason-" + act.lower().replace(" ", "-"))
        box.send_keys(reason)
        ada.presses(f"{act} mm-1").says(then)
    ada.looks("agent-revoked")

    # Another person sees it without asking: the page is live.
    joan.open("/incidents").says("mm-1").looks("incidents")
    joan.browser.find_element(By.CSS_SELECTOR, "tbody th a").click()
    joan.says("nobody has seen it yet", "the bot was revoked", "entry ").looks("incident").presses("I am looking at it").says("seen, waits for its review")
    incident = joan.path
    joan.fills(root_cause="a key in a public place", impact="no order went out", lessons="keys stay in the vault").presses("Propose this review").says("The review of an incident", "keys stay in the vault").looks("proposal")
    review = joan.path
    grace.open("/").says("What waits")
    joan.presses("Approve with passkey").says("1 of 2 given")
    grace.until(lambda: "1 of 2 signatures" in grace.text, "the overview follows by itself").looks("overview")
    grace.approves(review).says("accepted")
    ada.open(incident).says("reviewed: the stop was right", "keys stay in the vault")

    # Back by two signatures.
    ada.open("/agents/mm-1").presses("Propose it").says("Bring a bot back")
    back = ada.path
    ada.presses("Approve with passkey").says("1 of 2 given")
    joan.approves(back).says("accepted")

    # A further officer: one link, good only once two have signed.
    ada.open("/officers").fills(officer="edith").ticks("roles", "auditor").presses("Propose it").says("shown this once").looks("officers")
    link = ada.browser.find_element(By.CSS_SELECTOR, ".notice code").text
    proposal = ada.browser.find_element(By.CSS_SELECTOR, ".notice a").get_attribute("href")
    joan.open("/join")
    status, body = joan.posts("/join", {"secret": link.split("#")[1], "name": "Early"})
    assert status == 400 and "not known" in body, "not before two have signed"
    grace.approves(proposal).says("1 of 2 given")
    joan.approves(proposal).says("accepted")
    GIVEN["links"]["edith"] = link
    edith = Person("edith").joins()
    # An auditor reads and does nothing; the page says so.
    edith.open("/agents/mm-1").unfolds("Freeze")
    edith.browser.find_element(By.ID, "reason-freeze").send_keys("may I")
    edith.presses("Freeze mm-1").says("has none of the roles")

    # A webhook, signed by two; its secret is on one page, once. What was typed stays when something is wrong.
    ada.open("/webhooks/new").looks("webhook-new").fills(webhook="desk", url="ftp://desk.example.com/").presses("Propose it").says("its scheme must be https")
    ada.looks("webhook-new-fault").fills(url="https://desk.example.com/hook").presses("Propose it").says("shown this once", "whsec_").looks("webhook-secret")
    secret = next(one for one in ada.text.split() if one.startswith("whsec_"))
    hook = ada.browser.find_element(By.CSS_SELECTOR, "main a[href^='/proposals/']").get_attribute("href")
    joan.approves(hook).says("1 of 2 given", "https://desk.example.com/hook")
    grace.approves(hook).says("accepted")
    for person in (joan, grace):
        assert secret not in person.browser.page_source, "a secret is told to nobody else"
    ada.open("/webhooks").says("https://desk.example.com/hook").looks("webhooks").open("/webhooks/desk").says("CloudEvents, signed").looks("webhook")
    ada.presses("Propose to remove it").says("0 of 2 given")

    # The record, verified in this browser.
    ada.open("/entries/3")
    ada.browser.find_element(By.CSS_SELECTOR, "[data-verify] button").click()
    ada.says("Verified. Entry 3 is in the log").looks("entry")
    ada.browser.execute_script("const shown = document.getElementById('receipt'); const receipt = JSON.parse(shown.textContent); receipt.entry = receipt.entry.replace('a', 'b'); shown.textContent = JSON.stringify(receipt)")
    ada.browser.find_element(By.CSS_SELECTOR, "[data-verify] button").click()
    ada.says("Does not verify")

    attacks(ada, grace, edith)
    copied(joan, ada)
    ada.looks("last")
    for person in (ada, grace, joan, edith):
        person.browser.quit()
    print(f"{len(LOOKED_AT)} pages looked at")


def attacks(ada, grace, edith):
    # A form of another session, and one without a token.
    for token in [grace.open("/agents/mm-1").token, ""]:
        status, body = ada.open("/agents/mm-1").posts("/agents/mm-1", {"token": token, "act": "freeze", "reason": "x"})
        assert status == 403 and "another session" in body, (status, body)
    # Another origin: the same house under its address.
    stranger = ORIGIN.replace("localhost", "127.0.0.1")
    ada.browser.get(stranger + "/sign-in")
    status, body = ada.posts("/sign-in", {"challenge": "0" * 64})
    assert status == 403 and "not sent by a page of" in body, (status, body)
    # Nothing changes by a GET.
    ada.open("/agents/mm-1?act=freeze&reason=x").says("active")
    # An authenticator that verifies nobody.
    edith.open("/").presses("Sign out")
    edith.browser.remove_virtual_authenticator()
    edith.authenticator(verified=False)
    edith.open("/sign-in").presses("Sign in with a passkey").says("The passkey was not used")
    # Policy of the browser: nothing inline, no frames.
    ada.open("/")
    ada.browser.execute_script("const script = document.createElement('script'); script.textContent = \"document.title = 'owned'\"; document.body.append(script)")
    assert "owned" not in ada.browser.title, "inline scripts do not run"
    # The session of an officer who was removed is over at once.
    ada.open("/officers").unfolds("Remove grace")
    ada.browser.find_element(By.ID, "reason-grace").send_keys("left the firm")
    ada.presses("Remove grace from office").says("no")
    grace.open("/agents").says("Sign in with a passkey").presses("Sign in with a passkey").says("not one of an officer in office")


def copied(joan, ada):
    """A copy of a passkey that was made some signatures ago: refused, and everybody is told."""
    held = joan.browser.get_credentials()[0]
    assert held.sign_count > 1, held.sign_count
    copy = Credential.create_resident_credential(
        bytes_of(held.id), held.rp_id, bytes_of(held.user_handle), bytes_of(held.private_key), held.sign_count - 2
    )
    joan.browser.remove_virtual_authenticator()
    joan.authenticator(verified=True)
    joan.browser.add_credential(copy)
    joan.open("/").presses("Sign out").open("/sign-in").presses("Sign in with a passkey").says("a copy of it may be in use")
    ada.open("/").says("A passkey of joan")


def bytes_of(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    main()
