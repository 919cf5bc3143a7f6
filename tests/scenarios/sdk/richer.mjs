// Drives an edge with an official SDK of Node's: a picture, an answer in a form, thoughts over two turns, and a limit. Prints JSON.

const [sdk, url, key, picture, ...models] = process.argv.slice(2);

const folder = process.env.SLUICE_TEST_NODE_MODULES;
const { createRequire } = await import("node:module");
const { pathToFileURL } = await import("node:url");
const require = createRequire(`${folder}/`);
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);

const [LOOK, LINK] = ["What is this?", "https://pictures.example/dot.png"];
const [COUNT, THINK, NOW, FAIL] = ["How many?", "Think first.", "And now?", "Please fail."];
const FORM = {
  type: "object",
  properties: { zebra_count: { type: "integer" } },
  required: ["zebra_count"],
  additionalProperties: false,
};
const user = (content) => ({ role: "user", content });

const askers = {
  async chat() {
    const { default: OpenAI } = await load("openai");
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
    const ask = async (model, messages, more = {}) =>
      (await client.chat.completions.create({ model, messages, ...more })).choices[0].message;
    return {
      look: async (model, link) =>
        (await ask(model, [user([{ type: "text", text: LOOK }, { type: "image_url", image_url: { url: link } }])])).content,
      form: async (model) => {
        const json_schema = { name: "zoo", schema: FORM, strict: true };
        return (await ask(model, [user(COUNT)], { response_format: { type: "json_schema", json_schema } })).content;
      },
      think: async (model) => {
        const more = { reasoning_effort: "low" };
        const first = await ask(model, [user(THINK)], more);
        return [first.reasoning_content ?? null, (await ask(model, [user(THINK), first, user(NOW)], more)).content];
      },
      fail: (model) => ask(model, [user(FAIL)]),
    };
  },
  async responses() {
    const { default: OpenAI } = await load("openai");
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
    const ask = (model, input, more = {}) => client.responses.create({ model, input, store: false, ...more });
    return {
      look: async (model, link) => {
        const image = { type: "input_image", image_url: link, detail: "auto" };
        return (await ask(model, [user([{ type: "input_text", text: LOOK }, image])])).output_text;
      },
      form: async (model) => {
        const format = { type: "json_schema", name: "zoo", schema: FORM, strict: true };
        return (await ask(model, [user(COUNT)], { text: { format } })).output_text;
      },
      think: async (model) => {
        const more = { reasoning: { effort: "low", summary: "auto" }, include: ["reasoning.encrypted_content"] };
        const first = await ask(model, [user(THINK)], more);
        const thoughts = first.output.filter((it) => it.type === "reasoning").flatMap((it) => it.summary);
        const second = await ask(model, [user(THINK), ...first.output, user(NOW)], more);
        return [thoughts.map((it) => it.text).join("") || null, second.output_text];
      },
      fail: (model) => ask(model, [user(FAIL)]),
    };
  },
  async messages() {
    const { default: Anthropic } = await load("@anthropic-ai/sdk");
    const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
    const ask = (model, messages, more = {}) => client.messages.create({ model, max_tokens: 4000, messages, ...more });
    const text = (answer) => answer.content.filter((it) => it.type === "text").map((it) => it.text).join("");
    return {
      look: async (model, link) => {
        const source = link.startsWith("data:")
          ? { type: "base64", media_type: "image/png", data: picture }
          : { type: "url", url: link };
        return text(await ask(model, [user([{ type: "image", source }, { type: "text", text: LOOK }])]));
      },
      form: async (model) => {
        const format = { type: "json_schema", schema: FORM };
        return text(await ask(model, [user(COUNT)], { output_config: { format } }));
      },
      think: async (model) => {
        const more = { thinking: { type: "enabled", budget_tokens: 1024 } };
        const first = await ask(model, [user(THINK)], more);
        const thoughts = first.content.filter((it) => it.type === "thinking").map((it) => it.thinking);
        const said = [user(THINK), { role: "assistant", content: first.content }, user(NOW)];
        return [thoughts.join("") || null, text(await ask(model, said, more))];
      },
      fail: (model) => ask(model, [user(FAIL)]),
    };
  },
  async ai() {
    const { generateText, jsonSchema, Output } = await load("ai");
    const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
    const provider = createOpenAICompatible({
      name: "edge",
      baseURL: `${url}/v1`,
      apiKey: key,
      supportsStructuredOutputs: true,
      // Otherwise it fetches pictures itself.
      supportedUrls: () => ({ "image/*": [/^https:/] }),
    });
    const ask = (model, messages, more = {}) => generateText({ model: provider(model), messages, maxRetries: 0, ...more });
    return {
      look: async (model, link) => {
        const image = { type: "file", data: link.startsWith("data:") ? picture : new URL(link), mediaType: "image/png" };
        return (await ask(model, [user([{ type: "text", text: LOOK }, image])])).text;
      },
      form: async (model) => {
        const output = Output.object({ schema: jsonSchema(FORM) });
        const answer = await ask(model, [user(COUNT)], { output });
        // What it has read of it, written as it came.
        return JSON.stringify(answer.output);
      },
      think: async (model) => {
        const more = { providerOptions: { edge: { reasoningEffort: "low" } } };
        const first = await ask(model, [user(THINK)], more);
        const second = await ask(model, [user(THINK), ...first.response.messages, user(NOW)], more);
        return [first.reasoningText ?? null, second.text];
      },
      fail: (model) => ask(model, [user(FAIL)]),
    };
  },
};

// What it says, or the status that it was refused with.
async function attempted(ask) {
  try {
    return await ask();
  } catch (error) {
    const status = error.status ?? error.statusCode;
    if (status === undefined) throw error;
    return status;
  }
}

// The status and what it says of when to ask again, as the SDK's error has it.
async function limited(ask) {
  try {
    await ask();
  } catch (error) {
    const after = error.headers?.get?.("retry-after") ?? error.responseHeaders?.["retry-after"] ?? null;
    return [error.status ?? error.statusCode ?? null, after];
  }
  return null;
}

const asker = await askers[sdk]();
const seen = {};
for (const model of models) {
  seen[model] = {
    picture: await attempted(() => asker.look(model, `data:image/png;base64,${picture}`)),
    link: await attempted(() => asker.look(model, LINK)),
    form: await attempted(() => asker.form(model)),
    thoughts: await attempted(() => asker.think(model)),
    limit: await limited(() => asker.fail(model)),
  };
}
console.log(JSON.stringify(seen));
