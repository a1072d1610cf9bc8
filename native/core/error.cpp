#include "core/error.h"

namespace duo {

void fail(ErrorCode code, std::string_view op, std::string_view expected, std::string_view got) {
  std::string message;
  message.append(op).append(": expected ").append(expected).append(", got ").append(got);
  throw Error(code, std::move(message));
}

}  // namespace duo
