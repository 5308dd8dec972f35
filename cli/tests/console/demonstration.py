#!/usr/bin/env python3
"""Looks at the pages of a house in which bots have traded, been warned and been stopped, as a further officer.

    demonstration.py '{"origin": ..., "links": {"guest": ...}, "pictures": FOLDER-OR-EMPTY}'

Exit code 0 when every page is as it should be.
"""

from officers import By, Person


def main():
    guest = Person("guest")
    guest.joins()
    guest.open("/").says("What waits for an officer", "Overdue").looks("overview")
    guest.open("/agents").says("Score now").looks("agents")
    rows = guest.browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    stopped = [row.find_element(By.CSS_SELECTOR, "th a").text for row in rows if "revoked" in row.text]
    agents = [row.find_element(By.CSS_SELECTOR, "th a").text for row in rows]
    assert len(agents) == 5 and stopped, agents
    for agent in [stopped[0], next(one for one in agents if one not in stopped)]:
        guest.open(f"/agents/{agent}").says("Today", "Positions", "Orders and scores").looks(f"agent-{agent}")
        assert guest.browser.find_elements(By.CSS_SELECTOR, ".plot rect"), "the scores are drawn"
        guest.open(f"/agents/{agent}/orders").says("most from").looks(f"orders-{agent}")
        guest.open(f"/agents/{agent}/baselines").says("The last week beside it").looks(f"baselines-{agent}")
        guest.open(f"/warnings/{agent}").says("At risk").looks(f"warning-{agent}")
    guest.open("/incidents").looks("incidents")
    guest.browser.find_element(By.CSS_SELECTOR, "main a[href^='/incidents/']").click()
    guest.says("What happened", "the incident was opened").looks("incident")
    guest.open("/entries?kind=agent.revoked").says("agent.revoked").looks("entries")
    # A long entry: its beginning, the whole of it as files, and a proof that the browser fetches to check it.
    guest.open("/entries?kind=baseline.proposed")
    guest.browser.find_element(By.CSS_SELECTOR, "tbody a[href^='/entries/']").click()
    guest.says("It is longer than a page")
    assert not guest.browser.find_elements(By.ID, "receipt"), "a long receipt stands in its file"
    guest.browser.find_element(By.CSS_SELECTOR, "[data-verify] button").click()
    guest.says("Verified. Entry").looks("entry-long")
    guest.browser.quit()


if __name__ == "__main__":
    main()
