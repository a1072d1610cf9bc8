# Writes the models that onnx_models.mjs runs, with random weights: export_onnx.py FOLDER.
import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from transformers import ElectraConfig, ElectraForSequenceClassification, T5Config, T5ForConditionalGeneration
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
LAYERS, HEADS, WIDTH = 6, 8, 64


def export(module, args, name, inputs, outputs, axes):
    path = os.path.join(folder, name + ".onnx")
    with torch.no_grad():
        torch.onnx.export(
            module.eval(), args, path, input_names=inputs, output_names=outputs, dynamic_axes=axes,
            opset_version=17, dynamo=False,
        )


class Classifier(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, input_ids, attention_mask):
        return self.net(input_ids=input_ids, attention_mask=attention_mask).logits


class Encoder(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net.encoder

    def forward(self, input_ids, attention_mask):
        return self.net(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


# One token of each row, with the keys and values of all tokens before it and of the source.
class DecoderStep(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, input_ids, source_mask, *past):
        own, cross = DynamicCache(), DynamicCache()
        for layer in range(LAYERS):
            keys, values, cross_keys, cross_values = past[4 * layer : 4 * layer + 4]
            own.update(keys, values, layer)
            cross.update(cross_keys, cross_values, layer)
        cache = EncoderDecoderCache(own, cross)
        cache.is_updated = {layer: True for layer in range(LAYERS)}
        source = torch.zeros(input_ids.shape[0], source_mask.shape[1], self.net.config.d_model)
        decoded = self.net.decoder(
            input_ids=input_ids, encoder_hidden_states=source, encoder_attention_mask=source_mask,
            past_key_values=cache, use_cache=True,
        )
        logits = self.net.lm_head(decoded.last_hidden_state * self.net.config.d_model**-0.5)
        grown = [part for layer in cache.self_attention_cache.layers for part in (layer.keys, layer.values)]
        return (logits, *grown)


small = dict(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024)
base = dict(embedding_size=768, hidden_size=768, num_attention_heads=12, intermediate_size=3072)
ids, mask = torch.randint(1000, 30000, (2, 16)), torch.ones(2, 16, dtype=torch.long)
pair = {"input_ids": {0: "rows", 1: "length"}, "attention_mask": {0: "rows", 1: "length"}}
for name, sizes in (("small", small), ("base", base)):
    net = Classifier(ElectraForSequenceClassification(ElectraConfig(**sizes, num_labels=2)))
    export(net, (ids, mask), f"electra-{name}", list(pair), ["logits"], {**pair, "logits": {0: "rows"}})
t5 = T5ForConditionalGeneration(
    T5Config(vocab_size=32128, d_model=512, d_kv=WIDTH, d_ff=2048, num_layers=LAYERS, num_heads=HEADS)
).eval()
export(Encoder(t5), (ids, mask), "t5-encoder", list(pair), ["hidden"], {**pair, "hidden": {0: "rows", 1: "length"}})
names, past, axes = [], [], {"input_ids": {0: "rows"}, "source_mask": {0: "rows", 1: "source"}}
for layer in range(LAYERS):
    for kind, length in (("sk", 3), ("sv", 3), ("ck", 16), ("cv", 16)):
        names.append(f"{kind}{layer}")
        past.append(torch.randn(2, HEADS, length, WIDTH))
        axes[names[-1]] = {0: "rows", 2: "past" if kind[0] == "s" else "source"}
outputs = ["logits"] + [f"n{kind}{layer}" for layer in range(LAYERS) for kind in ("sk", "sv")]
grown = {name: {0: "rows", 2: "grown"} for name in outputs[1:]}
export(
    DecoderStep(t5), (torch.zeros(2, 1, dtype=torch.long), mask, *past), "t5-decoder-step",
    ["input_ids", "source_mask", *names], outputs, {**axes, **grown, "logits": {0: "rows"}},
)
