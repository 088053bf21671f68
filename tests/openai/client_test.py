"""The unmodified `openai` package for Python against a real network.

Settings come from the environment that `tests/openai/run` prepares.
"""

import json
import os
import time
import unittest

import openai
from openai import OpenAI

MODEL = os.environ["BUYER_MODEL"]
COLOURS = [{"role": "user", "content": "Name three colours."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 24}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


class Client(unittest.TestCase):
    def setUp(self):
        self.client = OpenAI(timeout=120, max_retries=0)
        self.addCleanup(self.client.close)

    def chat(self, **more):
        settings = {"model": MODEL, "messages": COLOURS, "max_completion_tokens": 24}
        return self.client.chat.completions.create(**(settings | more))

    def test_models(self):
        names = [model.id for model in self.client.models.list()]
        self.assertIn(MODEL, names)
        self.assertEqual(self.client.models.retrieve(MODEL).id, MODEL)

    def test_chat(self):
        answer = self.chat()
        self.assertTrue(answer.choices[0].message.content.strip())
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(
            answer.usage.total_tokens,
            answer.usage.prompt_tokens + answer.usage.completion_tokens,
        )

    def test_receipt_header(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model=MODEL, messages=COLOURS, max_completion_tokens=4
        )
        receipt = raw.headers["x-remuda-receipt"]
        found = self.client.get(f"/receipts/{receipt}", cast_to=object)
        self.assertEqual(found["receipts"][0]["receipt"]["body"]["usage"]["units_out"], 4)

    def test_streaming_with_usage(self):
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}, seed=5))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertTrue(text.strip())
        self.assertIsNone(chunks[0].usage)
        self.assertEqual(chunks[-1].choices, [])
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)
        finished = [c for c in chunks if c.choices and c.choices[0].finish_reason]
        self.assertEqual(len(finished), 1)
        whole = self.chat(seed=5).choices[0].message.content
        self.assertEqual(text, whole, "streamed or not, equal seeds give equal answers")

    def test_seed_repeats(self):
        first = self.chat(seed=11, temperature=1.0).choices[0].message.content
        again = self.chat(seed=11, temperature=1.0).choices[0].message.content
        other = self.chat(seed=12, temperature=1.0).choices[0].message.content
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_logprobs(self):
        answer = self.chat(logprobs=True, top_logprobs=3, max_completion_tokens=5, temperature=0)
        entries = answer.choices[0].logprobs.content
        self.assertEqual(len(entries), answer.usage.completion_tokens)
        for entry in entries:
            self.assertLessEqual(entry.logprob, 0)
            self.assertEqual(len(entry.top_logprobs), 3)
            # Greedy: the chosen token is the likeliest.
            self.assertEqual(entry.token, entry.top_logprobs[0].token)

    def test_json_schema(self):
        answer = self.chat(
            messages=[{"role": "user", "content": "Describe a person as JSON."}],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "person", "schema": SCHEMA, "strict": True},
            },
            max_completion_tokens=120,
            seed=3,
        )
        person = json.loads(answer.choices[0].message.content)
        self.assertEqual(set(person), {"name", "age"})
        self.assertIsInstance(person["age"], int)

    def test_json_object(self):
        answer = self.chat(
            messages=[{"role": "user", "content": "A JSON object with one key a of value 1."}],
            response_format={"type": "json_object"},
            max_completion_tokens=200,
            temperature=0,
        )
        if answer.choices[0].finish_reason == "stop":
            self.assertIsInstance(json.loads(answer.choices[0].message.content), dict)
        else:
            self.assertTrue(answer.choices[0].message.content.lstrip().startswith("{"))

    def test_tool_call(self):
        answer = self.chat(
            messages=[{"role": "user", "content": "What is the weather in Paris?"}],
            tools=[TOOL],
            tool_choice="required",
            max_completion_tokens=120,
            seed=1,
        )
        choice = answer.choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        call = choice.message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertIn("city", json.loads(call.function.arguments))
        follow_up = self.chat(
            messages=[
                {"role": "user", "content": "What is the weather in Paris?"},
                choice.message.model_dump(exclude_none=True),
                {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'},
            ],
            tools=[TOOL],
            tool_choice="none",
        )
        self.assertTrue(follow_up.choices[0].message.content)

    def test_streamed_tool_call(self):
        chunks = self.chat(
            messages=[{"role": "user", "content": "What is the weather in Paris?"}],
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "get_weather"}},
            max_completion_tokens=120,
            seed=1,
            stream=True,
        )
        name, arguments, finish = "", "", None
        for chunk in chunks:
            finish = chunk.choices[0].finish_reason or finish
            for call in chunk.choices[0].delta.tool_calls or []:
                name += call.function.name or ""
                arguments += call.function.arguments or ""
        self.assertEqual((name, finish), ("get_weather", "tool_calls"))
        self.assertIn("city", json.loads(arguments))

    def test_two_choices(self):
        answer = self.chat(n=2, seed=21, temperature=1.0)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])
        texts = [choice.message.content for choice in answer.choices]
        self.assertNotEqual(*texts)

    def test_stop(self):
        whole = self.chat(seed=4, temperature=0).choices[0].message.content
        word = whole.split()[2]
        cut = self.chat(seed=4, temperature=0, stop=[word]).choices[0]
        self.assertEqual(cut.finish_reason, "stop")
        self.assertEqual(cut.message.content, whole[: whole.index(word)])

    def test_completions(self):
        answer = self.client.completions.create(
            model=MODEL, prompt="Once upon a time", max_tokens=8, seed=1
        )
        self.assertTrue(answer.choices[0].text)
        self.assertEqual(answer.usage.completion_tokens, 8)

    def test_responses(self):
        answer = self.client.responses.create(
            model=MODEL, input="Name three colours.", max_output_tokens=24
        )
        self.assertTrue(answer.output_text.strip())
        events = [
            event.type
            for event in self.client.responses.create(
                model=MODEL, input="Name three colours.", max_output_tokens=24, stream=True
            )
        ]
        self.assertEqual(events[0], "response.created")
        self.assertIn("response.output_text.delta", events)
        self.assertIn(events[-1], ("response.completed", "response.incomplete"))

    def test_error_classes(self):
        with self.assertRaises(openai.NotFoundError) as unknown:
            self.chat(model="no-such-model")
        self.assertEqual(unknown.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as wrong:
            self.chat(temperature=9)
        self.assertEqual(wrong.exception.param, "temperature")
        for key, error, code in (
            ("sk-remuda-1nonsense", openai.AuthenticationError, "invalid_api_key"),
            (os.environ["BUYER_EXPIRED_KEY"], openai.AuthenticationError, "key_expired"),
            (os.environ["BUYER_POOR_KEY"], openai.RateLimitError, "insufficient_quota"),
        ):
            with self.subTest(code=code), self.assertRaises(error) as refused:
                self.client.with_options(api_key=key).chat.completions.create(
                    model=MODEL, messages=COLOURS
                )
            self.assertEqual(refused.exception.code, code)
        with self.assertRaises(openai.BadRequestError) as long:
            self.chat(messages=[{"role": "user", "content": "word " * 20_000}])
        self.assertEqual(long.exception.code, "context_length_exceeded")

    def test_cancel(self):
        started = time.monotonic()
        with self.chat(stream=True, max_completion_tokens=2000, seed=2) as stream:
            for number, _ in enumerate(stream):
                if number == 5:
                    break
        # The provider is free again: a short answer does not wait for the long one.
        self.chat(max_completion_tokens=4)
        self.assertLess(time.monotonic() - started, 60)


if __name__ == "__main__":
    unittest.main()
