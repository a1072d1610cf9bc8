#include "cuda/kernels/attention_bwd.cuh"

using namespace duo::cuda;

DUO_ATTENTION_BWD(bf16)
