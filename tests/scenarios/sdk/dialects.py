"""Drives an edge with an official SDK, holds the same conversation with every model, and prints what it saw as JSON."""

import json
import sys

sdk, url, key = sys.argv[1:4]
models = sys.argv[4:]

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
HELLO, TOOLS, FAIL = "Say hello.", "What is the weather?", "Please fail."


def calls(found):
    """Names and arguments, the arguments as objects."""
    return [[name, json.loads(text) if isinstance(text, str) else text] for name, text in found]


class Chat:
    def __init__(self):
        from openai import APIStatusError, OpenAI

        self.error = APIStatusError
        self.client = OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
        self.tools = [
            {
                "type": "function",
                "function": {"name": "weather", "description": "Tells it.", "parameters": WEATHER},
            }
        ]

    def said(self, answer):
        message = answer.choices[0].message
        found = [(it.function.name, it.function.arguments) for it in message.tool_calls or []]
        return {
            "text": message.content or "",
            "calls": calls(found),
            "tokens": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
        }

    def whole(self, model, text, tools):
        more = {"tools": self.tools} if tools else {}
        messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}]
        return self.said(self.client.chat.completions.create(model=model, messages=messages, **more))

    def stream(self, model, text, tools):
        more = {"tools": self.tools} if tools else {}
        with self.client.chat.completions.stream(
            model=model,
            messages=[{"role": "user", "content": text}],
            stream_options={"include_usage": True},
            **more,
        ) as events:
            for _ in events:
                pass
            return self.said(events.get_final_completion())


class Responses:
    def __init__(self):
        from openai import APIStatusError, OpenAI

        self.error = APIStatusError
        self.client = OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
        self.tools = [
            {"type": "function", "name": "weather", "description": "Tells it.", "parameters": WEATHER, "strict": False}
        ]

    def said(self, answer):
        found = [(it.name, it.arguments) for it in answer.output if it.type == "function_call"]
        return {
            "text": answer.output_text,
            "calls": calls(found),
            "tokens": [answer.usage.input_tokens, answer.usage.output_tokens],
        }

    def whole(self, model, text, tools):
        more = {"tools": self.tools} if tools else {}
        return self.said(
            self.client.responses.create(model=model, instructions="Be kind.", input=text, **more)
        )

    def stream(self, model, text, tools):
        more = {"tools": self.tools} if tools else {}
        with self.client.responses.stream(model=model, input=text, **more) as events:
            for _ in events:
                pass
            return self.said(events.get_final_response())


class Messages:
    def __init__(self):
        from anthropic import Anthropic, APIStatusError

        self.error = APIStatusError
        self.client = Anthropic(base_url=url, api_key=key, max_retries=0)
        self.tools = [{"name": "weather", "description": "Tells it.", "input_schema": WEATHER}]

    def said(self, answer):
        found = [(it.name, it.input) for it in answer.content if it.type == "tool_use"]
        read = answer.usage.cache_read_input_tokens or 0
        written = answer.usage.cache_creation_input_tokens or 0
        return {
            "text": "".join(it.text for it in answer.content if it.type == "text"),
            "calls": calls(found),
            "tokens": [answer.usage.input_tokens + read + written, answer.usage.output_tokens],
        }

    def ask(self, model, text, tools):
        more = {"tools": self.tools} if tools else {}
        messages = [{"role": "user", "content": text}]
        return {"model": model, "max_tokens": 500, "system": "Be kind.", "messages": messages, **more}

    def whole(self, model, text, tools):
        return self.said(self.client.messages.create(**self.ask(model, text, tools)))

    def stream(self, model, text, tools):
        with self.client.messages.stream(**self.ask(model, text, tools)) as events:
            for _ in events:
                pass
            return self.said(events.get_final_message())


class Gemini:
    def __init__(self):
        from google import genai
        from google.genai import errors, types

        self.error = errors.APIError
        options = types.HttpOptions(base_url=url, api_version="v1beta")
        self.client = genai.Client(api_key=key, http_options=options)
        declaration = types.FunctionDeclaration(
            name="weather", description="Tells it.", parameters_json_schema=WEATHER
        )
        off = types.AutomaticFunctionCallingConfig(disable=True)
        tools = [types.Tool(function_declarations=[declaration])]
        self.plain = types.GenerateContentConfig(system_instruction="Be kind.")
        self.tools = types.GenerateContentConfig(tools=tools, automatic_function_calling=off)

    def said(self, answers):
        text, found, usage = "", [], None
        for answer in answers:
            usage = answer.usage_metadata or usage
            for candidate in answer.candidates or []:
                for part in (candidate.content and candidate.content.parts) or []:
                    if part.function_call:
                        found.append((part.function_call.name, part.function_call.args or {}))
                    elif part.text and not part.thought:
                        text += part.text
        output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return {"text": text, "calls": calls(found), "tokens": [usage.prompt_token_count, output]}

    def whole(self, model, text, tools):
        config = self.tools if tools else self.plain
        return self.said([self.client.models.generate_content(model=model, contents=text, config=config)])

    def stream(self, model, text, tools):
        config = self.tools if tools else self.plain
        return self.said(
            list(self.client.models.generate_content_stream(model=model, contents=text, config=config))
        )


def refused(asker, ask):
    try:
        ask()
    except asker.error as error:
        return getattr(error, "status_code", None) or getattr(error, "code", None)
    return None


class Vectors(Chat):
    """Asks for vectors; what it sees has no other form than OpenAI's."""

    def seen(self, model):
        two = self.client.embeddings.create(model=model, input=["hello", "there"])
        one = self.client.embeddings.create(model=model, input="hello", encoding_format="float")
        return {
            "two": [it.embedding for it in two.data],
            "one": [it.embedding for it in one.data],
        }


if sdk == "vectors":
    print(json.dumps({model: Vectors().seen(model) for model in models}))
    sys.exit()

if sdk == "counts":
    counted = {}
    for model in models:
        messages = [{"role": "user", "content": HELLO}]
        anthropic, gemini = Messages().client, Gemini().client
        counted[model] = [
            anthropic.messages.count_tokens(model=model, messages=messages).input_tokens,
            gemini.models.count_tokens(model=model, contents=HELLO).total_tokens,
        ]
    print(json.dumps(counted))
    sys.exit()

asker = {"chat": Chat, "responses": Responses, "messages": Messages, "gemini": Gemini}[sdk]()
seen = {}
for model in models:
    seen[model] = {
        "plain": asker.whole(model, HELLO, False),
        "streamed": asker.stream(model, HELLO, False),
        "tools": asker.whole(model, TOOLS, True),
        "streamed tools": asker.stream(model, TOOLS, True),
        "error": refused(asker, lambda: asker.whole(model, FAIL, False)),
        "streamed error": refused(asker, lambda: asker.stream(model, FAIL, False)),
    }
print(json.dumps(seen))
