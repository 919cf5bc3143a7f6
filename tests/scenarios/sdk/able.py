"""Asks an edge with the official SDKs of OpenAI and of Anthropic what its model cannot do, and prints what they raise."""

import json
import sys

import anthropic
import openai

base_url, key = sys.argv[1:3]
chat = openai.OpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)
claude = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=0)
long = "word " * 20_000
picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
schema = {"name": "s", "schema": {"type": "object"}}
tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def openai_says(text="hi", **more):
    try:
        answer = chat.chat.completions.create(model="chat", messages=[{"role": "user", "content": text}], **more)
    except openai.BadRequestError as error:
        return [error.code, error.param, error.body["message"]]
    return answer.choices[0].message.content


def anthropic_says(text="hi", max_tokens=10, **more):
    try:
        answer = claude.messages.create(
            model="chat", messages=[{"role": "user", "content": text}], max_tokens=max_tokens, **more
        )
    except anthropic.BadRequestError as error:
        return [error.body["error"]["type"], error.body["error"]["message"]]
    return answer.content[0].text


listed = chat.models.retrieve("chat")
print(
    json.dumps(
        {
            "plain": isinstance(openai_says(), str),
            "tools": openai_says(tools=[tool])[:2],
            "image": openai_says([picture])[:2],
            "schema": openai_says(response_format={"type": "json_schema", "json_schema": schema})[:2],
            "output": openai_says(max_tokens=5000),
            "context": openai_says(long)[:2],
            "messages_plain": isinstance(anthropic_says(), str),
            "messages_tools": anthropic_says(tools=[{"name": "f", "input_schema": {"type": "object"}}]),
            "messages_output": anthropic_says(max_tokens=5000),
            "messages_context": anthropic_says(long)[1].split(":")[0],
            "listed": [listed.context_length, listed.max_output_tokens, listed.capabilities],
            "limits": [claude.models.retrieve("chat").max_input_tokens, claude.models.retrieve("chat").max_tokens],
        }
    )
)
