#!/usr/bin/env python3
"""Looks at every page of a house whose texts are hostile, and types the same into every form; nothing of it may run.

    hostile.py '{"origin": ..., "links": {"joan": ...}, "corpus": [...], "pages": [...], "templates": FOLDER, "pictures": FOLDER-OR-EMPTY}'

Exit code 0 when no page did anything with them but show them.
"""

import re
from pathlib import Path
from urllib.parse import quote

from officers import GIVEN, By, Person

CORPUS = GIVEN["corpus"]
TEXT = " \n ".join(CORPUS)
# A text of one kind that ends attributes, for fields that have room for little.
SHORT = CORPUS[4]

# Before anything of a page: whatever the corpus would do tells of itself, and so does what the policy stops.
SENTINEL = """(() => {
  const ran = [];
  Object.defineProperty(window, "whatRan", { value: ran });
  Object.defineProperty(window, "hostile", { get: () => () => ran.push("a text was called"), set: () => ran.push("a text ran") });
  for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = () => ran.push(name);
  document.addEventListener("securitypolicyviolation", (event) => ran.push(`the policy stopped ${event.effectiveDirective} of ${event.blockedURI} ${event.sample}`));
})()"""

# What stands on the page that no template has.
FOREIGN = """const [elements, origin] = arguments;
const found = [...window.whatRan];
for (const element of document.querySelectorAll("*")) {
  if (!elements.includes(element.localName)) found.push(`an element ${element.localName}`);
  if (element.localName === "script" && !(element.src.startsWith(`${origin}/assets/`) && element.textContent === "")) found.push("a script of no file");
  for (const { name, value } of element.attributes) {
    if (name.startsWith("on") || ["srcdoc", "style", "target"].includes(name)) found.push(`an attribute ${name} of ${element.localName}`);
    const leads = ["href", "src", "action", "formaction", "data", "xlink:href"].includes(name);
    if (leads && !(/^[/#]/.test(value) && !value.startsWith("//"))) found.push(`${element.localName} leads to ${value}`);
  }
}
if (document.createTreeWalker(document, NodeFilter.SHOW_COMMENT).nextNode()) found.push("a comment");
if (!document.title.endsWith("Mandatum")) found.push(`the title ${document.title}`);
return found;"""

# All that a reader can find: text, folded or not, and what stands in fields.
SHOWN = """return document.body.textContent + "\\n" + Array.from(document.querySelectorAll("input, textarea"), (field) => field.value).join("\\n")"""

# The forms, each with the names of its fields and the buttons that send it.
FORMS = """return Array.from(document.forms, (form) => ({
  action: form.getAttribute("action") ?? location.pathname,
  method: form.method,
  names: Array.from(form.elements, (field) => field.name).filter(Boolean),
  buttons: Array.from(form.querySelectorAll("button[name]"), (button) => [button.name, button.value]),
}))"""

# Fills a form past every bound that the page itself sets, and sends it as the browser would.
SEND = """const [place, text, button] = arguments;
const form = document.forms[place];
for (const field of Array.from(form.elements)) {
  if (!field.name || field.type === "hidden" || field.type === "checkbox" || field.localName === "button") continue;
  if (field.localName === "select") field.append(new Option(text, text, true, true));
  else {
    if (field.localName === "input") field.type = "text";
    field.removeAttribute("maxlength");
    field.value = field.localName === "input" ? text.replaceAll("\\n", " ") : text;
  }
}
if (button) {
  const sent = document.createElement("input");
  [sent.type, sent.name, sent.value] = ["hidden", ...button];
  form.append(sent);
}
HTMLFormElement.prototype.submit.call(form);"""


def elements():
    """What templates are made of."""
    texts = (file.read_text() for file in Path(GIVEN["templates"]).glob("*.html"))
    return sorted({name for text in texts for name in re.findall(r"<([a-z][a-z0-9]*)", text)})


ELEMENTS = elements()


class Reader(Person):
    """An officer whose pages tell what ran in them."""

    def __init__(self, name):
        super().__init__(name)
        self.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SENTINEL})

    def harmless(self, what):
        """The page did nothing but show; what it shows."""
        self.until(lambda: self.browser.execute_script("return document.readyState") == "complete", f"{what} should be there")
        found = self.browser.execute_script(FOREIGN, ELEMENTS, GIVEN["origin"])
        assert not found, f"{what}: {found[:5]}"
        return self.browser.execute_script(SHOWN)

    def sends(self, page, place, form, text, button):
        """Fills the form, and looks at what comes back; nothing when what was sent before has taken the form away."""
        self.open(page)
        known = self.browser.execute_script(FORMS)
        if place >= len(known) or known[place]["names"] != form["names"]:
            return ""
        old = self.browser.find_element(By.TAG_NAME, "html")
        self.browser.execute_script(SEND, place, text, button)

        def gone():
            try:
                old.is_enabled()
                return False
            except Exception:
                return True

        self.until(gone, f"form {place} of {page} was sent")
        return self.harmless(f"{page}, form {place} sent with {button}")


def everything(reader, what):
    """Looks at all pages; those on which the texts stand, each whole."""
    carrying = {}
    # What a search, or the beginning of a list, says again.
    asked = [f"/entries?{name}={quote(SHORT)}" for name in ("agent", "kind", "decision", "code", "from", "until", "before")]
    lists = [f"/{one}?after={quote(SHORT)}" for one in ("agents", "applications", "incidents", "proposals")]
    for page in GIVEN["pages"] + asked + lists + [f"/applications/new?agent={quote(SHORT)}"]:
        shown = reader.open(page).harmless(f"{page}, {what}")
        told = [text for text in CORPUS if text in shown]
        if told:
            carrying[page] = len(told)
    return carrying


def forms(reader):
    """Each form once, by where it goes and what it asks, with each of its buttons."""
    known, echoed = set(), 0
    for page in GIVEN["pages"]:
        reader.open(page)
        for place, form in enumerate(reader.browser.execute_script(FORMS)):
            for button in form["buttons"] or [None]:
                # Agents, mandates and proposals have the same form each: one of a kind is enough.
                kind = (re.sub(r"[a-z]+-[0-9a-f]+|\d+", "N", form["action"]), tuple(form["names"]), tuple(button or ()))
                # Verified in the browser, and sent to nobody: the entry's page is looked at as it is.
                if kind in known or form["action"] == "/sign-out" or form["action"] == page and form["names"] == ["key"]:
                    continue
                known.add(kind)
                # An address has its own bound.
                for text in (SHORT,) if form["method"] == "get" else (TEXT, SHORT):
                    shown = reader.sends(page, place, form, text, button)
                    echoed += SHORT in shown
    return known, echoed


def main():
    joan = Reader("joan")
    joan.open(GIVEN["links"]["joan"]).says("Become an officer").fills(name="A Person").presses("Go on")
    joan.says("You will be officer joan").presses("Make a passkey").says("Passkeys of joan")
    carrying = everything(joan, "under the policy")
    whole = [page for page, told in carrying.items() if told == len(CORPUS)]
    print(f"{len(GIVEN['pages'])} pages, all texts on {len(whole)}: {', '.join(whole)}")
    # Two applications and the refused one with purpose, rationale and question; the review, as it was proposed and as it was signed.
    assert len(whole) >= 5, carrying
    joan.open(whole[0]).looks("hostile")
    known, echoed = forms(joan)
    print(f"{len(known)} forms sent, hostile text shown again {echoed} times")
    assert len(known) >= 25 and echoed >= 20, (known, echoed)
    # What the policy would have stopped, were it not there: nothing.
    joan.browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    everything(joan, "without the policy")
    joan.open("/agents").presses("Sign out").says("Sign in")
    for page in ["/sign-in", "/sign-in?next=%22%3E%3Cimg%20src%3Dx%20onerror%3Dhostile()%3E", "/join"]:
        joan.open(page).harmless(page)
        for place, form in enumerate(joan.browser.execute_script(FORMS)):
            joan.sends(page, place, form, SHORT, None)
    joan.browser.quit()


if __name__ == "__main__":
    main()
