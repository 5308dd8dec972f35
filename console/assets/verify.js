// Checks an entry's proof here: leaf hash, inclusion (RFC 9162 §2.1.3.2), and the checkpoint's signature when its key is given.
"use strict";

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(parts.flatMap((part) => Array.from(part)))));
const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const same = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);

// The root that an inclusion proof leads to, with positions as BigInt: a log may be long.
async function rootOf(leaf, index, size, proof) {
  let [fn, sn, hash] = [BigInt(index), BigInt(size) - 1n, leaf];
  if (fn > sn) throw new Error("the entry lies beyond the checkpoint");
  for (const step of proof) {
    if (sn === 0n) throw new Error("the proof is too long");
    if ((fn & 1n) === 1n || fn === sn) {
      hash = await sha256([1], step, hash);
      while ((fn & 1n) === 0n && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else {
      hash = await sha256([1], hash, step);
    }
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  if (sn !== 0n) throw new Error("the proof is too short");
  return hash;
}

async function verdict(receipt, key) {
  const [text, signatures] = receipt.checkpoint.split("\n\n");
  const [origin, size, root] = text.split("\n");
  const leaf = await sha256([0], new TextEncoder().encode(receipt.entry));
  const reached = await rootOf(leaf, receipt.index, size, receipt.proof.map(fromHex));
  if (!same(reached, fromBase64(root))) throw new Error("the proof leads to another root than the checkpoint's");
  const included = `Entry ${receipt.index} is in the log ${origin} of ${size} entries.`;
  if (!key) return `${included} The checkpoint's signature was not checked: give its key, or run mandatum verify.`;
  const publicKey = await crypto.subtle.importKey("raw", fromBase64(key), "Ed25519", false, ["verify"]);
  for (const line of signatures.split("\n").filter(Boolean)) {
    const signature = fromBase64(line.split(" ").at(-1)).slice(4);
    if (await crypto.subtle.verify("Ed25519", publicKey, signature, new TextEncoder().encode(`${text}\n`))) return `${included} The checkpoint's signature verifies under this key.`;
  }
  throw new Error("the checkpoint's signature does not verify under this key");
}

// The receipt stands on the page, or in a file beside it where it is long.
async function receiptOf(form) {
  const shown = document.getElementById("receipt");
  if (shown) return JSON.parse(shown.textContent);
  const answer = await fetch(form.dataset.verify, { redirect: "error" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

document.querySelector("form[data-verify]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const told = form.querySelector("[data-verdict]");
  const receipt = await receiptOf(form).catch(() => null);
  if (!receipt) {
    told.textContent = "Not checked: the receipt could not be read. Load the page again.";
    return;
  }
  try {
    told.textContent = `Verified. ${await verdict(receipt, form.elements.key.value.trim())}`;
  } catch (error) {
    told.textContent = `Does not verify: ${error.message}.`;
  }
});
