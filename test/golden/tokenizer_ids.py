"""Encodes and decodes texts with folders that savePretrained wrote, by Hugging Face tokenizers and by transformers.

Arguments: a JSON file with a list of texts, then folders. Prints a JSON list, for each folder and each text its ids, their
offsets in code points, and what is decoded of them with and without special tokens. tokenizers/ids.json holds what it
prints for the texts that stand there, without the offsets.
"""

import json
import os
import sys

from tokenizers import Tokenizer
from transformers import AutoTokenizer


def report(folder, texts):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    auto = AutoTokenizer.from_pretrained(folder)
    results = []
    for text in texts:
        encoding = tokenizer.encode(text)
        ids = auto(text)["input_ids"]
        if ids != encoding.ids:
            raise SystemExit(f"{folder}: transformers has {ids} for {text!r}, tokenizers {encoding.ids}")
        decoded = [tokenizer.decode(ids, skip_special_tokens=skip) for skip in (False, True)]
        if decoded != [auto.decode(ids, skip_special_tokens=skip) for skip in (False, True)]:
            raise SystemExit(f"{folder}: transformers decodes {ids} otherwise than tokenizers, {decoded}")
        results.append({"ids": ids, "offsets": encoding.offsets, "decoded": decoded})
    return results


with open(sys.argv[1], encoding="utf-8") as file:
    texts = json.load(file)
json.dump([report(folder, texts) for folder in sys.argv[2:]], sys.stdout)
