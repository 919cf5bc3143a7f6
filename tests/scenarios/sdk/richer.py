"""Drives an edge with an official SDK: a picture, an answer in a form, thoughts over two turns, and a limit. Prints JSON."""

import base64
import json
import sys

sdk, url, key, picture = sys.argv[1:5]
models = sys.argv[5:]

LOOK, LINK = "What is this?", "https://pictures.example/dot.png"
THINK, NOW, FAIL = "Think first.", "And now?", "Please fail."
FORM = {
    "type": "object",
    "properties": {"zebra_count": {"type": "integer"}},
    "required": ["zebra_count"],
    "additionalProperties": False,
}


class Chat:
    def __init__(self):
        from openai import APIStatusError, OpenAI

        self.error = APIStatusError
        self.client = OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)

    def ask(self, model, messages, **more):
        return self.client.chat.completions.create(model=model, messages=messages, **more).choices[0].message

    def look(self, model, link):
        image = {"type": "image_url", "image_url": {"url": link}}
        content = [{"type": "text", "text": LOOK}, image]
        return self.ask(model, [{"role": "user", "content": content}]).content

    def form(self, model):
        form = {"type": "json_schema", "json_schema": {"name": "zoo", "schema": FORM, "strict": True}}
        return self.ask(model, [{"role": "user", "content": "How many?"}], response_format=form).content

    def think(self, model):
        said = [{"role": "user", "content": THINK}]
        first = self.ask(model, said, reasoning_effort="low")
        thought = (first.model_extra or {}).get("reasoning_content")
        said += [first.model_dump(exclude_none=True), {"role": "user", "content": NOW}]
        return [thought, self.ask(model, said, reasoning_effort="low").content]

    def fail(self, model):
        self.ask(model, [{"role": "user", "content": FAIL}])


class Responses(Chat):
    def ask(self, model, said, **more):
        return self.client.responses.create(model=model, input=said, store=False, **more)

    def look(self, model, link):
        content = [{"type": "input_text", "text": LOOK}, {"type": "input_image", "image_url": link, "detail": "auto"}]
        return self.ask(model, [{"role": "user", "content": content}]).output_text

    def form(self, model):
        form = {"format": {"type": "json_schema", "name": "zoo", "schema": FORM, "strict": True}}
        return self.ask(model, [{"role": "user", "content": "How many?"}], text=form).output_text

    def think(self, model):
        more = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
        said = [{"role": "user", "content": THINK}]
        first = self.ask(model, said, **more)
        thoughts = [part.text for it in first.output if it.type == "reasoning" for part in it.summary]
        said += [it.model_dump(exclude_none=True) for it in first.output] + [{"role": "user", "content": NOW}]
        return ["".join(thoughts) or None, self.ask(model, said, **more).output_text]


class Messages(Chat):
    def __init__(self):
        from anthropic import Anthropic, APIStatusError

        self.error = APIStatusError
        self.client = Anthropic(base_url=url, api_key=key, max_retries=0)

    def ask(self, model, messages, **more):
        return self.client.messages.create(model=model, max_tokens=4000, messages=messages, **more)

    def text(self, answer):
        return "".join(it.text for it in answer.content if it.type == "text")

    def look(self, model, link):
        source = {"type": "url", "url": link}
        if link.startswith("data:"):
            source = {"type": "base64", "media_type": "image/png", "data": picture}
        content = [{"type": "image", "source": source}, {"type": "text", "text": LOOK}]
        return self.text(self.ask(model, [{"role": "user", "content": content}]))

    def form(self, model):
        form = {"output_config": {"format": {"type": "json_schema", "schema": FORM}}}
        return self.text(self.ask(model, [{"role": "user", "content": "How many?"}], extra_body=form))

    def think(self, model):
        more = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        said = [{"role": "user", "content": THINK}]
        first = self.ask(model, said, **more)
        thoughts = [it.thinking for it in first.content if it.type == "thinking"]
        said += [
            {"role": "assistant", "content": [it.model_dump(exclude_none=True) for it in first.content]},
            {"role": "user", "content": NOW},
        ]
        return ["".join(thoughts) or None, self.text(self.ask(model, said, **more))]


class Gemini(Chat):
    def __init__(self):
        from google import genai
        from google.genai import errors, types

        self.error, self.types = errors.APIError, types
        options = types.HttpOptions(base_url=url, api_version="v1beta")
        self.client = genai.Client(api_key=key, http_options=options)

    def ask(self, model, contents, **more):
        config = self.types.GenerateContentConfig(**more)
        return self.client.models.generate_content(model=model, contents=contents, config=config)

    def look(self, model, link):
        part = self.types.Part.from_uri(file_uri=link, mime_type="image/png")
        if link.startswith("data:"):
            part = self.types.Part.from_bytes(data=base64.b64decode(picture), mime_type="image/png")
        return self.ask(model, [part, LOOK]).text

    def form(self, model):
        form = {"response_mime_type": "application/json", "response_json_schema": FORM}
        return self.ask(model, "How many?", **form).text

    def think(self, model):
        more = {"thinking_config": self.types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)}
        said = [self.types.Content(role="user", parts=[self.types.Part(text=THINK)])]
        first = self.ask(model, said, **more)
        thoughts = [it.text for it in first.candidates[0].content.parts if it.thought and it.text]
        said += [first.candidates[0].content, self.types.Content(role="user", parts=[self.types.Part(text=NOW)])]
        return ["".join(thoughts) or None, self.ask(model, said, **more).text]

    def fail(self, model):
        self.ask(model, FAIL)


def attempted(asker, ask):
    """What it says, or the status that it was refused with."""
    try:
        return ask()
    except asker.error as error:
        return getattr(error, "status_code", None) or getattr(error, "code", None)


def limited(asker, ask):
    """The status and what it says of when to ask again, as the SDK's exception has it."""
    try:
        ask()
    except asker.error as error:
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        return [status, headers.get("retry-after")]
    return None


asker = {"chat": Chat, "responses": Responses, "messages": Messages, "gemini": Gemini}[sdk]()
seen = {}
for model in models:
    seen[model] = {
        "picture": attempted(asker, lambda: asker.look(model, f"data:image/png;base64,{picture}")),
        "link": attempted(asker, lambda: asker.look(model, LINK)),
        "form": attempted(asker, lambda: asker.form(model)),
        "thoughts": attempted(asker, lambda: asker.think(model)),
        "limit": limited(asker, lambda: asker.fail(model)),
    }
print(json.dumps(seen))
