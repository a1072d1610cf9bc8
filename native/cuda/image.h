// The compiled kernels that are embedded in the addon: one deflated fatbin for each file of native/cuda/kernels, with
// machine code and with the PTX text that newer devices compile.
#pragma once
#include <span>
#include <string_view>

namespace duo::cuda {

struct Image {
  const char* family;  // the file's name
  std::string_view packed;
};

std::span<const Image> images();  // none in a build without nvcc
// Why there are none, or with which compiler they were made.
const char* buildVerdict();

}  // namespace duo::cuda
