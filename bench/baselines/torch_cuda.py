# torch on a GPU for each line "work dtype form sizes… repeats" on stdin: calls that are not counted, then `repeats`; prints
# milliseconds of one, or an error in one line. Works: gemm, attention, electra, t5, greedy (see the functions).
# form: eager or compile; of attention sdpa or plain. dtype: float32 (exact), tf32, bfloat16 (master weights in float32).
import contextlib
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import torch.nn.functional as F

DEVICE = "cuda"
SMALL = dict(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024)
BASE = dict(embedding_size=768, hidden_size=768, num_attention_heads=12, intermediate_size=3072)
GENERATOR = {
    "small": dict(SMALL, hidden_size=64, num_attention_heads=1, intermediate_size=256),
    "base": dict(BASE, hidden_size=256, num_attention_heads=4, intermediate_size=1024),
}


def precision(dtype):
    torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    if dtype == "bfloat16":
        return torch.autocast(DEVICE, torch.bfloat16)
    return contextlib.nullcontext()


def storage(dtype):
    return torch.bfloat16 if dtype == "bfloat16" else torch.float32


def wrapped(module, form):
    return torch.compile(module) if form == "compile" else module


# M N K of row-major A and a weight of (N, K), as a linear layer multiplies.
def gemm(dtype, form, m, n, k):
    a = torch.randn(m, k, device=DEVICE, dtype=storage(dtype))
    b = torch.randn(n, k, device=DEVICE, dtype=storage(dtype))
    return lambda: torch.matmul(a, b.T)


# B H T D, forward and backward with a dense bias and its gradient; looking it up from a table is not counted.
def attention(dtype, form, b, h, t, d):
    q, k, v = (torch.randn(b, h, t, d, device=DEVICE, dtype=storage(dtype), requires_grad=True) for _ in range(3))
    bias = torch.randn(1, h, t, t, device=DEVICE, dtype=storage(dtype), requires_grad=True)
    d_o = torch.randn(b, h, t, d, device=DEVICE, dtype=storage(dtype))

    def run():
        if form == "sdpa":
            o = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        else:
            o = torch.softmax(q @ k.transpose(-1, -2) + bias, -1) @ v
        torch.autograd.grad(o, (q, k, v, bias), d_o)

    return run


# A joint pre-training step of ELECTRA: size, B, S, masked positions of each sequence.
def electra(dtype, form, size, b, s, masked):
    from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

    shape = dict(vocab_size=30522, num_hidden_layers=12)
    discriminator = ElectraForPreTraining(ElectraConfig(**shape, **(SMALL if size == "small" else BASE)))
    generator = ElectraForMaskedLM(ElectraConfig(**shape, **GENERATOR[size]))
    generator.electra.embeddings = discriminator.electra.embeddings
    discriminator, generator = discriminator.to(DEVICE).train(), generator.to(DEVICE).train()
    parameters = list({id(p): p for p in [*discriminator.parameters(), *generator.parameters()]}.values())
    optimizer = torch.optim.AdamW(parameters, lr=5e-4, fused=True)
    ids = torch.randint(1000, 30000, (b, s), device=DEVICE)
    mask = torch.ones_like(ids)
    trunk, judge = wrapped(generator.electra, form), wrapped(discriminator, form)

    def run():
        positions = torch.rand(b, s, device=DEVICE).argsort(-1)[:, :masked]
        targets = ids.gather(1, positions)
        with precision(dtype):
            hidden = trunk(ids.scatter(1, positions, 103), attention_mask=mask).last_hidden_state
            rows = hidden.gather(1, positions[..., None].expand(-1, -1, hidden.size(-1)))
            logits = generator.generator_lm_head(generator.generator_predictions(rows)).float()
            loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
            with torch.no_grad():
                noise = -torch.log(-torch.log(torch.rand_like(logits).clamp_(1e-9, 1 - 1e-7)))
                replaced = ids.scatter(1, positions, (logits + noise).argmax(-1))
            judged = judge(replaced, attention_mask=mask).logits.float()
            loss = loss + 50 * F.binary_cross_entropy_with_logits(judged, (replaced != ids).float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return run


def t5_model():
    from transformers import T5Config, T5ForConditionalGeneration

    shape = dict(vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8)
    return T5ForConditionalGeneration(T5Config(**shape, decoder_start_token_id=0)).to(DEVICE)


# A training step of T5-small: B, source tokens, target tokens.
def t5(dtype, form, b, source, target):
    model = t5_model().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = torch.randint(3, 32000, (b, source), device=DEVICE)
    labels = torch.randint(3, 32000, (b, target), device=DEVICE)
    mask = torch.ones_like(ids)
    step = wrapped(model, form)

    def run():
        with precision(dtype):
            loss = step(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return run


# T5-small: B, source tokens, new tokens, all of which are generated.
def greedy(dtype, form, b, source, tokens):
    model = t5_model().to(storage(dtype)).eval()
    ids = torch.randint(3, 32000, (b, source), device=DEVICE)
    mask = torch.ones_like(ids)

    def run():
        with torch.inference_mode():
            model.generate(ids, attention_mask=mask, min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False)

    return run


works = dict(gemm=gemm, attention=attention, electra=electra, t5=t5, greedy=greedy)


def measure(line):
    work, dtype, form, *sizes, repeats = line.split()
    repeats = int(repeats)
    torch.manual_seed(0)
    with precision(dtype) if work == "gemm" else contextlib.nullcontext():
        run = works[work](dtype, form, *(int(size) if size.isdigit() else size for size in sizes))
        for _ in range(3):
            run()
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats * 1e3


if not torch.cuda.is_available():
    sys.exit("no GPU")
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(measure(line), flush=True)
    except Exception as error:  # a work that torch cannot do is a cell of the table, not the end of it
        print("failed:", " ".join(str(error).split())[:200], flush=True)
