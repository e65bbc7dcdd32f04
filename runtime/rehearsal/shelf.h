#pragma once
#include <string_view>

#include "runtime/rehearsal/groupware.h"
#include "runtime/rehearsal/jmap.h"

namespace plan::rehearsal {

/// How the two kinds of shelf differ on the wire and in the settings.
struct ShelfNames {
  ShelfKind kind;
  ChangeKind folders;
  ChangeKind entries;
  std::string_view settings;     ///< the singleton with the limits
  std::string_view folders_max;  ///< members of it
  std::string_view entries_max;
  std::string_view size_max;
  std::string_view folder_ids;       ///< member of an entry: the folders it is in
  std::string_view remove_contents;  ///< argument of the folders' /set
  std::string_view has_contents;     ///< SetError without it
  std::string_view entry_word;       ///< as the server's sentences begin: "Contact"
  std::string_view folder_word;
};
[[nodiscard]] const ShelfNames& names_of(ShelfKind kind);

/// The account's shelf, with its default folder when this is the first look.
[[nodiscard]] Shelf& shelf_of(World& world, MailAccount& account, ShelfKind kind);

}  // namespace plan::rehearsal
