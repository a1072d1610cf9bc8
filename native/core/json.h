// A strict reader of JSON (RFC 8259) for the headers of checkpoint files. The caller knows what comes next and asks for
// it, so nothing is built that the caller does not want, and a hostile text costs no more memory than its own length.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace duo {

// Whatever does not fit throws a checkpoint error: `safetensors: expected a string in <source>, got '}' at byte 12`.
class JsonReader {
 public:
  // `text` must outlive the reader.
  JsonReader(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {}

  // Calls member(key) for each member; it reads the value. Keys may repeat: what that means is the caller's to say.
  template <typename Member>
  void object(const Member& member) {
    expect('{', "an object");
    if (accept('}')) return;
    do {
      std::string key = string();
      expect(':', "':'");
      member(std::move(key));
    } while (accept(','));
    expect('}', "',' or '}'");
  }

  // Calls element() for each element; it reads it.
  template <typename Element>
  void array(const Element& element) {
    expect('[', "an array");
    if (accept(']')) return;
    do {
      element();
    } while (accept(','));
    expect(']', "',' or ']'");
  }

  // What errors name from here on; gives back what they named so far.
  std::string nameSource(std::string source) { return std::exchange(source_, std::move(source)); }

  std::string string();  // well-formed UTF-8
  uint64_t integer();    // a number without sign, fraction and exponent
  void skip() { skip(0); }
  void end();  // nothing but white space may follow

 private:
  void skip(int depth);
  void skipNumber();
  void skipDigits();
  void skipSpace();
  char peek();
  bool accept(char c);
  void expect(char c, const char* what);
  void word(std::string_view text);
  void appendEscape(std::string& result);
  uint32_t hex4();
  [[noreturn]] void refuse(std::string_view expected) const;

  std::string_view text_;
  std::string source_;
  size_t at_ = 0;
};

}  // namespace duo
