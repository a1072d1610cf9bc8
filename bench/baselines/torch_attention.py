# A turn of forward + backward of attention in torch for each line "B H T D threads form repeats" on stdin: one call that
# is not counted, then `repeats`; prints milliseconds of one.
# form: sdpa (scaled_dot_product_attention) or plain (matmul, softmax, matmul). The bias is dense, (1, H, T, T), with its
# gradient; looking it up from a table is not counted.
import sys
import time

import torch
import torch.nn.functional as F

inputs = {}


def tensors(b, h, t, d):
    key = (b, h, t, d)
    if key not in inputs:
        inputs.clear()
        q, k, v = (torch.randn(b, h, t, d, requires_grad=True) for _ in range(3))
        inputs[key] = (q, k, v, torch.randn(1, h, t, t, requires_grad=True), torch.randn(b, h, t, d))
    return inputs[key]


def run(form, q, k, v, bias, d_o):
    if form == "sdpa":
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
    else:
        o = torch.softmax(q @ k.transpose(-1, -2) + bias, -1) @ v
    torch.autograd.grad(o, (q, k, v, bias), d_o)


print("ready", flush=True)
for line in sys.stdin:
    *shape, threads, form, repeats = line.split()
    torch.set_num_threads(int(threads))
    given = tensors(*map(int, shape))
    run(form, *given)
    start = time.perf_counter()
    for _ in range(int(repeats)):
        run(form, *given)
    print((time.perf_counter() - start) / int(repeats) * 1e3, flush=True)
