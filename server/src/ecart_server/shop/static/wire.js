// Sends one request to the API, again and again under the same name, until there is an answer.

const AGAIN = new Set([408, 502, 503, 504]);

// A name for one press of a button; crypto.randomUUID is there on https only.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Resolves to {status, etag, body}; tells `trouble(true)` while nobody answers.
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
  const sent = { method, headers, body: body && JSON.stringify(body), cache: "no-store" };
  const response = await fetch(path, { ...sent, signal: AbortSignal.timeout(15000) });
  if (AGAIN.has(response.status)) return null;
  return { status: response.status, etag: response.headers.get("ETag"), body: await response.json() };
}
