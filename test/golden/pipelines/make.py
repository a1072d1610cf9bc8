"""Records what Hugging Face's pipelines give for cases.json, in expected.json.

Arguments: the folder that `npx tsx test/pipelines/write-models.ts FOLDER` wrote, then the tasks or cases to record:
transformers 5 has no pipelines of question-answering, summarization, translation and text2text-generation, so these need
transformers 4; so does "tokens windows", as tokenizers 0.23 reads too little of a text that overflows.
Expected values are float64's; the tolerance of a case is 16 times what float32 differs from them, at least 2e-6 of the
largest.
"""

import json
import os
import re
import sys

import torch
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = {
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "fill-mask": "AutoModelForMaskedLM",
    "feature-extraction": "ElectraModel",
    "replaced-token-detection": "ElectraForPreTraining",
    "text2text-generation": "AutoModelForSeq2SeqLM",
    "summarization": "AutoModelForSeq2SeqLM",
    "translation": "AutoModelForSeq2SeqLM",
}


def snake(name):
    return re.sub(r"[A-Z]", lambda match: "_" + match.group().lower(), name)


def plain(value):
    """Lists, dictionaries with camelCase keys, and numbers."""
    if isinstance(value, dict):
        return {re.sub(r"_(\w)", lambda m: m.group(1).upper(), key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def detect(model, tokenizer, text):
    encoded = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, return_tensors="pt")
    scores = torch.sigmoid(model(encoded["input_ids"], token_type_ids=encoded["token_type_ids"]).logits)[0]
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
    rows = zip(tokens, scores, encoded["offset_mapping"][0], encoded["special_tokens_mask"][0])
    return [
        {"token": token, "start": offset[0], "end": offset[1], "score": score, "replaced": bool(score >= 0.5)}
        for token, score, offset, special in rows
        if not special
    ]


def run(case, model, tokenizer):
    task, text = case["task"], case["input"]
    options = {snake(key): value for key, value in case.get("options", {}).items()}
    if task == "replaced-token-detection":
        return detect(model, tokenizer, text)
    name = task
    if "src_lang" in options:
        name = f"translation_{options.pop('src_lang')}_to_{options.pop('tgt_lang')}"
    pipe = transformers.pipeline(name, model=model, tokenizer=tokenizer)
    if task == "question-answering":
        return pipe(**text, **options)
    if isinstance(text, dict):
        text = {snake(key): value for key, value in text.items()}
    result = pipe(text, **options)
    switch = {"text-classification": "top_k", "feature-extraction": ""}.get(task, "num_return_sequences")
    unwraps = task in ("text-classification", "feature-extraction") or "generation" in CLASSES[task] or "Seq2Seq" in CLASSES[task]
    return result[0] if unwraps and switch not in options and isinstance(result, list) else result


def numbers(value):
    if isinstance(value, dict):
        return [x for item in value.values() for x in numbers(item)]
    if isinstance(value, list):
        return [x for item in value for x in numbers(item)]
    return [value] if isinstance(value, float) else []


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def record(case, root):
    folder = os.path.join(root, case["model"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    results = []
    for dtype in (torch.float64, torch.float32):
        model = getattr(transformers, CLASSES[case["task"]]).from_pretrained(folder, attn_implementation="eager")
        with torch.no_grad():
            results.append(plain(run(case, model.to(dtype).eval(), tokenizer)))
    exact, single = map(numbers, results)
    worst = max((abs(a - b) for a, b in zip(exact, single)), default=0)
    return {"expected": rounded(results[0]), "tolerance": max(16 * worst, 2e-6 * max(map(abs, exact), default=0))}


root, wanted = sys.argv[1], sys.argv[2:]
cases = json.load(open(os.path.join(HERE, "cases.json")))
path = os.path.join(HERE, "expected.json")
expected = json.load(open(path)) if os.path.exists(path) else {}
for case in cases:
    if case["task"] in wanted or case["name"] in wanted:
        expected[case["name"]] = record(case, root)
known = [case["name"] for case in cases]
with open(path, "w") as file:
    lines = [f"{json.dumps(name)}: {json.dumps(expected[name])}" for name in known if name in expected]
    file.write("{\n" + ",\n".join(lines) + "\n}\n")
