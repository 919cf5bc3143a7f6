"""Asks an edge with the official OpenAI SDK what its arguments say, with preferences in `extra_body`, and prints what came of each."""

import json
import sys

from openai import APIStatusError, OpenAI

base_url, key, questions = sys.argv[1:4]
client = OpenAI(base_url=base_url, api_key=key, max_retries=0)


def ask(model, preferences):
    try:
        answer = client.chat.completions.with_raw_response.create(
            model=model,
            messages=[{"role": "user", "content": "Say hello."}],
            extra_body=preferences,
        )
    except APIStatusError as error:
        return {"status": error.status_code, "code": error.code, "param": error.param}
    assert answer.parse().choices[0].message.content
    return {"status": 200, "served": answer.headers["x-sluice-model"]}


print(json.dumps([ask(*question) for question in json.loads(questions)]))
