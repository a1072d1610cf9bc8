// Unpacks what native/tools/deflate.mjs packed.
#pragma once
#include <string>
#include <string_view>

namespace duo::os {

// By the zlib that Node.js re-exports to its addons. Throws a device error, which names `what`, where there is none or
// the bytes are no such stream.
std::string inflate(std::string_view packed, const std::string& what);

}  // namespace duo::os
