"""Drives an edge with the official OpenAI SDK, as an application would, and prints what it saw as JSON."""

import json
import sys
import time

from openai import AuthenticationError, ConflictError, NotFoundError, OpenAI, RateLimitError

base_url, key, model, question = sys.argv[1:5]
client = OpenAI(base_url=base_url, api_key=key, max_retries=0)


def models():
    listed = client.models.list()
    return {"ids": [it.id for it in listed], "one": client.models.retrieve(model).id}


def chat():
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Say hello."}]
    )
    return {
        "text": answer.choices[0].message.content,
        "model": answer.model,
        "total_tokens": answer.usage.total_tokens,
    }


def ending():
    try:
        answer = client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": "Say hello."}]
        )
    except NotFoundError as why:
        return {"refused": why.code}
    day = client.models.retrieve(model).shutdown_date
    return {"shutdown_date": day, "sunset": answer.headers["sunset"], "refused": None}


def feedback():
    answer = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "Say hello."}]
    )
    request_id = answer.headers["x-sluice-request-id"]

    def say(score):
        body = {"request_id": request_id, **score}
        return client.post("/feedback", cast_to=object, body=body)

    until = time.monotonic() + 20
    kept = None
    while kept is None:
        try:
            kept = say({"thumbs": "up"})
        except NotFoundError as why:
            assert why.code == "request_not_settled" and time.monotonic() < until, why
            time.sleep(0.1)
    try:
        say({"score": 0.5})
        other = None
    except ConflictError as why:
        other = why.code
    return {"id": request_id, "kept": kept, "other": other}


def stream():
    text, usage = "", None
    chunks = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Say hello."}],
        stream=True,
    )
    for chunk in chunks:
        assert chunk.choices, "a chunk that nobody asked for came through"
        text += chunk.choices[0].delta.content or ""
        usage = usage or chunk.usage
    return {"text": text, "usage_seen": usage is not None}


def stream_with_usage():
    with client.chat.completions.stream(
        model=model,
        messages=[{"role": "user", "content": "Say hello."}],
        stream_options={"include_usage": True},
    ) as events:
        for _ in events:
            pass
        answer = events.get_final_completion()
    return {
        "text": answer.choices[0].message.content,
        "total_tokens": answer.usage.total_tokens,
    }


def complete():
    answer = client.completions.create(model=model, prompt="Say hello.")
    return {"text": answer.choices[0].text}


def embed():
    answer = client.embeddings.create(model=model, input="hello")
    return {"first": answer.data[0].embedding[:3], "count": len(answer.data)}


def errors():
    seen = {}
    try:
        OpenAI(base_url=base_url, api_key="slc_live_wrong", max_retries=0).models.list()
    except AuthenticationError as error:
        seen["wrong_key"] = error.code
    try:
        client.chat.completions.create(model="no-such-model", messages=[])
    except NotFoundError as error:
        seen["unknown_model"] = error.code
    return seen


def limited():
    try:
        for _ in range(50):
            chat()
    except RateLimitError as error:
        return {
            "code": error.code,
            "retry_after": int(error.response.headers["retry-after"]),
        }
    return {"code": None}


print(json.dumps(globals()[question]()))
