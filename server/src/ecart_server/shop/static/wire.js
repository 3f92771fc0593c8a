// Sends a request to the API, and retries it under the same idempotency key until it is answered.

const AGAIN = new Set([408, 502, 503, 504]);

// This page's name, of 64 random bits, and its requests are numbered: one at a time, so the cart remembers the last alone.
const page = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(8))))
  .replaceAll("+", "-").replaceAll("/", "_").slice(0, 11);
let sent = 0;
const newKey = () => `~${page}.0.${++sent}`;

// Resolves to {status, etag, body}; calls `trouble(true)` while there is no answer.
export async function send(call, trouble) {
  const headers = { ...call.headers, "Idempotency-Key": newKey() };
  if (call.body) headers["Content-Type"] = "application/json";
  for (let wait = 250; ; wait = Math.min(2 * wait, 2000)) {
    const answer = await once(call, headers).catch(() => null);
    trouble(!answer);
    if (answer) return answer;
    await new Promise((done) => setTimeout(done, wait));
  }
}

async function once({ method, path, body }, headers) {
  const options = { method, headers, body: body && JSON.stringify(body), cache: "no-store" };
  // Scripts are two folders below the root, wherever a proxy serves that. It may also have weakened the ETag header.
  const response = await fetch(new URL(`../..${path}`, import.meta.url), { ...options, signal: AbortSignal.timeout(15000) });
  if (AGAIN.has(response.status)) return null;
  const answer = await response.json(), etag = answer.etag ? `"${answer.etag}"` : response.headers.get("ETag");
  return { status: response.status, etag, body: answer };
}
