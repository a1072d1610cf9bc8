"""Loads folders that savePretrained wrote with Hugging Face transformers and runs each on the same few ids.

Arguments: pairs of class name and folder. Prints a JSON list with what loading reported, and the outputs.
"""

import json
import sys

import torch
import transformers

INPUT_IDS = [[5, 6, 7, 9, 1], [8, 9, 1, 0, 0]]
MASK = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
DECODER_IDS = [[0, 3, 4], [0, 9, 2]]
OUTPUTS = ("logits", "start_logits", "end_logits", "last_hidden_state")


def report(class_name, folder):
    model, info = getattr(transformers, class_name).from_pretrained(
        folder, output_loading_info=True, dtype=torch.float32, attn_implementation="eager"
    )
    model.eval()
    inputs = {"input_ids": torch.tensor(INPUT_IDS), "attention_mask": torch.tensor(MASK)}
    if class_name.endswith("ForConditionalGeneration"):
        inputs["decoder_input_ids"] = torch.tensor(DECODER_IDS)
    with torch.no_grad():
        output = model(**inputs)
    values = {key: output[key].flatten().tolist() for key in OUTPUTS if key in output}
    problems = {key: sorted(map(str, value)) for key, value in info.items() if value}
    return {"problems": problems, "values": values}


arguments = sys.argv[1:]
json.dump([report(*pair) for pair in zip(arguments[::2], arguments[1::2])], sys.stdout)
