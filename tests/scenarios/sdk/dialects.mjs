// Drives an edge with an official SDK of Node's, holds the same conversation with every model, and prints what it saw.

const [sdk, url, key, ...models] = process.argv.slice(2);

const folder = process.env.SLUICE_TEST_NODE_MODULES;
const { createRequire } = await import("node:module");
const { pathToFileURL } = await import("node:url");
const require = createRequire(`${folder}/`);
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);

const weather = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};
const [HELLO, TOOLS, FAIL] = ["Say hello.", "What is the weather?", "Please fail."];

const askers = {
  async chat() {
    const { default: OpenAI } = await load("openai");
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
    const tools = [{ type: "function", function: { name: "weather", parameters: weather } }];
    const said = (answer) => ({
      text: answer.choices[0].message.content ?? "",
      calls: (answer.choices[0].message.tool_calls ?? []).map((it) => [
        it.function.name,
        JSON.parse(it.function.arguments),
      ]),
    });
    const ask = (model, text, withTools) => ({
      model,
      messages: [{ role: "user", content: text }],
      ...(withTools ? { tools } : {}),
    });
    return {
      whole: async (...of) => said(await client.chat.completions.create(ask(...of))),
      stream: async (...of) =>
        said(await client.chat.completions.stream(ask(...of)).finalChatCompletion()),
    };
  },
  async messages() {
    const { default: Anthropic } = await load("@anthropic-ai/sdk");
    const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
    const tools = [{ name: "weather", input_schema: weather }];
    const said = (answer) => ({
      text: answer.content.filter((it) => it.type === "text").map((it) => it.text).join(""),
      calls: answer.content.filter((it) => it.type === "tool_use").map((it) => [it.name, it.input]),
    });
    const ask = (model, text, withTools) => ({
      model,
      max_tokens: 500,
      messages: [{ role: "user", content: text }],
      ...(withTools ? { tools } : {}),
    });
    return {
      whole: async (...of) => said(await client.messages.create(ask(...of))),
      stream: async (...of) => said(await client.messages.stream(ask(...of)).finalMessage()),
    };
  },
  async ai() {
    const { generateText, streamText, jsonSchema, tool } = await load("ai");
    const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
    const provider = createOpenAICompatible({ name: "edge", baseURL: `${url}/v1`, apiKey: key });
    const tools = { weather: tool({ inputSchema: jsonSchema(weather) }) };
    const ask = (model, text, withTools) => ({
      model: provider(model),
      prompt: text,
      maxRetries: 0,
      ...(withTools ? { tools } : {}),
    });
    const called = (found) => found.map((it) => [it.toolName, it.input]);
    return {
      whole: async (...of) => {
        const answer = await generateText(ask(...of));
        return { text: answer.text, calls: called(answer.toolCalls) };
      },
      stream: async (...of) => {
        let failed;
        const answer = streamText({ ...ask(...of), onError: ({ error }) => (failed = error) });
        let text = "";
        for await (const piece of answer.textStream) text += piece;
        if (failed) throw failed;
        return { text, calls: called(await answer.toolCalls) };
      },
    };
  },
};

async function refused(ask) {
  try {
    await ask();
    return null;
  } catch (error) {
    return error.status ?? error.statusCode ?? null;
  }
}

// Vectors have no other form than OpenAI's.
const embedders = {
  async vectors() {
    const { default: OpenAI } = await load("openai");
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
    const ask = async (of) => (await client.embeddings.create(of)).data.map((it) => it.embedding);
    return {
      two: (model) => ask({ model, input: ["hello", "there"] }),
      one: (model) => ask({ model, input: "hello", encoding_format: "float" }),
    };
  },
  async ai_vectors() {
    const { embed, embedMany } = await load("ai");
    const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
    const provider = createOpenAICompatible({ name: "edge", baseURL: `${url}/v1`, apiKey: key });
    const of = (model) => ({ model: provider.embeddingModel(model), maxRetries: 0 });
    return {
      two: async (model) => (await embedMany({ ...of(model), values: ["hello", "there"] })).embeddings,
      one: async (model) => [(await embed({ ...of(model), value: "hello" })).embedding],
    };
  },
};

const seen = {};
if (sdk in embedders) {
  const embedder = await embedders[sdk]();
  for (const model of models) {
    seen[model] = { two: await embedder.two(model), one: await embedder.one(model) };
  }
  console.log(JSON.stringify(seen));
  process.exit();
}

const asker = await askers[sdk]();
for (const model of models) {
  seen[model] = {
    plain: await asker.whole(model, HELLO, false),
    streamed: await asker.stream(model, HELLO, false),
    tools: await asker.whole(model, TOOLS, true),
    "streamed tools": await asker.stream(model, TOOLS, true),
    error: await refused(() => asker.whole(model, FAIL, false)),
    "streamed error": await refused(() => asker.stream(model, FAIL, false)),
  };
}
console.log(JSON.stringify(seen));
