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
  std::uint32_t index = 0;   ///< among all of the file
};

/// All comments of a text that was read into `tree` without a problem.
[[nodiscard]] std::vector<Comment> comments_of(std::string_view text, const Node& tree,
                                               Language language);
/// Has `comment` the line below that of `above` for itself?
[[nodiscard]] bool is_directly_below(std::string_view text, const Comment& above,
                                     const Comment& comment);

/// Which part of a tree each comment belongs to, so that it can be written beside it wherever that
/// part goes. Parts are entries, items and collections, by their address: the tree must not move.
/// Comments on lines that follow one another are one comment: they stay together, and those below
/// one at the end of a line are its further lines when they stand in its column.
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
  [[nodiscard]] const List& all() const { return all_; }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

  /// Moves each in front of the part that it is at, and from there in front of the one around that:
  /// where it is there may be no place for it in the other language. False when all of them are in
  /// front of everything.
  bool raise(const List& comments);

 private:
  using Map = std::unordered_map<const void*, List>;
  class Walk;
  struct Place {
    Map CommentPlaces::*map = nullptr;
    const void* part = nullptr;
    std::vector<const void*> around = {};  ///< from the outermost
  };
  static const List& of(const Map& map, const void* part);

  Map before_;
  Map behind_;
  Map head_;
  Map tail_;
  List all_;
  std::vector<Place> places_;    ///< by index of the comment
  const void* first_ = nullptr;  ///< the first entry of the file
};

}  // namespace plan::syntax
