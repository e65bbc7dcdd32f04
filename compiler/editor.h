#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/schema/schema.h"

namespace plan {

/// What an editor may offer at a place. Both languages; places are bytes of the text, which may be
/// half written.
struct Completion {
  std::string label = {};
  std::string detail = {};
  std::string insert = {};
};

/// Keys of the block at the cursor, words that its key may have, functions and names inside an
/// expression, kinds of steps, modules. `modules` are the names of those that are compiled in. With
/// the target's `schema` (null: it was not fetched) also its types, their properties inside `match`
/// and `set`, the words these may have, and actions.
[[nodiscard]] std::vector<Completion> completions_at(std::string_view file_name,
                                                     std::string_view text, std::size_t at,
                                                     const std::vector<std::string>& modules,
                                                     const schema::Schema* schema);

/// What the word at the cursor means, as Markdown.
[[nodiscard]] std::optional<std::string> hover_at(std::string_view file_name, std::string_view text,
                                                  std::size_t at, const schema::Schema* schema);

/// A text of the plan's folder as the editor has it: the plan, or a module.
struct EditedFile {
  std::string path = {};  ///< "migration.yaml", as `use ./...` names it
  std::string text = {};
};

struct FilePlace {
  std::string path = {};
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The modules that are compiled in, as files: `std/waves.plan`.
[[nodiscard]] std::vector<EditedFile> standard_modules();

/// The lines that declare what `place` is the name of, with the comment above them, as Markdown.
[[nodiscard]] std::string declaration_at(const std::vector<EditedFile>& files,
                                         const FilePlace& place);

/// Where the word at the cursor, in `files[file]`, is defined: a step, a `let`, an input, a key of
/// the plan, a module; in this file or in another one, whatever language each is written in.
[[nodiscard]] std::optional<FilePlace> definition_at(const std::vector<EditedFile>& files,
                                                     std::size_t file, std::size_t at);
/// Of steps, `let` and inputs only.
[[nodiscard]] std::optional<FilePlace> definition_of_name_at(const std::vector<EditedFile>& files,
                                                             std::size_t file, std::size_t at);

/// Every place of these files that means the same thing as the word at the cursor: a step (its id,
/// where others wait for it, undo it or take its output), a `let`, an input (and where a `use`
/// gives it a value). The first is where it is declared. What an `as` puts in front of an id is not
/// a part of it. Empty: nothing there has a name of its own that can be changed.
[[nodiscard]] std::vector<FilePlace> places_of_name_at(const std::vector<EditedFile>& files,
                                                       std::size_t file, std::size_t at);

/// Why `name` cannot be the new name of what stands at the cursor; empty: it can.
[[nodiscard]] std::string why_not_renamed(const std::vector<EditedFile>& files, std::size_t file,
                                          std::size_t at, std::string_view name);

}  // namespace plan
