// Every call of OpenAI's own Node client that Slipway supports, as one script; JSON on its output.
//
//   node openai_script.mjs engine URL MODEL EMBEDDER   what an engine answers itself: run against the
//                                                      gateway and the engine, it gives the same
//   node openai_script.mjs own URL MODEL               what the gateway adds: models, responses, errors
//   node openai_script.mjs leave URL MODEL             leaves three streams; prints their request ids
//   node openai_script.mjs batch URL MODEL             files and a batch, up, run, read, deleted

import OpenAI, { toFile } from "openai";

const [verb, url, model, embedder] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });

const user = (content) => [{ role: "user", content }];
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const TOOL = { type: "function", function: { name: "weather", parameters: CITY } };
const FUNCTION = { type: "function", name: "weather", parameters: CITY, strict: false };
const FORMAT = {
  type: "json_schema",
  json_schema: { name: "answer", schema: { type: "object" }, strict: true },
};

async function all(stream) {
  const items = [];
  for await (const item of await stream) items.push(item);
  return items;
}

async function refusal(call) {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return { kind: error.constructor.name, status: error.status, body: error.error };
  }
  throw new Error("it was answered");
}

async function engine() {
  const chat = (text, more = {}) =>
    client.chat.completions.create({ model, messages: user(text), ...more });
  const complete = (prompt, more = {}) => client.completions.create({ model, prompt, ...more });
  const embed = (input, more = {}) => client.embeddings.create({ model: embedder, input, ...more });
  const streamed = { stream: true, stream_options: { include_usage: true } };
  const helper = client.chat.completions.stream({ model, messages: user("hello there") });
  return {
    chat: await chat("hello there", { temperature: 0.5 }),
    limited: await chat("hi", { max_completion_tokens: 2 }),
    streamed: await all(chat("hello", streamed)),
    helped: await helper.finalChatCompletion(),
    tools: await chat("!tool", { tools: [TOOL] }),
    toolsStreamed: await all(chat("!tool", { tools: [TOOL], ...streamed })),
    structured: await chat("x", { response_format: FORMAT }),
    extra: await chat("x", { top_k: 3 }),
    completion: await complete("once", { max_tokens: 3 }),
    completions: await complete(["once", "upon"]),
    completionStreamed: await all(complete("once", { max_tokens: 3, ...streamed })),
    embedding: await embed("hello"),
    embeddings: await embed(["a", "b"], { encoding_format: "float" }),
    wrong: await refusal(chat("!error400")),
    broken: await refusal(chat("!error500")),
  };
}

async function own() {
  const respond = (input, more = {}) => client.responses.create({ model, input, ...more });
  const helper = client.responses.stream({ model, input: "hello" });
  const brief = ({ kind, status, body }) => ({ kind, status, param: body.param });
  return {
    models: (await all(client.models.list())).map((one) => one.id),
    model: await client.models.retrieve(model),
    response: await respond("hello there", { instructions: "Be short." }),
    call: await respond("!tool", { tools: [FUNCTION] }),
    events: (await all(respond("hello", { stream: true }))).map((event) => event.type),
    helped: (await helper.finalResponse()).output_text,
    unknown: brief(await refusal(client.chat.completions.create({ model: "no", messages: user("x") }))),
    field: brief(await refusal(client.chat.completions.create({ model, messages: [] }))),
    refused: brief(await refusal(respond("x", { previous_response_id: "resp_1" }))),
  };
}

async function leave() {
  const left = [];
  const body = { model, messages: user("x"), stream: true };
  // The stream's own controller, the end of a loop, and a signal of the caller's.
  const { data: stopped, response } = await client.chat.completions.create(body).withResponse();
  left.push(response.headers.get("x-request-id"));
  for await (const _ of stopped) stopped.controller.abort();
  const { data: ended, response: second } = await client.chat.completions
    .create(body)
    .withResponse();
  left.push(second.headers.get("x-request-id"));
  for await (const _ of ended) break;
  const signal = new AbortController();
  const third = await client.chat.completions
    .create(body, { signal: signal.signal })
    .withResponse();
  left.push(third.response.headers.get("x-request-id"));
  for await (const _ of third.data) signal.abort();
  return left;
}

async function batch() {
  const lines = ["hello", "!error400"].map((text, index) =>
    JSON.stringify({
      custom_id: `r${index}`,
      method: "POST",
      url: "/v1/chat/completions",
      body: { model, messages: user(text) },
    }),
  );
  const file = await client.files.create({
    file: await toFile(Buffer.from(lines.join("\n")), "in.jsonl"),
    purpose: "batch",
  });
  let made = await client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  const listed = (await all(client.batches.list())).map((one) => one.id);
  while (!["completed", "failed", "expired", "cancelled"].includes(made.status)) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    made = await client.batches.retrieve(made.id);
  }
  const read = async (id) => JSON.parse(await (await client.files.content(id)).text());
  const deleted = await client.files.delete(file.id);
  return {
    file,
    listed: listed.includes(made.id),
    status: made.status,
    counts: made.request_counts,
    output: await read(made.output_file_id),
    errors: await read(made.error_file_id),
    deleted: deleted.deleted,
  };
}

const verbs = { engine, own, leave, batch };
console.log(JSON.stringify(await verbs[verb]()));
