# PyTorch's side of models.ts, with Hugging Face's models: torch_models.py THREADS eager|compile. For each line "seconds name of
# a work" on stdin, prints times and this process's peak memory as JSON.
import json
import os
import re
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import torch.nn.functional as F
from transformers import (
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    ElectraForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
)

torch.set_num_threads(int(sys.argv[1]))
COMPILED = sys.argv[2] == "compile"
SIZES = {
    "small": dict(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024),
    "base": dict(embedding_size=768, hidden_size=768, num_attention_heads=12, intermediate_size=3072),
}
GENERATORS = {
    "small": dict(SIZES["small"], hidden_size=64, num_attention_heads=1, intermediate_size=256),
    "base": dict(SIZES["base"], hidden_size=256, num_attention_heads=4, intermediate_size=1024),
}
kept = {}


def wrapped(module):
    return torch.compile(module) if COMPILED else module


def model(key, make):
    if key not in kept:
        kept.clear()
        kept[key] = wrapped(make())
    return kept[key]


def ids(rows, length):
    return torch.randint(1000, 30000, (rows, length))


def t5():
    shape = dict(vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8)
    net = T5ForConditionalGeneration(T5Config(**shape, decoder_start_token_id=0))
    net.generation_config.eos_token_id = None
    return net


def classify(size, shape):
    net = model(size, lambda: ElectraForSequenceClassification(ElectraConfig(**SIZES[size], num_labels=2)).eval())
    rows, length = (32, 128) if shape == "mixed" else map(int, shape.split("x"))
    mask = torch.ones(rows, length, dtype=torch.long)
    if shape == "mixed":
        for i in range(32):
            mask[i, 8 + int(((i * 37) % 32) * (120 / 31)) :] = 0
    given = ids(rows, length)

    def run():
        with torch.inference_mode():
            net(input_ids=given, attention_mask=mask)

    return run


def trained(parameters):
    return torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.01, fused=True)


def finish(loss, parameters, optimizer):
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


# Logits of the generator at masked positions only, as a careful user would write it.
def joint(size, shape):
    rows, length = map(int, shape.split("x"))
    discriminator = ElectraForPreTraining(ElectraConfig(**SIZES[size])).train()
    generator = ElectraForMaskedLM(ElectraConfig(**GENERATORS[size])).train()
    generator.electra.embeddings = discriminator.electra.embeddings
    parameters = list({id(p): p for p in [*discriminator.parameters(), *generator.parameters()]}.values())
    optimizer = trained(parameters)
    given = ids(rows, length)
    positions = (torch.arange(19) * 7 + 3).clamp(max=length - 1).expand(rows, 19)
    targets = given.gather(1, positions)
    trunk, judge = wrapped(generator.electra), wrapped(discriminator)
    mask = torch.ones_like(given)

    def run():
        hidden = trunk(given.scatter(1, positions, 103), attention_mask=mask).last_hidden_state
        selected = hidden.gather(1, positions[..., None].expand(-1, -1, hidden.size(-1)))
        logits = generator.generator_lm_head(generator.generator_predictions(selected))
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        with torch.no_grad():
            noise = -torch.log(-torch.log(torch.rand_like(logits).clamp_(1e-9, 1 - 1e-7)))
            replaced = given.scatter(1, positions, (logits + noise).argmax(-1))
        judged = judge(replaced, attention_mask=mask).logits
        loss = loss + 50 * F.binary_cross_entropy_with_logits(judged, (replaced != given).float())
        finish(loss, parameters, optimizer)

    return run


def step(shape):
    rows, source, target = map(int, re.match(r"(\d+)x(\d+)-(\d+)", shape).groups())
    net = t5().train()
    parameters = list(net.parameters())
    optimizer = trained(parameters)
    run_net = wrapped(net)
    given, labels = ids(rows, source), ids(rows, target)
    return lambda: finish(run_net(input_ids=given, labels=labels).loss, parameters, optimizer)


def encode(shape):
    net = model("encoder", lambda: t5().encoder.eval())
    given = ids(*map(int, shape.split("x")))

    def run():
        with torch.inference_mode():
            net(given)

    return run


def generate(what, count):
    net = model("t5", lambda: t5().eval())
    rows, beams = (1, int(count)) if what == "beam" else (int(count), 1)
    given = ids(rows, 64)

    def run():
        with torch.inference_mode():
            net.generate(given, min_new_tokens=64, max_new_tokens=64, do_sample=False, num_beams=beams)

    return run


def work(name):
    family, what, first, *_ = name.split(" ")
    if what in ("classify", "joint"):
        return dict(classify=classify, joint=joint)[what](family[8:], first)
    if what in ("step", "encode"):
        return dict(step=step, encode=encode)[what](first)
    return generate(what, first)


def measure(seconds, name):
    run = work(name)
    for _ in range(3 if COMPILED else 1):
        run()
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    with open("/proc/self/status") as status:
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) * 1024
    return dict(times=times, peakRssBytes=peak)


print("ready", flush=True)
for line in sys.stdin:
    seconds, name = line.strip().split(" ", 1)
    try:
        print(json.dumps(measure(float(seconds), name)), flush=True)
    except Exception as error:  # a work that it cannot do is a cell of the table, not the end of it
        print(json.dumps(dict(error=" ".join(str(error).split())[:200])), flush=True)
