"""Drives an edge with official SDKs where nothing is modelled, and prints what it saw as JSON."""

import asyncio
import hashlib
import io
import json
import sys

url, key, question = sys.argv[1:4]


def openai(path):
    from openai import OpenAI

    return OpenAI(base_url=f"{url}{path}", api_key=key, max_retries=0)


async def realtime():
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    seen, text = [], ""
    async with client.realtime.connect(model="chat") as connection:
        await connection.session.update(session={"type": "realtime", "instructions": "Be kind."})
        for _ in range(2):
            await connection.response.create()
            async for event in connection:
                seen.append(event.type)
                if event.type == "response.output_text.delta":
                    text += event.delta
                if event.type == "response.done":
                    break
    return {"seen": seen, "text": text}


async def realtime_refused():
    from openai import AsyncOpenAI
    from websockets.exceptions import InvalidStatus

    client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    try:
        async with client.realtime.connect(model="nothing"):
            return {}
    except InvalidStatus as why:
        body = json.loads(why.response.body)
        return {"status": why.response.status_code, "code": body["error"]["code"]}


async def realtime_ended():
    """Waits until somebody else ends the socket."""
    from openai import AsyncOpenAI
    from websockets.exceptions import ConnectionClosed

    client = AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    connection = await client.realtime.connect(model="chat").enter()
    print("open", file=sys.stderr, flush=True)
    try:
        while True:
            await connection.recv_bytes()
    except ConnectionClosed as why:
        return {"code": why.rcvd.code, "reason": why.rcvd.reason}


def files():
    client = openai("/passthrough/main")
    data = b"\0sound and pictures\r\n" * 100_000
    made = client.files.create(file=("a.bin", io.BytesIO(data)), purpose="batch")
    got = client.files.content(made.id).read()
    gone = client.files.delete(made.id)
    return {
        "id": made.id,
        "same": hashlib.sha256(got).hexdigest() == hashlib.sha256(data).hexdigest(),
        "deleted": gone.deleted,
        "ids": [it.id for it in client.files.list()],
    }


def images():
    made = openai("/passthrough/main").images.generate(model="gpt-image-1", prompt="a cat")
    return {"data": made.data[0].b64_json, "total_tokens": made.usage.total_tokens}


def models():
    from anthropic import Anthropic
    from google import genai
    from google.genai import types

    anthropic = Anthropic(base_url=url, api_key=key, max_retries=0)
    gemini = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, api_version="v1beta"))
    return {
        "anthropic": [it.id for it in anthropic.models.list(limit=1)],
        "anthropic_one": anthropic.models.retrieve("chat").display_name,
        "gemini": [it.name for it in gemini.models.list(config={"page_size": 1})],
        "gemini_one": gemini.models.get(model="chat").name,
        "openai": [it.id for it in openai("/v1").models.list()],
    }


answer = globals()[question]()
if asyncio.iscoroutine(answer):
    answer = asyncio.run(answer)
print(json.dumps(answer))
