// Live parts of a page are read again when the ledger changed; a connection that drops comes back by itself. Times tell the reader's own.
"use strict";

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) time.title = new Date(time.dateTime).toString();
}

async function again(part) {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  // Whoever is in the middle of something is not interrupted.
  if (!fresh || part.contains(document.activeElement)) return;
  part.replaceChildren(...fresh.childNodes);
  localTimes(part);
}

// What the server is still reading is asked for again, whether or not the ledger changes.
function soon(part) {
  if (part.querySelector("[data-soon]")) setTimeout(() => again(part).catch(() => {}).then(() => soon(part)), 1000);
}

localTimes(document);
const part = document.querySelector("[data-live]");
if (part) {
  soon(part);
  const changes = new EventSource("/live");
  changes.addEventListener("changed", () => again(part).catch(() => {}));
  addEventListener("pagehide", () => changes.close());
}
