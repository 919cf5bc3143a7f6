// Drives an edge with the official OpenAI SDK, as an application would, and prints what it saw as JSON.

import { createRequire } from "node:module";

const require = createRequire(process.env.SLUICE_TEST_NODE_MODULES + "/");
const { default: OpenAI } = require("openai");

const [baseURL, apiKey, model, question] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];

const questions = {
  async models() {
    const ids = [];
    for await (const it of client.models.list()) ids.push(it.id);
    return { ids, one: (await client.models.retrieve(model)).id };
  },
  async chat() {
    const answer = await client.chat.completions.create({ model, messages });
    return {
      text: answer.choices[0].message.content,
      model: answer.model,
      total_tokens: answer.usage.total_tokens,
    };
  },
  async stream() {
    let text = "";
    let usage_seen = false;
    const chunks = await client.chat.completions.create({ model, messages, stream: true });
    for await (const chunk of chunks) {
      if (!chunk.choices.length) throw new Error("a chunk that nobody asked for came through");
      text += chunk.choices[0].delta.content ?? "";
      usage_seen ||= Boolean(chunk.usage);
    }
    return { text, usage_seen };
  },
  async stream_with_usage() {
    const stream_options = { include_usage: true };
    const stream = client.chat.completions.stream({ model, messages, stream_options });
    const answer = await stream.finalChatCompletion();
    return { text: answer.choices[0].message.content, total_tokens: answer.usage.total_tokens };
  },
  async complete() {
    const answer = await client.completions.create({ model, prompt: "Say hello." });
    return { text: answer.choices[0].text };
  },
  async embed() {
    const answer = await client.embeddings.create({ model, input: "hello" });
    return { first: answer.data[0].embedding.slice(0, 3), count: answer.data.length };
  },
  async errors() {
    const seen = {};
    const stranger = new OpenAI({ baseURL, apiKey: "slc_live_wrong", maxRetries: 0 });
    await stranger.models.list().catch((error) => (seen.wrong_key = error.code));
    await client.chat.completions
      .create({ model: "no-such-model", messages })
      .catch((error) => (seen.unknown_model = error.code));
    return seen;
  },
};

console.log(JSON.stringify(await questions[question]()));
