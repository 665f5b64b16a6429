// A client of Slipway with fetch only: Node 18 or later, or a browser.
//
// node client.mjs "What is a kludge?"

const env = globalThis.process?.env ?? {};
const URL_BASE = env.SLIPWAY_URL ?? "http://127.0.0.1:8000";
const KEY = env.SLIPWAY_API_KEY ?? "";

async function call(path, body, headers = {}) {
  const response = await fetch(URL_BASE + path, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      "content-type": "application/json",
      ...(KEY ? { authorization: `Bearer ${KEY}` } : {}),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

/** The default Model continues the text; options: max_new_tokens, temperature, top_p. */
export async function forward(text, options = {}) {
  return (await (await call("/forward", { text, ...options })).json()).generated_text;
}

/** The same for several texts, in their order. */
export async function forwardBatch(texts, options = {}) {
  return (await (await call("/forward_batch", { texts, ...options })).json()).generated_texts;
}

/**
 * Calls onText with each piece of the answer; resolves to {requestId, version}. One conversation id
 * is answered by one version for as long as its share only grows.
 */
export async function chat(model, messages, { conversation, onText, ...options }) {
  const body = { model, messages, stream: true, ...options };
  const response = await call("/v1/chat/completions", body, { "x-conversation-id": conversation });
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const data = line.replace(/^data:/, "").trim();
      if (!line.startsWith("data:") || data === "[DONE]") continue;
      for (const choice of JSON.parse(data).choices) onText(choice.delta.content ?? "");
    }
  }
  return {
    requestId: response.headers.get("x-request-id"),
    version: response.headers.get("x-slipway-version"),
  };
}

/** Say that an answer was bad; it counts in a rollout. */
export async function thumbsDown(requestId) {
  await call("/v1/feedback", { request_id: requestId, thumbs_down: true });
}

async function main(text) {
  const { model_name: model } = await (await call("/metadata")).json();
  console.log("forward:     ", await forward(text, { max_new_tokens: 24 }));
  console.log("forwardBatch:", await forwardBatch([text, "A hacker is"], { max_new_tokens: 12 }));
  let answer = "";
  const { requestId, version } = await chat(model, [{ role: "user", content: text }], {
    conversation: crypto.randomUUID(),
    onText: (piece) => (answer += piece),
    max_tokens: 24,
  });
  console.log("chat:        ", answer);
  console.log(`              (${model} ${version}, request ${requestId})`);
}

if (globalThis.process?.argv[1]?.endsWith("client.mjs")) {
  await main(process.argv.slice(2).join(" ") || "What is a kludge?");
}
