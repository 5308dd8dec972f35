// The time that is left before a deadline, beside the deadline itself. It is for the eye: the text holds the moment, the ledger decides.
"use strict";

function left(deadline) {
  const seconds = Math.floor((new Date(deadline) - Date.now()) / 1000);
  if (seconds < 0) return "(the deadline has passed)";
  return `(${Math.floor(seconds / 60)} min ${seconds % 60} s left)`;
}

function count() {
  for (const place of document.querySelectorAll("[data-countdown]")) place.textContent = left(place.dataset.countdown);
}

count();
setInterval(count, 1000);
