#!/usr/bin/env python3
"""A bot is stopped by its score; two officers in their browsers let it trade again for some hours, under a small mandate signed ahead.

    probation.py '{"origin": ..., "links": {"joan": ..., "edith": ..., "mary": ...}, "pictures": FOLDER-OR-EMPTY}'

joan operates, edith is on call and nothing else, mary approves and nothing else. What the bot does is asked for on standard output, a line
`bot: WORDS`, and answered on standard input with a line of JSON. Exit code 0 when all of it is as it should be.
"""

import json
import sys
import time

from officers import GIVEN, By, Person, day

MOST_SECONDS = 600


def bot(*words):
    print("bot:", *words, flush=True)
    return json.loads(sys.stdin.readline())


def joined(name):
    person = Person(name)
    person.open(GIVEN["links"][name]).says("Become an officer").fills(name="A Person").presses("Go on")
    person.says(f"You will be officer {name}").presses("Make a passkey")
    return person.says(f"Passkeys of {name}")


def signed_ahead(joan, mary):
    """On a quiet day: a tenth of the everyday mandate, for four hours after a halt."""
    joan.open("/applications/new?agent=mm-1").fills(
        mandate="m-small", expires=day(20), rationale="so that it need not wait for its review", instruments="BTC_EUR", counterparties="exchange_a",
        per_order="EUR 2000", per_day="EUR 100000", hours="always", regions="eu-west-1", price_collar_bps="900", probation_hours="4", repeat_window_ms="0",
    ).presses("Ask").says("In plain words", "pending").looks("application-probation")
    mary.open("/applications/m-small").says("Your signature").presses("Approve with passkey").says("approved")


def main():
    joan, edith, mary = (joined(name) for name in ["joan", "edith", "mary"])
    signed_ahead(joan, mary)
    for person, path in [(edith, "/"), (mary, "/")]:
        person.open(path).says("What waits")

    stopped = bot("run away")
    halted = time.monotonic()
    assert stopped["status"] == 403, stopped

    # On call, at night: from the incident to the probation, by the links of the pages.
    edith.open("/incidents").says("mm-1")
    edith.browser.find_element(By.CSS_SELECTOR, "main a[href^='/incidents/']").click()
    edith.says("nobody has seen it yet").presses("I am looking at it").says("seen, waits for its review")
    edith.browser.find_element(By.CSS_SELECTOR, "main a[href$='#probation']").click()
    edith.says("Let it trade for 4 h, on probation").presses("Propose probation under m-small")
    edith.says("Let a stopped bot trade for some hours", "m-small").presses("Approve with passkey").says("1 of 2 given")

    # One signature opens nothing: not the bot as it was, and no page says otherwise.
    early = bot("order early 0.02")  # no session opens under the revoked certificate
    assert early["status"] != 200, early
    joan.open("/agents/mm-1").says("revoked")
    assert "On probation" not in joan.text, joan.text

    # The officer finds it by the overview.
    mary.open("/").says("1 of 2 signatures")
    mary.browser.find_element(By.CSS_SELECTOR, "main a[href^='/proposals/']").click()
    mary.says("Your signature").looks("proposal-probation").presses("Approve with passkey").says("accepted")

    # A token for the small mandate; the bot enrols with a new key.
    joan.open("/agents/mm-1").says("On probation").looks("agent-probation")
    row = next(one for one in joan.browser.find_elements(By.CSS_SELECTOR, "form[action$='/token']") if one.find_element(By.NAME, "mandate").get_attribute("value") == "m-small")
    row.find_element(By.TAG_NAME, "button").click()
    joan.says("shown this once")
    enrolled = bot("enrol", joan.browser.find_element(By.CSS_SELECTOR, ".notice code").text)
    assert enrolled == {"enrolled": True, "new_certificate": True}, enrolled

    permitted = bot("order again 0.02")
    seconds = time.monotonic() - halted
    assert permitted["status"] == 200, permitted
    # Small is small.
    assert bot("order large 0.1")["status"] != 200
    print(f"from the halt to a permitted order under a new certificate: {seconds:.0f} s, at most {MOST_SECONDS}")
    assert seconds <= MOST_SECONDS, seconds
    joan.open("/agents/mm-1/orders").says("again")
    for person in (joan, edith, mary):
        person.browser.quit()


if __name__ == "__main__":
    main()
