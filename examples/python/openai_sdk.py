"""The OpenAI SDK against Slipway: only the address differs. pip install openai"""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("SLIPWAY_URL", "http://127.0.0.1:8000") + "/v1",
    api_key=os.environ.get("SLIPWAY_API_KEY", "none"),
)
model = client.models.list().data[0].id
stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "What is a kludge?"}],
    max_tokens=24,
    stream=True,
    extra_headers={"x-conversation-id": "example"},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
