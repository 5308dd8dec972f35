// Asks the browser for a passkey's answer and sends it with the form around the button. What is signed is computed here, from what is shown.
"use strict";

const base64 = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""));
const bytesOf = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const ofUrl = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
const credentials = (form) => (form.dataset.credentials ?? "").split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: ofUrl(id) }));
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function fill(form, name, value) {
  let field = form.querySelector(`input[type=hidden][name="${name}"]`);
  if (!field) {
    field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    form.append(field);
  }
  field.value = value;
}

// SHA-256("mandatum/approve/v1" ‖ nonce ‖ document ‖ decision), after the document shown was hashed here.
async function message(form, decision) {
  const shown = document.getElementById("document").textContent;
  if (hex(await sha256(new TextEncoder().encode(shown))) !== form.dataset.document) {
    throw new Error("What this page shows is not what would be signed. Nothing was signed; tell another officer.");
  }
  const purpose = new TextEncoder().encode("mandatum/approve/v1");
  const parts = [purpose, bytesOf(form.dataset.nonce), bytesOf(form.dataset.document), [decision === "approve" ? 1 : 0]];
  return sha256(Uint8Array.from(parts.flatMap((part) => Array.from(part))));
}

async function get(form, challenge) {
  const asked = { challenge, rpId: form.dataset.party, userVerification: "required", allowCredentials: credentials(form), timeout: 120000 };
  const given = await navigator.credentials.get({ publicKey: asked });
  fill(form, "credential", base64(given.rawId));
  fill(form, "authenticator_data", base64(given.response.authenticatorData));
  fill(form, "client_data", base64(given.response.clientDataJSON));
  fill(form, "signature", base64(given.response.signature));
}

async function make(form) {
  const officer = form.dataset.officer;
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: bytesOf(form.dataset.challenge),
      rp: { id: form.dataset.party, name: "Mandatum" },
      user: { id: new TextEncoder().encode(officer), name: officer, displayName: officer },
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }],
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      excludeCredentials: credentials(form),
      attestation: "direct",
      timeout: 120000,
    },
  });
  fill(form, "client_data", base64(made.response.clientDataJSON));
  fill(form, "attestation", base64(made.response.attestationObject));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const what = form.dataset.passkey;
  if (!what) return;
  event.preventDefault();
  const said = form.querySelector("[data-said]");
  said.hidden = true;
  const decision = event.submitter?.value ?? "";
  try {
    if (what === "sign") {
      if (decision === "reject" && !form.elements.reason?.value.trim()) throw new Error("A refusal needs its reason, for the applicant to read.");
      fill(form, "decision", decision);
      await get(form, await message(form, decision));
    } else if (what === "sign-in") {
      await get(form, bytesOf(form.dataset.challenge));
    } else {
      await make(form);
    }
    form.submit();
  } catch (error) {
    said.textContent = error.name === "NotAllowedError" ? "The passkey was not used: it was cancelled, took too long, or this device has none for you." : error.message;
    said.hidden = false;
    said.focus?.();
  }
});

// The one-time link carries its token behind the "#", which no server sees until the form is sent.
const linked = document.querySelector("form[data-from-link]");
if (linked && /^#[0-9a-f]{64}$/.test(location.hash)) {
  linked.elements.secret.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  linked.elements.name.focus();
}
