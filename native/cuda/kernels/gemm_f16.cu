#include "cuda/kernels/gemm_tensor.cuh"

using namespace duo::cuda;

DUO_GEMM(WideTile, Wide, f16)
DUO_GEMM(StandardTile, Standard, f16)
DUO_GEMM(SmallTile, Small, f16)
