#include "compiler/json_places.h"

#include <utility>

namespace plan {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  JsonPlaces value() {
    blanks();
    JsonPlaces places;
    places.begin = at();
    if (is('{') || is('[')) {
      const char close = is('{') ? '}' : ']';
      ++at_;
      members(close, places.inner);
    } else if (is('"')) {
      text();
    } else {
      while (at_ < text_.size() && !is_end(text_[at_])) ++at_;
    }
    places.end = at();
    return places;
  }

 private:
  [[nodiscard]] std::uint32_t at() const { return static_cast<std::uint32_t>(at_); }
  [[nodiscard]] bool is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  [[nodiscard]] static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
  }
  [[nodiscard]] static bool is_end(char c) {
    return is_blank(c) || c == ',' || c == '}' || c == ']' || c == ':';
  }
  void blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  void text() {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2U : 1U;
    at_ = at_ < text_.size() ? at_ + 1 : text_.size();
  }

  void members(char close, std::vector<JsonPlaces>& into) {
    while (true) {
      blanks();
      if (at_ >= text_.size()) return;
      if (is(close)) {
        ++at_;
        return;
      }
      if (is(',')) {
        ++at_;
        continue;
      }
      const std::size_t before = at_;
      std::pair<std::uint32_t, std::uint32_t> key = {};
      if (close == '}') {
        key.first = at();
        if (is('"')) text();
        key.second = at();
        blanks();
        if (is(':')) ++at_;
      }
      JsonPlaces part = value();
      part.key_begin = key.first;
      part.key_end = key.second;
      into.push_back(std::move(part));
      if (at_ == before) ++at_;  // no JSON: it goes on all the same
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

JsonPlaces places_in_json(std::string_view text) { return Scanner(text).value(); }

}  // namespace plan
