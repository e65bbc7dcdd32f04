// Where the word at the cursor is defined, and what is shown of that place.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/editor.h"
#include "compiler/editor_cursor.h"
#include "compiler/source/embedded_file.h"
#include "compiler/source/secret_mask.h"
#include "compiler/source/text.h"
#include "compiler/syntax/sound_part.h"
#include "embedded/stdlib_modules.h"

namespace plan {
namespace {

using syntax::Node;

std::optional<Node> tree_of(std::string_view file_name, std::string_view text, SourceSet& sources) {
  Sink unheard;
  return syntax::read_sound_part(sources, sources.add(std::string(file_name), std::string(text)),
                                 unheard)
      .tree;
}

}  // namespace

std::vector<EditedFile> standard_modules() {
  std::vector<EditedFile> files;
  for (const EmbeddedFile& file : embedded::stdlib_modules())
    files.push_back({fmt::format("std/{}", file.name), std::string(file.text)});
  return files;
}

std::string declaration_at(const std::vector<EditedFile>& files, const FilePlace& place) {
  const auto file = std::find_if(files.begin(), files.end(),
                                 [&](const EditedFile& one) { return one.path == place.path; });
  if (file == files.end()) return {};
  constexpr std::size_t kLinesMax = 12;
  const std::vector<std::string_view> lines = split(file->text, '\n');
  const auto text = std::string_view(file->text).substr(0, place.begin);
  const auto first = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  const auto indent_of = [&](std::size_t i) {
    return std::min(lines[i].find_first_not_of(" -"), lines[i].size());
  };
  std::size_t begin = first;
  while (begin > 0 && first - begin < kLinesMax && trim(lines[begin - 1]).starts_with('#')) --begin;
  // What is deeper belongs to it, and the bracket that closes it.
  std::size_t end = first + 1;
  while (end < lines.size() && end - first < kLinesMax &&
         (trim(lines[end]).empty() || indent_of(end) > indent_of(first)))
    ++end;
  const bool is_closed = end < lines.size() && end - first < kLinesMax &&
                         (trim(lines[end]).starts_with('}') || trim(lines[end]).starts_with(']'));
  if (is_closed) ++end;
  while (end > first + 1 && trim(lines[end - 1]).empty()) --end;
  // A secret that stands there in clear is not shown a second time.
  SourceSet sources;
  const FileId shown = sources.add(file->path, file->text);
  SecretMask mask(sources, {});
  const auto offset_of = [&](std::string_view line) {
    return static_cast<std::uint32_t>(line.data() - file->text.data());
  };
  const std::string_view last = lines[end - 1];
  return fmt::format("```\n{}\n```\n\n{}:{}",
                     mask.text(shown, offset_of(lines[begin]),
                               offset_of(last) + static_cast<std::uint32_t>(last.size())),
                     file->path, first + 1);
}

std::optional<FilePlace> definition_at(const std::vector<EditedFile>& files, std::size_t file,
                                       std::size_t at) {
  if (file >= files.size()) return std::nullopt;
  const EditedFile& edited = files[file];
  const EditorCursor cursor(edited.path, edited.text, at);
  const std::string path(cursor.path_word());
  const bool is_file =
      path.ends_with(".plan") || path.ends_with(".yaml") || path.ends_with(".ndjson");
  if (path.starts_with("./") && is_file) return FilePlace{path.substr(2), 0, 0};
  if (path.starts_with("std/")) {
    for (const EditedFile& one : files) {
      if (one.path.substr(0, one.path.rfind('.')) == path) return FilePlace{one.path, 0, 0};
    }
  }
  if (auto place = definition_of_name_at(files, file, at)) return place;
  if (!cursor.is_in_expression()) return std::nullopt;
  SourceSet sources;
  const auto tree = tree_of(edited.path, edited.text, sources);
  if (!tree) return std::nullopt;
  const Node* node = &*tree;
  for (const std::string& name : cursor.members_before()) {
    node = node->find(name);
    if (node == nullptr) return std::nullopt;
  }
  const syntax::Entry* entry = node->find_entry(cursor.word());
  if (entry == nullptr) return std::nullopt;
  return FilePlace{edited.path, entry->key_span.begin, entry->key_span.end};
}

}  // namespace plan
