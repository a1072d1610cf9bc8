// The one exception type of the native code. The binding turns it into the JavaScript class of its code.
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace duo {

// In the order of `errorClasses` in lib/errors.ts.
enum class ErrorCode { kShape, kDType, kIndex, kState, kDevice, kCheckpoint, kConfig, kData };

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}
  ErrorCode code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Number of the queued call that failed, 0 for errors that were thrown at the call itself.
  uint64_t call = 0;

 private:
  ErrorCode code_;
  std::string message_;
};

// Throws `op: expected <expected>, got <got>`, the form that every error of the library has.
[[noreturn]] void fail(ErrorCode code, std::string_view op, std::string_view expected, std::string_view got);

}  // namespace duo
