# torch's matmul behind the protocol of gemm.ts, see openblas.c.
import sys
import time

import torch

print("ready", flush=True)
for line in sys.stdin:
    layout, *numbers = line.split()
    batch, m, n, k, threads, repeats = map(int, numbers)
    torch.set_num_threads(threads)
    leading = (batch,) if batch > 1 else ()
    a = torch.randn(*leading, *((k, m) if layout[0] == "T" else (m, k)))
    b = torch.randn(*leading, *((n, k) if layout[1] == "T" else (k, n)))
    left = a.mT if layout[0] == "T" else a
    right = b.mT if layout[1] == "T" else b
    torch.matmul(left, right)
    start = time.perf_counter()
    for _ in range(repeats):
        torch.matmul(left, right)
    print((time.perf_counter() - start) / repeats, flush=True)
