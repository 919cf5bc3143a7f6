"""Asks with a client certificate in place of a key, by the official OpenAI SDK, and prints what it saw as JSON."""

import json
import ssl
import sys

from openai import DefaultHttpxClient, OpenAI

base_url, ca_file, cert_file, key_file = sys.argv[1:5]
context = ssl.create_default_context(cafile=ca_file)
context.load_cert_chain(cert_file, key_file)
client = OpenAI(
    base_url=base_url,
    # The SDK wants one, and the empty header keeps it from being sent.
    api_key="unused",
    default_headers={"Authorization": ""},
    http_client=DefaultHttpxClient(verify=context),
    max_retries=0,
)
answer = client.chat.completions.create(
    model="chat", messages=[{"role": "user", "content": "Say hello."}]
)
print(
    json.dumps(
        {
            "text": answer.choices[0].message.content,
            "owners": sorted({it.owned_by for it in client.models.list()}),
        }
    )
)
