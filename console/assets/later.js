// A section that takes the server some time is asked for once the page stands, and says how it went. Without scripts its link leads to the same.
"use strict";

// Pages have other scripts, which share one space of names: nothing here leaves this block.
{
  const MOST_TRIES = 60;

  const fetched = async (path) => {
    const answer = await fetch(path, { headers: { accept: "text/html" }, redirect: "error" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.querySelector("[data-part]");
  };

  const load = async (section, tries) => {
    // None when the connection failed, or the session has ended.
    const part = await fetched(section.dataset.later).catch(() => null);
    if (!part) {
      section.querySelector("[data-waits]").hidden = true;
      section.querySelector("[data-failed]").hidden = false;
      return;
    }
    const again = Number(part.dataset.again);
    if (again > 0 && tries < MOST_TRIES) {
      section.querySelector("[data-waits]").textContent = part.dataset.says;
      setTimeout(() => load(section, tries + 1), again * 1000);
      return;
    }
    section.replaceChildren(...part.childNodes);
    section.setAttribute("aria-busy", "false");
  };

  for (const section of document.querySelectorAll("[data-later]")) load(section, 0);
}
