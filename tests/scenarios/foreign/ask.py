"""Asks a server of OpenAI's API, and where there is one, of Anthropic's, by the official SDKs, and prints what it saw as JSON.

`ask.py URL KEY MODEL [anthropic]`
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from openai import APIStatusError, OpenAI

url, key, model = sys.argv[1:4]
client = OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
HELLO = [{"role": "user", "content": "Say hello to the water."}]
SHAPE = {
    "type": "object",
    "properties": {"level": {"enum": ["low", "high"]}},
    "required": ["level"],
}
seen = {}


def whole(messages=HELLO, **more):
    answer = client.chat.completions.create(
        model=model, messages=messages, max_tokens=24, temperature=0, **more
    )
    choice = answer.choices[0]
    used = [answer.usage.prompt_tokens, answer.usage.completion_tokens]
    return {"text": choice.message.content, "end": choice.finish_reason, "tokens": used}


def streamed():
    chunks = client.chat.completions.create(
        model=model, messages=HELLO, max_tokens=24, temperature=0, stream=True
    )
    text, end, count = "", None, 0
    for chunk in chunks:
        for choice in chunk.choices:
            count += bool(choice.delta.content)
            text += choice.delta.content or ""
            end = choice.finish_reason or end
    return {"text": text, "end": end, "in pieces": count > 2}


def refused(**more):
    try:
        whole(**more)
    except APIStatusError as error:
        return error.status_code
    return 200


seen["whole"] = whole()
seen["streamed"] = streamed()
# A stop word that it says after a while.
stopped = whole(stop=["g"])
seen["stopped"] = {"text": stopped["text"], "end": stopped["end"]}
shape = {"type": "json_object", "schema": SHAPE}
seen["shaped"] = json.loads(whole(response_format=shape)["text"])
seen["too long"] = refused(messages=[{"role": "user", "content": "long " * 2000}])
with ThreadPoolExecutor(4) as pool:
    seen["together"] = [it["text"] for it in pool.map(lambda _: whole(), range(4))]

if "anthropic" in sys.argv[4:]:
    from anthropic import Anthropic

    other = Anthropic(base_url=url, api_key=key, max_retries=0)
    ask = {"model": model, "max_tokens": 24, "messages": HELLO, "extra_body": {"temperature": 0}}
    answer = other.messages.create(**ask)
    used = [answer.usage.input_tokens, answer.usage.output_tokens]
    seen["anthropic"] = {"text": answer.content[0].text, "end": answer.stop_reason, "tokens": used}
    with other.messages.stream(**ask) as stream:
        text = "".join(stream.text_stream)
        end = stream.get_final_message().stop_reason
    seen["anthropic streamed"] = {"text": text, "end": end}

print(json.dumps(seen))
