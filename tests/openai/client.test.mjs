// The unmodified `openai` package for Node against a real network. Settings come from the
// environment that `tests/openai/run` prepares.
import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const model = process.env.BUYER_MODEL;
const client = new OpenAI({ timeout: 120_000, maxRetries: 0 });
const messages = [{ role: "user", content: "Name three colours." }];
const tool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 24 } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};
const chat = (more = {}) =>
  client.chat.completions.create({ model, messages, max_completion_tokens: 24, ...more });

test("models", async () => {
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  assert.ok(names.includes(model));
});

test("chat", async () => {
  const answer = await chat();
  assert.ok(answer.choices[0].message.content.trim());
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
  assert.equal(total_tokens, prompt_tokens + completion_tokens);
});

test("streaming with usage", async () => {
  let text = "";
  let usage = null;
  let finish = null;
  const stream = await chat({ stream: true, stream_options: { include_usage: true }, seed: 5 });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.ok(text.trim());
  assert.ok(["stop", "length"].includes(finish));
  assert.ok(usage.completion_tokens > 0);
});

test("seed repeats", async () => {
  const text = async (seed) => (await chat({ seed, temperature: 1 })).choices[0].message.content;
  assert.equal(await text(11), await text(11));
  assert.notEqual(await text(11), await text(12));
});

test("logprobs", async () => {
  const answer = await chat({ logprobs: true, top_logprobs: 2, max_completion_tokens: 3 });
  const entries = answer.choices[0].logprobs.content;
  assert.equal(entries.length, answer.usage.completion_tokens);
  for (const entry of entries) assert.equal(entry.top_logprobs.length, 2);
});

test("a JSON schema parses", async () => {
  const schema = {
    type: "object",
    properties: { colour: { type: "string", enum: ["red", "green", "blue"] } },
    required: ["colour"],
    additionalProperties: false,
  };
  const answer = await chat({
    response_format: { type: "json_schema", json_schema: { name: "c", schema, strict: true } },
    max_completion_tokens: 60,
  });
  const { colour } = JSON.parse(answer.choices[0].message.content);
  assert.ok(["red", "green", "blue"].includes(colour));
});

test("a tool call parses", async () => {
  const answer = await chat({ tools: [tool], tool_choice: "required", max_completion_tokens: 120 });
  const [call] = answer.choices[0].message.tool_calls;
  assert.equal(call.function.name, "get_weather");
  assert.ok("city" in JSON.parse(call.function.arguments));
});

test("two choices", async () => {
  const answer = await chat({ n: 2, temperature: 1 });
  assert.deepEqual(answer.choices.map((choice) => choice.index), [0, 1]);
});

test("responses", async () => {
  const answer = await client.responses.create({
    model,
    input: "Name three colours.",
    max_output_tokens: 24,
  });
  assert.ok(answer.output_text.trim());
});

test("error classes", async () => {
  await assert.rejects(chat({ model: "no-such-model" }), OpenAI.NotFoundError);
  await assert.rejects(chat({ temperature: 9 }), OpenAI.BadRequestError);
  const refused = (apiKey) =>
    new OpenAI({ apiKey, maxRetries: 0 }).chat.completions.create({ model, messages });
  await assert.rejects(refused("sk-remuda-1nonsense"), OpenAI.AuthenticationError);
  await assert.rejects(refused(process.env.BUYER_EXPIRED_KEY), OpenAI.AuthenticationError);
  await assert.rejects(refused(process.env.BUYER_POOR_KEY), OpenAI.RateLimitError);
});

test("cancel", async () => {
  const stream = await chat({ stream: true, max_completion_tokens: 2000 });
  let pieces = 0;
  for await (const _ of stream) {
    pieces += 1;
    if (pieces === 5) stream.controller.abort();
  }
  assert.ok(pieces >= 5 && pieces < 500, `${pieces} pieces came`);
  assert.ok((await chat({ max_completion_tokens: 4 })).choices[0].message);
});
