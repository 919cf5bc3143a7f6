"""Works out `costs.tsv` anew, in exact fractions and by none of our code: `python3 costs.py > costs.tsv`.

Takes the counts that were worked out by hand for every fixture and recording, and the published prices as they stand in
their file. A counter without a rate makes a cost unknown, save that reasoning costs what output does and what a cache
served costs what input does. What is off is taken off the sum; the sum is rounded up to a whole nano-dollar.
"""

from fractions import Fraction
from math import ceil
from pathlib import Path

HERE = Path(__file__).parent
USAGE = HERE / "../../../../edge/dialect/tests/usage"
COUNTERS = "input cached_input cache_write cache_write_hour audio_input output reasoning audio_output".split()
# By family: kind, model, region, tier, and hundredths of a percent that are off.
TARGETS = {
    "chat": [
        ("openai", "gpt-4o", "", "standard", 0),
        ("openai", "gpt-5-nano", "", "flex", 825),
        ("mistral", "mistral-medium-2508", "", "standard", 3333),
    ],
    "responses": [("openai", "gpt-4.1", "", "standard", 0), ("openai", "o4-mini", "", "priority", 1)],
    "messages": [
        ("anthropic", "claude-sonnet-4-5*", "", "standard", 0),
        ("anthropic", "claude-3-haiku*", "", "standard", 1250),
    ],
    "gemini": [("gemini", "gemini-2.5-pro", "", "standard", 0), ("gemini", "gemini-2.5-flash", "", "standard", 777)],
    "converse": [
        ("bedrock", "*anthropic.claude-sonnet-4-20250514-v1:0", "us-east-1", "standard", 0),
        ("bedrock", "*amazon.nova-micro-v1:0", "us-west-2", "standard", 10000),
    ],
    "cohere": [("cohere", "command-r7b-12-2024", "", "standard", 0)],
}


def rows(path):
    lines = path.read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def prices():
    head, *lines = rows(HERE / "../../prices/published.tsv")
    return [dict(zip(head, line)) for line in lines]


def pick(all_prices, target, prompt):
    fits = [
        it
        for it in all_prices
        if (it["kind"], it["model"], it["region"], it["tier"]) == target[:4]
        and prompt > int(it["above_input_tokens"]) - (it["above_input_tokens"] == "0")
    ]
    return max(fits, key=lambda it: (it["valid_from"], int(it["above_input_tokens"])))


def cost(price, counts, off):
    total = Fraction(0)
    for counter, count in zip(COUNTERS, counts):
        if count == 0:
            continue
        rate = price.get(counter, "")
        if rate == "" and counter == "reasoning":
            rate = price["output"]
        if rate == "" and counter == "cached_input":
            rate = price["input"]
        if rate == "":
            return "unknown"
        total += count * Fraction(rate) / 1_000_000
    return str(ceil(total * (10_000 - off) / 10_000 * 10**9))


def main():
    all_prices = prices()
    print("# What the counts of each fixture and recording cost, by costs.py. Name, price, what is off, nano-dollars.")
    for table in ("own.tsv", "recordings.tsv"):
        for name, family, *counts in rows(USAGE / table):
            if counts == ["-"]:
                continue
            counts = [int(it) for it in counts]
            for target in TARGETS.get(family, []):
                it = pick(all_prices, target, sum(counts[:5]))
                columns = ("kind", "model", "region", "tier", "above_input_tokens", "valid_from")
                reference = "published:" + "/".join(it[column] for column in columns)
                print(name, reference, target[4], cost(it, counts, target[4]), sep="\t")


main()
