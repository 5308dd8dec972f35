// A bot in JavaScript without any package: mutual TLS, signed orders (RFC 9421, RFC 9530), safe repeats.
//
//     node docs/examples/bot.mjs https://localhost:8443 agents/mm-1 ca/house.pem
//
// The folder holds the bot's chain.pem and key.pem; the last is the house root, whom alone the bot trusts as a gateway.

import { createHash, createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";

const SIGNATURE_SECONDS = 30; // the gateway accepts at most 60
const LONGEST_WAIT = 8_000; // milliseconds between repeats

export class Gateway {
  constructor(url, folder, root) {
    this.url = url.replace(/\/$/, "");
    const cert = readFileSync(`${folder}/chain.pem`);
    const key = readFileSync(`${folder}/key.pem`);
    this.key = createPrivateKey(key);
    this.keyid = new X509Certificate(cert).fingerprint256.replaceAll(":", "").toLowerCase();
    // One kept connection: a handshake costs more than an order.
    this.agent = new Agent({ cert, key, ca: readFileSync(root), keepAlive: true, maxSockets: 1, minVersion: "TLSv1.3" });
  }

  // The header fields of a signed order: what the signature covers is the method, where to, and the digest of the body.
  signed(method, path, body) {
    const digest = `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
    const created = Math.floor(Date.now() / 1000);
    const covered = '("@method" "@target-uri" "content-digest" "content-type")';
    const input = `${covered};created=${created};expires=${created + SIGNATURE_SECONDS};nonce="${randomUUID()}";keyid="${this.keyid}"`;
    const base = [
      `"@method": ${method}`,
      `"@target-uri": ${this.url}${path}`,
      `"content-digest": ${digest}`,
      `"content-type": application/json`,
      `"@signature-params": ${input}`,
    ].join("\n");
    const ed25519 = this.key.asymmetricKeyType === "ed25519";
    const signature = sign(ed25519 ? null : "sha256", Buffer.from(base), { key: this.key, dsaEncoding: "ieee-p1363" });
    return { "content-digest": digest, "signature-input": `sig=${input}`, signature: `sig=:${signature.toString("base64")}:` };
  }

  ask(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const sent = request(this.url + path, { method, agent: this.agent, headers, timeout: 10_000 }, (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8");
          resolve({ status: answer.statusCode, headers: answer.headers, body: text ? JSON.parse(text) : null });
        });
      });
      sent.on("timeout", () => sent.destroy(new Error("no answer in time")));
      sent.on("error", reject);
      sent.end(body);
    });
  }

  // Sends an order until its fate is known. A repeat carries the same id and the same terms, so it cannot trade twice.
  async order(terms, patience = 60_000) {
    const body = Buffer.from(JSON.stringify(terms));
    const until = Date.now() + patience;
    for (let wait = 200; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      let answer = null;
      try {
        const headers = { "content-type": "application/json", ...this.signed("POST", "/v1/orders", body) };
        answer = await this.ask("POST", "/v1/orders", body, headers);
        // 202: in doubt, ask again. Unread and unrecorded: the id is still free. All else is final for this id.
        const again = answer.status === 202 || ["RATE_MESSAGES", "LEDGER_UNAVAILABLE"].includes(answer.headers["mandatum-code"]);
        if (!again) return answer;
      } catch (error) {
        // The wrong gateway, or a certificate that it does not take: repeating does not help. Else nobody knows whether it arrived.
        if (/SSL|TLS|CERT/.test(error.code ?? "")) throw error;
      }
      const after = Number(answer?.headers["retry-after"] ?? 0) * 1000 || wait;
      if (Date.now() + after > until) return answer;
      await new Promise((resolve) => setTimeout(resolve, after));
    }
  }
}

async function main([url, folder, root]) {
  const gateway = new Gateway(url, folder, root);
  const order = {
    client_order_id: `js-${randomUUID()}`,
    instrument: "BTC_EUR",
    side: "buy",
    type: "limit",
    quantity: "0.01",
    price: "47000",
    currency: "EUR",
    counterparty: "exchange_a",
    time_in_force: "gtc",
  };
  const [first, again] = [await gateway.order(order), await gateway.order(order)];
  console.log(first.status, first.body.status, again.body.number === first.body.number ? "once" : "TWICE");
  const refused = await gateway.order({ ...order, client_order_id: `js-${randomUUID()}`, quantity: "5" });
  console.log(refused.status, refused.body.code, refused.body.detail);
  const cancelled = await gateway.ask("DELETE", `/v1/orders/${order.client_order_id}`);
  console.log(cancelled.status, "cancelled");
  gateway.agent.destroy();
}

if (import.meta.url === `file://${process.argv[1]}`) await main(process.argv.slice(2));
