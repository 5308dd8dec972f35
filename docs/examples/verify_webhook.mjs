// Verifies a webhook of Mandatum (Standard Webhooks) with Node's own library.
//
//     import { verify } from "./verify_webhook.mjs";
//     const event = verify(secret, request.headers, rawBody);   // throws when it is not ours, or too old
//
// Give the body as it arrived, as a Buffer: parsing and writing it again changes bytes. During a rotation give both secrets.

import { createHmac, timingSafeEqual } from "node:crypto";

const TOLERANCE_SECONDS = 300;

export function verify(secrets, headers, body, now = Date.now() / 1000) {
  const id = headers["webhook-id"];
  const sent = headers["webhook-timestamp"];
  const given = headers["webhook-signature"];
  if (!id || !sent || !given) throw new Error("not a signed webhook");
  if (!/^\d+$/.test(sent) || Math.abs(now - Number(sent)) > TOLERANCE_SECONDS) throw new Error("too old, or a clock is wrong");
  for (const secret of [secrets].flat()) {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const expected = createHmac("sha256", key).update(`${id}.${sent}.`).update(body).digest();
    for (const one of given.split(" ")) {
      const [version, encoded] = one.split(",", 2);
      const signature = Buffer.from(encoded ?? "", "base64");
      if (version === "v1" && signature.length === expected.length && timingSafeEqual(signature, expected)) {
        return JSON.parse(body.toString("utf8"));
      }
    }
  }
  throw new Error("the signature does not verify");
}
