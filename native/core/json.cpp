#include "core/json.h"

#include <cstdio>

#include "core/error.h"

namespace duo {
namespace {

// Values that nobody asked for are skipped recursively; deeper ones are refused, for the stack's sake.
constexpr int kMaxDepth = 64;

bool isDigit(char c) { return c >= '0' && c <= '9'; }

// Bytes of the well-formed UTF-8 sequence at the start of `text`; 0 where there is none.
// The Unicode Standard, table 3-7: shortest forms only, no surrogates, nothing above U+10FFFF.
size_t sequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : 0; };
  const auto follows = [&](size_t i, int low = 0x80, int high = 0xBF) { return byte(i) >= low && byte(i) <= high; };
  const int lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = follows(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && follows(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = follows(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void appendUtf8(std::string& text, uint32_t code) {
  const auto tail = [&](int shift) { text += char(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    text += char(code);
  } else if (code < 0x800) {
    text += char(0xC0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += char(0xE0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    text += char(0xF0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

void JsonReader::refuse(std::string_view expected) const {
  std::string got = "the end";
  if (at_ < text_.size()) {
    const uint8_t byte = uint8_t(text_[at_]);
    char text[16];
    std::snprintf(text, sizeof text, byte > 0x20 && byte < 0x7F ? "'%c'" : "byte 0x%02x", byte);
    got = text;
  }
  fail(ErrorCode::kCheckpoint, "safetensors", std::string(expected) + " in " + source_,
       got + " at byte " + std::to_string(at_));
}

void JsonReader::skipSpace() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

char JsonReader::peek() { return at_ < text_.size() ? text_[at_] : '\0'; }

bool JsonReader::accept(char c) {
  skipSpace();
  if (peek() != c) return false;
  ++at_;
  return true;
}

void JsonReader::expect(char c, const char* what) {
  if (!accept(c)) refuse(what);
}

void JsonReader::end() {
  skipSpace();
  if (at_ < text_.size()) refuse("nothing more");
}

std::string JsonReader::string() {
  expect('"', "a string");
  std::string result;
  while (peek() != '"') {
    if (at_ >= text_.size()) refuse("'\"'");
    if (uint8_t(text_[at_]) < 0x20) refuse("no control character");
    if (text_[at_] == '\\') {
      ++at_;
      appendEscape(result);
      continue;
    }
    const size_t length = sequenceLength(text_.substr(at_));
    if (length == 0) refuse("UTF-8");
    result.append(text_.substr(at_, length));
    at_ += length;
  }
  ++at_;
  return result;
}

void JsonReader::appendEscape(std::string& result) {
  constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
  const char name = peek();
  if (name != 'u') {
    const size_t index = at_ < text_.size() ? kNames.find(name) : std::string_view::npos;
    if (index == std::string_view::npos) refuse("an escape");
    ++at_;
    result += kValues[index];
    return;
  }
  ++at_;
  uint32_t code = hex4();
  if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const uint32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) refuse("a pair of surrogates");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  if (code >= 0xD800 && code <= 0xDFFF) refuse("a pair of surrogates");
  appendUtf8(result, code);
}

uint32_t JsonReader::hex4() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = peek();
    const char lower = char(c | 0x20);
    if (isDigit(c)) {
      value = value << 4 | uint32_t(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value << 4 | uint32_t(lower - 'a' + 10);
    } else {
      refuse("four hexadecimal digits");
    }
  }
  return value;
}

uint64_t JsonReader::integer() {
  skipSpace();
  if (!isDigit(peek())) refuse("an integer >= 0");
  const size_t start = at_;
  uint64_t value = 0;
  for (; isDigit(peek()); ++at_) {
    if (__builtin_mul_overflow(value, uint64_t(10), &value) ||
        __builtin_add_overflow(value, uint64_t(text_[at_] - '0'), &value)) {
      refuse("an integer below 2^64");
    }
  }
  const bool leadingZero = text_[start] == '0' && at_ - start > 1;
  if (leadingZero || peek() == '.' || peek() == 'e' || peek() == 'E') refuse("a plain integer");
  return value;
}

void JsonReader::skip(int depth) {
  if (depth > kMaxDepth) refuse("fewer than " + std::to_string(kMaxDepth) + " levels");
  skipSpace();
  switch (peek()) {
    case '{': return object([&](const std::string&) { skip(depth + 1); });
    case '[': return array([&] { skip(depth + 1); });
    case '"': string(); return;
    case 't': return word("true");
    case 'f': return word("false");
    case 'n': return word("null");
    default: return skipNumber();
  }
}

void JsonReader::word(std::string_view text) {
  if (text_.substr(at_, text.size()) != text) refuse("a value");
  at_ += text.size();
}

void JsonReader::skipDigits() {
  if (!isDigit(peek())) refuse("a digit");
  while (isDigit(peek())) ++at_;
}

void JsonReader::skipNumber() {
  if (peek() == '-') ++at_;
  if (!isDigit(peek())) refuse("a value");
  if (peek() == '0') {
    ++at_;
  } else {
    skipDigits();
  }
  if (peek() == '.') {
    ++at_;
    skipDigits();
  }
  if (peek() == 'e' || peek() == 'E') {
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    skipDigits();
  }
}

}  // namespace duo
