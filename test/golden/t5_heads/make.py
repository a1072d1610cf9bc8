"""Makes the cases of this folder: python make.py, with torch and transformers 5.18. One folder a class: a small random
model, its loss on the batch of the test, and for each parameter the sum of |gradient|."""
import json
from pathlib import Path

import torch
from transformers import (T5Config, T5ForQuestionAnswering, T5ForSequenceClassification, T5ForTokenClassification,
                          UMT5Config, UMT5ForConditionalGeneration)

torch.manual_seed(0)
size = dict(vocab_size=40, d_model=16, d_kv=4, d_ff=24, num_layers=2, num_heads=3, decoder_start_token_id=0)
ids = torch.tensor([[5, 6, 7, 1], [8, 9, 1, 0]])
mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
cases = {
    "sequence_classification": (T5ForSequenceClassification, T5Config(num_labels=3, **size), dict(labels=[2, 0])),
    "token_classification": (T5ForTokenClassification, T5Config(num_labels=3, **size),
                             dict(labels=[[0, 1, 2, 0], [1, 1, 0, -100]])),
    "question_answering": (T5ForQuestionAnswering, T5Config(num_labels=2, **size),
                           dict(start_positions=[1, 0], end_positions=[2, 9])),
    "umt5": (UMT5ForConditionalGeneration, UMT5Config(**size), dict(labels=[[3, 4, 1], [5, 1, -100]])),
}
for name, (cls, config, labels) in cases.items():
    model = cls(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    folder = Path(__file__).parent / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    targets = {key: torch.tensor(value) for key, value in labels.items()}
    loss = model(input_ids=ids, attention_mask=mask, **targets).loss
    loss.backward()
    gradients = {n: p.grad.abs().sum().item() for n, p in model.named_parameters()}
    (folder / "expected.json").write_text(json.dumps({"loss": loss.item(), "gradients": gradients}, indent=2) + "\n")
