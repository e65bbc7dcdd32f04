#include "compiler/syntax/language.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "compiler/syntax/language_builder.h"
#include "compiler/syntax/source_text.h"
#include "compiler/syntax/yaml.h"

namespace plan::syntax {
namespace {

constexpr std::string_view kSuffix = ".plan";

class FilePlaces : public TextPlaces {
 public:
  FilePlaces(FileId file, std::uint32_t skipped, std::size_t size)
      : file_(file), skipped_(skipped), size_(static_cast<std::uint32_t>(size)) {}
  [[nodiscard]] Span span(std::size_t begin, std::size_t end) const override {
    const auto from = std::min(static_cast<std::uint32_t>(begin), size_);
    const auto to = std::clamp(static_cast<std::uint32_t>(end), from, size_);
    return {file_, from + skipped_, to + skipped_};
  }

 private:
  FileId file_;
  std::uint32_t skipped_;
  std::uint32_t size_;
};

}  // namespace

std::optional<Node> read_language(const SourceSet& sources, FileId file, Sink& sink,
                                  const TreeLimits& limits) {
  const auto text = readable_text(sources, file, Kind::language_syntax, sink, limits);
  if (!text) return std::nullopt;
  const FilePlaces places(file, text->skipped, text->text.size());
  LanguageBuilder builder(text->text, places, Kind::language_syntax, sink, limits);
  if (!parse_file(text->text, builder)) return std::nullopt;
  Node tree = builder.take_tree();
  if (tree.entries.empty()) {
    sink.report(Kind::file_empty, Span{file, 0, 0}, "the file has no content")
        .help("`plan init --from dovecot-postfix` writes a plan with every key explained");
    return std::nullopt;
  }
  return tree;
}

bool is_language_file(std::string_view name) { return name.ends_with(kSuffix); }

std::optional<Node> read_source(const SourceSet& sources, FileId file, Sink& sink,
                                const TreeLimits& limits) {
  return is_language_file(sources.name(file)) ? read_language(sources, file, sink, limits)
                                              : read_yaml(sources, file, sink, limits);
}

}  // namespace plan::syntax
