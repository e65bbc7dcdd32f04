#include "compiler/syntax/sound_part.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/source/report_again.h"
#include "compiler/source/text.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/words.h"
#include "compiler/syntax/yaml_recovery.h"

namespace plan::syntax {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
/// What a statement does not begin with: blanks, comments, brackets that close.
constexpr std::string_view kNoBegin = " \t\r#}])";

[[nodiscard]] bool is_syntax(Kind kind) {
  return kind == Kind::language_syntax || kind == Kind::expression_syntax ||
         kind == Kind::yaml_syntax || kind == Kind::yaml_key;
}

[[nodiscard]] bool is_hopeless(Kind kind) {
  return kind == Kind::file_too_large || kind == Kind::file_empty || kind == Kind::not_utf8 ||
         kind == Kind::yaml_nodes || kind == Kind::yaml_depth || kind == Kind::yaml_documents ||
         kind == Kind::language_bound;
}

/// Where the statements begin: lines that begin in the first column, but not with a bracket that
/// closes or, in YAML, an item of a list.
[[nodiscard]] std::vector<std::size_t> statements_of(std::string_view text) {
  std::vector<std::size_t> begins;
  for (std::size_t line = 0; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    const char first = text[line];
    const bool is_item = first == '-' && text.substr(line, 3) != "---";
    if (line != end && !is_item && kNoBegin.find(first) == std::string::npos)
      begins.push_back(line);
    line = end + 1;
  }
  return begins;
}

/// The key of the statement that this line begins.
[[nodiscard]] std::string key_of(std::string_view line, bool is_language) {
  line = line.substr(0, line.find('\n'));
  std::size_t end = 0;
  if (!line.empty() && (line.front() == '"' || line.front() == '\'')) {
    end = line.find(line.front(), 1);
    return end == std::string_view::npos ? std::string() : std::string(line.substr(1, end - 1));
  }
  while (end < line.size() && is_word_part(line[end])) ++end;
  const std::string_view word = line.substr(0, end);
  if (!is_language) return std::string(word);
  if (word == "input") return "inputs";
  if (word == "step") return "steps";
  return std::string(word);
}

class Salvage {
 public:
  Salvage(const SourceSet& sources, FileId file, const TreeLimits& limits)
      : sources_(sources), file_(file), limits_(limits), text_(sources.text(file)) {
    if (text_.starts_with(kByteOrderMark)) {
      skipped_ = kByteOrderMark.size();
      text_.replace(0, skipped_, skipped_, ' ');
    }
    statements_ = statements_of(text_);
  }

  /// The tree of YAML without these parts: each is a null where it stands.
  std::optional<Node> without(const std::vector<BrokenPart>& parts) {
    std::string text = text_;
    gaps_.clear();
    std::vector<const BrokenPart*> nameless;
    for (const BrokenPart& part : parts) {
      if (!part.is_alone) gaps_.push_back({file_, part.begin, part.end});
      if (part.is_item) {
        for (std::uint32_t i = part.begin; i < part.end; ++i) text[i] = ' ';
        text.replace(part.at, 3, "- ~");
        if (part.end > part.at + 3) text[part.end - 1] = '\n';
      } else if (part.key_end == part.at) {
        blank(text, part.begin, part.end);
        if (!part.is_alone) nameless.push_back(&part);
      } else {
        blank(text, part.key_end + 1, part.end);
      }
    }
    auto tree = read(std::move(text));
    if (!tree) return std::nullopt;
    mark_gaps(*tree);
    for (const BrokenPart* part : nameless) {
      Entry gap;
      gap.key = key_of(std::string_view(text_).substr(part->at), false);
      gap.key_span = gap.value.span = {file_, part->at, part->at};
      gap.value.is_left_out = true;
      if (tree->find_entry(gap.key) == nullptr) tree->entries.push_back(std::move(gap));
    }
    return tree;
  }

  [[nodiscard]] std::vector<Span> gaps() const { return gaps_; }
  /// Keys that stand twice in what is left: nobody was told while nothing was built.
  void tell_keys(Sink& sink) const {
    const std::vector<Diagnostic> known = sink.sorted();
    for (const Diagnostic& one : said_.sorted()) {
      const bool is_told = std::any_of(known.begin(), known.end(), [&](const Diagnostic& other) {
        return other.kind == one.kind && other.span == one.span;
      });
      if (one.kind == Kind::duplicate_key && !is_told && !is_in_gap(one.span))
        report_again(one, sink);
    }
  }

  /// The tree without the statements at `places`; else also without those at `more` and the ones in
  /// front of all these, which may be where a bracket is open.
  std::optional<Node> without(const std::vector<std::size_t>& places,
                              const std::vector<std::size_t>& more) {
    left_out_.clear();
    leave_out(places);
    if (auto tree = read()) return tree;
    leave_out(more);
    for (const std::size_t one : std::set<std::size_t>(left_out_)) {
      if (one > 0) left_out_.insert(one - 1);
    }
    return read();
  }

  [[nodiscard]] std::vector<BrokenPart> yaml_parts() const {
    Sink told;
    return broken_yaml_parts(std::string_view(text_).substr(skipped_),
                             static_cast<std::uint32_t>(skipped_), file_, told, limits_);
  }

 private:
  [[nodiscard]] std::optional<std::size_t> statement_at(std::size_t place) const {
    const auto behind = std::upper_bound(statements_.begin(), statements_.end(), place);
    if (behind == statements_.begin()) return std::nullopt;
    return static_cast<std::size_t>(behind - statements_.begin()) - 1;
  }

  void leave_out(const std::vector<std::size_t>& places) {
    for (const std::size_t place : places) {
      if (const auto at = statement_at(place)) left_out_.insert(*at);
    }
  }

  [[nodiscard]] std::size_t end_of(std::size_t statement) const {
    return statement + 1 < statements_.size() ? statements_[statement + 1] : text_.size();
  }

  std::optional<Node> read() {
    if (left_out_.empty() || left_out_.size() == statements_.size()) return std::nullopt;
    std::string text = text_;
    gaps_.clear();
    for (const std::size_t one : left_out_) {
      blank(text, statements_[one], end_of(one));
      gaps_.push_back({file_, static_cast<std::uint32_t>(statements_[one]),
                       static_cast<std::uint32_t>(end_of(one))});
    }
    auto tree = read(std::move(text));
    if (tree) add_gaps(*tree);
    return tree;
  }

  static void blank(std::string& text, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (text[i] != '\n') text[i] = ' ';
    }
  }

  std::optional<Node> read(std::string text) {
    // The file has the number that it has in the other set: spans are of that one.
    SourceSet sound;
    FileId file = FileId::none;
    while (file != file_) {
      const bool is_next = static_cast<std::size_t>(file_) == sound.size() + 1;
      file = sound.add(is_next ? std::string(sources_.name(file_)) : std::string(),
                       is_next ? std::move(text) : std::string());
    }
    said_ = Sink();
    auto tree = read_source(sound, file, said_, limits_);
    if (!tree || !tree->is_mapping()) return std::nullopt;
    return tree;
  }

  [[nodiscard]] bool is_in_gap(Span span) const {
    const auto behind =
        std::upper_bound(gaps_.begin(), gaps_.end(), span.begin,
                         [](std::uint32_t place, const Span& gap) { return place < gap.begin; });
    return behind != gaps_.begin() && span.begin < std::prev(behind)->end;
  }

  void mark_gaps(Node& node) const {
    for (Node& item : node.items) mark_gaps(item);
    for (Entry& entry : node.entries) mark_gaps(entry.value);
    if (node.is_null() && is_in_gap(node.span)) node.is_left_out = true;
    begin_behind_gap(node);
  }

  /// What is said of a mapping stands at its first entry that is there.
  void begin_behind_gap(Node& node) const {
    if (!node.is_mapping() || !is_in_gap(node.span)) return;
    for (const Entry& entry : node.entries) {
      if (entry.value.is_left_out) continue;
      node.span.begin = entry.key_span.begin;
      return;
    }
  }

  void add_gaps(Node& tree) const {
    const bool is_language = is_language_file(sources_.name(file_));
    for (const std::size_t one : left_out_) {
      const std::string_view line = std::string_view(text_).substr(statements_[one]);
      Entry gap;
      gap.key = key_of(line, is_language);
      const auto begin = static_cast<std::uint32_t>(statements_[one]);
      gap.key_span = {file_, begin, begin + static_cast<std::uint32_t>(gap.key.size())};
      gap.value.span = gap.key_span;
      gap.value.is_left_out = true;
      if (tree.find_entry(gap.key) == nullptr) tree.entries.push_back(std::move(gap));
    }
  }

  const SourceSet& sources_;
  FileId file_;
  TreeLimits limits_;
  std::string text_;
  std::size_t skipped_ = 0;  // the byte-order mark
  std::vector<std::size_t> statements_;
  std::set<std::size_t> left_out_;
  std::vector<Span> gaps_;  // what was left out at last
  Sink said_;               // at the last reading
};

}  // namespace

SoundPart read_sound_part(const SourceSet& sources, FileId file, Sink& sink,
                          const TreeLimits& limits) {
  SoundPart part;
  part.tree = read_source(sources, file, sink, limits);
  if (part.tree) return part;
  std::vector<std::size_t> places, ends;
  for (const Diagnostic& diagnostic : sink.sorted()) {
    if (diagnostic.span.file != file || diagnostic.severity != Severity::error) continue;
    // What is too large, or no text at all, is not looked into.
    if (is_hopeless(diagnostic.kind)) return part;
    if (!is_syntax(diagnostic.kind)) continue;
    // A note is where the bracket is open that is missed at the place.
    const bool has_note = !diagnostic.notes.empty() && diagnostic.notes.front().span.file == file;
    places.push_back(has_note ? diagnostic.notes.front().span.begin : diagnostic.span.begin);
    if (has_note) ends.push_back(diagnostic.span.begin);
  }
  Salvage salvage(sources, file, limits);
  if (!is_language_file(sources.name(file))) {
    const std::vector<BrokenPart> parts = salvage.yaml_parts();
    if (!parts.empty()) part.tree = salvage.without(parts);
  }
  if (!part.tree) part.tree = salvage.without(places, ends);
  part.is_damaged = part.tree.has_value();
  if (!part.is_damaged) return part;
  part.left_out = salvage.gaps();
  salvage.tell_keys(sink);
  return part;
}

}  // namespace plan::syntax
