#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/span.h"

namespace plan::syntax {

enum class NodeKind : std::uint8_t { null = 0, scalar = 1, sequence = 2, mapping = 3 };
[[nodiscard]] std::string_view to_string(NodeKind kind);

struct Entry;

/// The parts of a collection in order: a list that takes eight bytes while it is empty, because
/// most values of a large file are scalars.
template <class Part>
class Parts {
 public:
  using value_type = Part;

  Parts() = default;
  Parts(const Parts& other) { *this = other; }
  Parts(Parts&&) noexcept = default;
  Parts& operator=(const Parts& other) {
    if (this != &other)
      parts_ = other.parts_ ? std::make_unique<std::vector<Part>>(*other.parts_) : nullptr;
    return *this;
  }
  Parts& operator=(Parts&&) noexcept = default;
  Parts& operator=(std::vector<Part>&& parts) {
    parts_ = parts.empty() ? nullptr : std::make_unique<std::vector<Part>>(std::move(parts));
    return *this;
  }
  ~Parts() = default;

  [[nodiscard]] bool empty() const { return !parts_ || parts_->empty(); }
  [[nodiscard]] std::size_t size() const { return parts_ ? parts_->size() : 0; }
  [[nodiscard]] const Part* data() const { return begin(); }
  [[nodiscard]] Part* begin() { return parts_ ? parts_->data() : nullptr; }
  [[nodiscard]] Part* end() { return parts_ ? parts_->data() + parts_->size() : nullptr; }
  [[nodiscard]] const Part* begin() const { return parts_ ? parts_->data() : nullptr; }
  [[nodiscard]] const Part* end() const {
    return parts_ ? parts_->data() + parts_->size() : nullptr;
  }
  // As in a std::vector, of these there has to be one.
  [[nodiscard]] Part& operator[](std::size_t index) { return (*parts_)[index]; }
  [[nodiscard]] const Part& operator[](std::size_t index) const { return (*parts_)[index]; }
  [[nodiscard]] Part& front() { return parts_->front(); }
  [[nodiscard]] const Part& front() const { return parts_->front(); }
  [[nodiscard]] Part& back() { return parts_->back(); }
  [[nodiscard]] const Part& back() const { return parts_->back(); }

  void push_back(Part part) {
    if (!parts_) parts_ = std::make_unique<std::vector<Part>>();
    parts_->push_back(std::move(part));
  }
  void clear() { parts_.reset(); }
  template <class IsGone>
  void erase_if(const IsGone& is_gone) {
    if (parts_) std::erase_if(*parts_, is_gone);
  }

 private:
  std::unique_ptr<std::vector<Part>> parts_;
};

/// "!secret" in front of a value, and where it stands. Few values have one: eight bytes without.
class Tag {
 public:
  Tag() = default;
  Tag(std::string text, Span span)
      : tag_(text.empty() ? nullptr : std::make_unique<Written>(Written{std::move(text), span})) {}
  Tag(const Tag& other) { *this = other; }
  Tag(Tag&&) noexcept = default;
  Tag& operator=(const Tag& other) {
    if (this != &other) tag_ = other.tag_ ? std::make_unique<Written>(*other.tag_) : nullptr;
    return *this;
  }
  Tag& operator=(Tag&&) noexcept = default;
  ~Tag() = default;

  [[nodiscard]] bool empty() const { return !tag_; }
  [[nodiscard]] std::string_view text() const {
    return tag_ ? std::string_view(tag_->text) : std::string_view();
  }
  [[nodiscard]] Span span() const { return tag_ ? tag_->span : Span(); }
  [[nodiscard]] bool is(std::string_view text_of_tag) const { return text() == text_of_tag; }

 private:
  struct Written {
    std::string text = {};
    Span span = {};
  };
  std::unique_ptr<Written> tag_;
};

/// One node of the syntax tree that both front ends (YAML and the plan language) build. A
/// value; knows where every part of it stands. Depth is bounded by the reader.
struct Node {
  NodeKind kind = NodeKind::null;
  bool is_quoted = false;  ///< a quoted or block scalar: always text, never a number
  /// A bare expression of the plan language: `text` is `${...}`, `span` what stands inside.
  bool is_expression = false;
  /// A null where an entry was left out because its syntax is broken (`read_sound_part`).
  bool is_left_out = false;
  Span span = {};         ///< begin and end of the value itself, without its tag
  std::string text = {};  ///< of a scalar, decoded
  Tag tag = {};
  Parts<Node> items = {};  ///< of a sequence
  /// Of a mapping, in the order of the text, keys unique. No initializer: clang would want Entry
  /// complete here.
  Parts<Entry> entries;

  [[nodiscard]] bool is_null() const { return kind == NodeKind::null; }
  [[nodiscard]] bool is_scalar() const { return kind == NodeKind::scalar; }
  [[nodiscard]] bool is_sequence() const { return kind == NodeKind::sequence; }
  [[nodiscard]] bool is_mapping() const { return kind == NodeKind::mapping; }
  /// The value of `key` in a mapping, or null.
  [[nodiscard]] const Node* find(std::string_view key) const;
  [[nodiscard]] const Entry* find_entry(std::string_view key) const;
};

struct Entry {
  std::string key = {};
  Span key_span = {};
  Node value = {};
};

// Reading a large file costs at most 100 bytes for each of its bytes: a list that grows has each
// value twice for a moment, and a value takes two bytes of the file (`1,`).
static_assert(sizeof(Node) <= 80, "see kBytesOfValue");

}  // namespace plan::syntax
