#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/syntax/tree.h"

namespace plan::syntax {

enum class Language : std::uint8_t { yaml = 0, plan = 1 };

/// One comment of a file, from its `#` to the end of the line. Offsets of bytes.
struct Comment {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool has_own_line = false;
  std::uint32_t column = 0;  ///< from 0
};

/// All comments of a text that was read into `tree` without a problem.
[[nodiscard]] std::vector<Comment> comments_of(std::string_view text, const Node& tree,
                                               Language language);

/// Which part of a tree each comment belongs to, so that it can be written beside it wherever that
/// part goes. Parts are entries, items and collections, by their address: the tree must not move.
class CommentPlaces {
 public:
  CommentPlaces() = default;
  CommentPlaces(std::string_view text, const Node& tree, Language language);

  using List = std::vector<Comment>;
  [[nodiscard]] const List& before(const void* part) const { return of(before_, part); }
  [[nodiscard]] const List& behind(const void* part) const { return of(behind_, part); }
  /// On the line on which a collection is opened, behind its key or bracket.
  [[nodiscard]] const List& at_head(const Node& node) const { return of(head_, &node); }
  /// Behind the last part of a collection.
  [[nodiscard]] const List& at_tail(const Node& node) const { return of(tail_, &node); }
  [[nodiscard]] bool are_inside(const Node& node) const;
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  using Map = std::unordered_map<const void*, List>;
  struct Statement;
  static const List& of(const Map& map, const void* part);
  static std::vector<Statement> statements_of(std::string_view text, const Node& tree);
  /// `statements` are the tree's parts in the plan language.
  void place(std::string_view text, const Node& tree, Language language,
             const std::vector<Statement>& statements, const Comment& comment);

  Map before_;
  Map behind_;
  Map head_;
  Map tail_;
  std::vector<Comment> all_;
  std::size_t count_ = 0;
};

}  // namespace plan::syntax
