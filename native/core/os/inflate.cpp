#include "core/os/inflate.h"

#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "core/os/library.h"

namespace duo::os {

std::string inflate(std::string_view packed, const std::string& what) {
  using Uncompress = int(unsigned char*, unsigned long*, const unsigned char*, unsigned long);
  static const auto uncompress = reinterpret_cast<Uncompress*>(Library::process().symbol("uncompress"));
  if (!uncompress) fail(ErrorCode::kDevice, what, "a Node.js that shares its zlib with addons", "one that does not");
  uint64_t length = 0;
  std::memcpy(&length, packed.data(), sizeof length);
  packed.remove_prefix(sizeof length);
  std::string bytes(length, '\0');
  unsigned long filled = length;
  const int result = uncompress(reinterpret_cast<unsigned char*>(bytes.data()), &filled,
                                reinterpret_cast<const unsigned char*>(packed.data()), packed.size());
  if (result != 0 || filled != length) {
    fail(ErrorCode::kDevice, what, std::to_string(length) + " bytes of kernels in the binary", "a broken stream");
  }
  return bytes;
}

}  // namespace duo::os
