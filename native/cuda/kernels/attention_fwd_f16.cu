#include "cuda/kernels/attention_fwd.cuh"

using namespace duo::cuda;

DUO_ATTENTION_FWD(f16)
