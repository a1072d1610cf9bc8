#include "cuda/kernels/gemm_tensor.cuh"

using namespace duo::cuda;

DUO_GEMM(WideTile, Wide, bf16)
DUO_GEMM(StandardTile, Standard, bf16)
DUO_GEMM(SmallTile, Small, bf16)
