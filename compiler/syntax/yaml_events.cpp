// The only file that sees yaml-cpp: its event interface, never its Node, because events can be
// counted and refused before anything is expanded.
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <streambuf>
#include <string>

#include "compiler/source/report_again.h"
#include "compiler/source/text.h"
#include "compiler/syntax/key_set.h"
#include "compiler/syntax/source_text.h"
#include "compiler/syntax/yaml.h"
#include "compiler/syntax/yaml_recovery.h"

namespace plan::syntax {
namespace {

/// Reads a string_view in place: a large plan is not copied once more.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    // The get area of a streambuf is char*, and nothing ever writes through it.
    char* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }

  /// Nothing follows any more, whatever the text has.
  void end() { setg(eback(), egptr(), egptr()); }
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

constexpr std::string_view kQuoteRemedy =
    "put the same quote where the text ends; a quote that belongs to the text is `\\\"` between "
    "double quotes and `''` between single ones";

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::uint32_t skipped, FileId file, Sink& sink,
              const TreeLimits& limits, ViewBuffer& input)
      : text_(text), skipped_(skipped), file_(file), sink_(sink), limits_(limits), input_(input) {
    limits_.nodes_max = limits_.nodes_of(text.size());
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    ++documents_;
    if (documents_ == 2) {
      stop(Kind::yaml_documents, at(mark), "a second document begins in this file",
           "a plan is one document: remove the `---` and what does not belong to it");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!may_go_on(mark, anchor)) return;
    Node node;
    const std::uint32_t begin = at(mark);
    const std::string_view rest = text_.substr(std::min<std::size_t>(begin, text_.size()));
    const std::uint32_t size =
        rest.starts_with("null") || rest.starts_with("Null") || rest.starts_with("NULL")
            ? 4
            : (rest.starts_with("~") ? 1 : 0);
    node.span = span(begin, begin + size);
    // Nothing stands there: point at the key instead.
    if (size == 0 && !open_.empty() && open_.back().has_key) node.span = open_.back().key_span;
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(Kind::yaml_alias, at(mark), "an alias (`*name`) stands here",
         "write the value out: plans have no aliases and anchors");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (!may_go_on(mark, anchor)) return;
    Node node;
    node.kind = NodeKind::scalar;
    std::uint32_t begin = take_tag(node, at(mark), tag);
    const char first = begin < text_.size() ? text_[begin] : ' ';
    const bool is_in_quotes = tag != "?" && (first == '"' || first == '\'');
    if (is_in_quotes && !quoted_end(begin)) {
      open_quote_ = begin;
      return stop(Kind::yaml_syntax, begin, std::string(kOpenQuote), std::string(kQuoteRemedy));
    }
    node.is_quoted = is_in_quotes || (tag != "?" && (first == '|' || first == '>'));
    node.text = value;
    node.span = span(begin, scalar_end(begin, value, node.is_quoted));
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    begin_collection(NodeKind::sequence, mark, tag, anchor, style);
  }
  void OnSequenceEnd() override { end_collection(']'); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    begin_collection(NodeKind::mapping, mark, tag, anchor, style);
  }
  void OnMapEnd() override { end_collection('}'); }

  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    stop(Kind::yaml_alias, at(mark),
         fmt::format("an anchor (`&{}`) stands here", printable(name, 60)),
         "write the value out: plans have no aliases and anchors");
  }

  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  [[nodiscard]] bool has_root() const { return has_root_; }
  [[nodiscard]] Node take_root() { return std::move(root_); }
  [[nodiscard]] std::size_t documents() const { return documents_; }
  /// The quote, never closed, that ended the reading.
  [[nodiscard]] std::optional<std::uint32_t> open_quote() const { return open_quote_; }

 private:
  struct Open {
    Node node = {};
    bool is_flow = false;
    bool has_key = false;
    bool is_key_wrong = false;
    std::string key = {};
    Span key_span = {};
    KeySet keys = {};
  };

  [[nodiscard]] Span span(std::uint32_t begin, std::uint32_t end) const {
    const auto size = static_cast<std::uint32_t>(text_.size());
    begin = std::min(begin, size);
    end = std::clamp(end, begin, size);
    return {file_, begin + skipped_, end + skipped_};
  }
  static std::uint32_t at(const YAML::Mark& mark) {
    return mark.pos < 0 ? 0 : static_cast<std::uint32_t>(mark.pos);
  }

  void stop(Kind kind, std::uint32_t begin, std::string message, std::string help) {
    if (is_stopped_) return;
    is_stopped_ = true;
    input_.end();  // yaml-cpp would read the whole document to its end first
    sink_.report(kind, span(begin, begin + 1), std::move(message)).help(std::move(help));
  }

  bool may_go_on(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (is_stopped_) return false;
    if (anchor != 0) {
      stop(Kind::yaml_alias, at(mark), "an anchor (`&name`) stands here",
           "write the value out: plans have no aliases and anchors");
      return false;
    }
    if (++nodes_ > limits_.nodes_max) {
      stop(Kind::yaml_nodes, at(mark),
           fmt::format("more than {} values in this file", show_count(limits_.nodes_max)),
           "put long lists of accounts into a csv file and name it under `accounts: {from: ...}`");
      return false;
    }
    if (open_.size() >= limits_.depth_max) {
      stop(Kind::yaml_depth, at(mark),
           fmt::format("nested deeper than {} levels", limits_.depth_max),
           "no part of a plan is that deep: look for a wrong indentation or bracket");
      return false;
    }
    return true;
  }

  /// Moves from the begin of properties (tag) to the begin of the value.
  std::uint32_t take_tag(Node& node, std::uint32_t begin, const std::string& tag) {
    if (tag.empty() || tag == "?") return begin;
    if (begin >= text_.size() || text_[begin] != '!') return begin;
    std::uint32_t end = begin;
    while (end < text_.size() && !is_blank(text_[end]) && text_[end] != ',' && text_[end] != ']' &&
           text_[end] != '}') {
      ++end;
    }
    // A lone `!` names nothing: it only says that the value is a text.
    if (end > begin + 1)
      node.tag = Tag(std::string(text_.substr(begin, end - begin)), span(begin, end));
    return skip_blanks(end);
  }

  [[nodiscard]] std::uint32_t skip_blanks(std::uint32_t at) const {
    while (at < text_.size()) {
      if (is_blank(text_[at])) {
        ++at;
      } else if (text_[at] == '#' && (at == 0 || is_blank(text_[at - 1]))) {
        while (at < text_.size() && text_[at] != '\n') ++at;
      } else {
        break;
      }
    }
    return at;
  }

  /// Behind the quote that closes the text in quotes that begins here; nothing when none does.
  [[nodiscard]] std::optional<std::uint32_t> quoted_end(std::uint32_t begin) const {
    const auto size = static_cast<std::uint32_t>(text_.size());
    const char quote = text_[begin];
    for (std::uint32_t i = begin + 1; i < size; ++i) {
      const bool is_doubled = quote == '\'' && i + 1 < size && text_[i + 1] == quote;
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote && is_doubled) {
        ++i;
      } else if (text_[i] == quote) {
        return i + 1;
      }
    }
    return std::nullopt;
  }

  /// yaml-cpp tells where a value begins, never where it ends.
  [[nodiscard]] std::uint32_t scalar_end(std::uint32_t begin, const std::string& value,
                                         bool is_quoted) const {
    const auto size = static_cast<std::uint32_t>(text_.size());
    if (begin >= size) return size;
    const char first = text_[begin];
    if (is_quoted && (first == '"' || first == '\'')) return quoted_end(begin).value_or(size);
    if (is_quoted) {  // a block scalar: its header line is what a caret can point at
      std::uint32_t end = begin;
      while (end < size && text_[end] != '\n' && text_[end] != '\r') ++end;
      return end;
    }
    if (text_.substr(begin).starts_with(value)) {
      return begin + static_cast<std::uint32_t>(value.size());
    }
    // A plain scalar over several lines: its words in order, whatever blanks stand between.
    std::uint32_t i = begin;
    for (const char c : value) {
      if (is_blank(c)) continue;
      while (i < size && is_blank(text_[i])) ++i;
      if (i >= size || text_[i] != c) return std::max(i, begin + 1);
      ++i;
    }
    return i;
  }

  void begin_collection(NodeKind kind, const YAML::Mark& mark, const std::string& tag,
                        YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
    if (!may_go_on(mark, anchor)) return;
    Open open;
    open.node.kind = kind;
    open.is_flow = style == YAML::EmitterStyle::Flow;
    const std::uint32_t begin = take_tag(open.node, at(mark), tag);
    open.node.span = span(begin, begin + 1);
    open_.push_back(std::move(open));
  }

  void end_collection(char closing) {
    if (is_stopped_ || open_.empty()) return;
    Open open = std::move(open_.back());
    open_.pop_back();
    std::uint32_t end = open.node.span.end - skipped_;
    if (!open.node.items.empty()) {
      end = std::max(end, open.node.items.back().span.end - skipped_);
    } else if (!open.node.entries.empty()) {
      const Entry& last = open.node.entries.back();
      end = std::max({end, last.value.span.end - skipped_, last.key_span.end - skipped_});
    }
    if (open.is_flow) {
      std::uint32_t i = skip_blanks(end);
      while (i < text_.size() && (text_[i] == ',' || text_[i] == ':')) i = skip_blanks(i + 1);
      if (i < text_.size() && text_[i] == closing) end = i + 1;
    }
    open.node.span.end = end + skipped_;
    add(std::move(open.node));
  }

  void add(Node node) {
    if (open_.empty()) {
      has_root_ = true;
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == NodeKind::sequence) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    if (!parent.has_key) {
      parent.has_key = true;
      parent.is_key_wrong = false;
      parent.key_span = node.span;
      parent.key = node.text;
      if (!node.is_scalar() || !node.tag.empty()) {
        parent.is_key_wrong = true;
        count_problem();
        sink_.report(Kind::yaml_key, node.span, "a key that is not a word")
            .help("keys are plain words; put quotes around one that begins with a bracket");
      } else if (node.text == "<<" && !node.is_quoted) {
        parent.is_key_wrong = true;
        count_problem();
        sink_.report(Kind::yaml_merge_key, node.span, "a merge key (`<<`)")
            .help("write the members out: plans have no aliases to merge");
      }
      return;
    }
    parent.has_key = false;
    if (parent.is_key_wrong) return;
    if (!parent.keys.add(parent.node,
                         Entry{std::move(parent.key), parent.key_span, std::move(node)}, sink_))
      count_problem();
  }

  /// A text that is no plan at all is not read to its end.
  void count_problem() {
    if (++problems_ < kProblemsMax) return;
    is_stopped_ = true;
    input_.end();
  }

  std::string_view text_;
  std::uint32_t skipped_;
  FileId file_;
  Sink& sink_;
  TreeLimits limits_;
  ViewBuffer& input_;
  std::vector<Open> open_;
  Node root_;
  std::size_t nodes_ = 0;
  std::size_t problems_ = 0;
  std::size_t documents_ = 0;
  std::optional<std::uint32_t> open_quote_;
  bool has_root_ = false;
  bool is_stopped_ = false;
};

/// The first tab in front of the words of a line, in the lines up to the one with `at`.
std::optional<std::size_t> tab_in_indentation(std::string_view lines, std::size_t at) {
  const std::size_t end = std::min(lines.find('\n', at), lines.size());
  for (std::size_t line = 0; line < end;) {
    const std::size_t line_end = std::min(lines.find('\n', line), end);
    const std::size_t words = std::min(lines.find_first_not_of(" \t\r", line), line_end);
    const std::size_t tab = lines.substr(0, words).find('\t', line);
    if (words < line_end && tab != std::string_view::npos) return tab;
    line = line_end + 1;
  }
  return std::nullopt;
}

struct Wording {
  const char* theirs;  ///< what the message of yaml-cpp begins with
  std::string_view ours;
  std::string_view help = kYamlRemedy;
  char back_to = '\0';  ///< where the mistake begins: yaml-cpp's place is behind it
};

constexpr std::string_view kAliasRemedy =
    "put quotes around text that begins with `*` or `&`: plans have no aliases and anchors";
constexpr std::string_view kEscapeRemedy =
    "write a `\\` between double quotes twice, or put the text between single quotes";
constexpr std::string_view kDirectiveRemedy =
    "remove the lines that begin with `%`: a plan needs none of them";
constexpr std::string_view kTagRemedy =
    "put quotes around text that begins with `!`; the tags of plans are words like `!secret`";

const Wording kWordings[] = {
    {YAML::ErrorMsg::END_OF_MAP, "this line does not fit the mapping that it stands in"},
    {YAML::ErrorMsg::END_OF_SEQ, "this line does not fit the list that it stands in"},
    {YAML::ErrorMsg::MAP_VALUE,
     "a `: ` stands where the line before goes on, or twice in one line"},
    {YAML::ErrorMsg::MAP_KEY, "a `? ` stands where no key can begin"},
    {YAML::ErrorMsg::BLOCK_ENTRY, "a `- ` stands where no item of a list can begin"},
    {YAML::ErrorMsg::FLOW_END, "a bracket closes that was not opened, or not by this one"},
    {YAML::ErrorMsg::EOF_IN_SCALAR, kOpenQuote, kQuoteRemedy},
    {YAML::ErrorMsg::DOC_IN_SCALAR, kOpenQuote, kQuoteRemedy},
    {YAML::ErrorMsg::UNKNOWN_TOKEN, "no text without quotes begins with this character",
     "put quotes around the text"},
    {YAML::ErrorMsg::INVALID_ESCAPE, "a `\\` stands in front of a character that needs none",
     kEscapeRemedy, '\\'},
    {YAML::ErrorMsg::INVALID_HEX, "digits of a character's number are missing behind this `\\`",
     kEscapeRemedy, '\\'},
    {YAML::ErrorMsg::INVALID_UNICODE, "no character has the number that is written here",
     kEscapeRemedy, '\\'},
    {YAML::ErrorMsg::TAB_IN_INDENTATION, "a tab stands in the indentation",
     "put blanks in the place of each tab, as many as the lines beside it have"},
    {YAML::ErrorMsg::ZERO_INDENT_IN_BLOCK, "a `0` stands behind `|` or `>`",
     "leave the number away: the text below is as far indented as its first line"},
    {YAML::ErrorMsg::CHAR_IN_BLOCK, "text stands in the line of `|` or `>`",
     "begin the text in the next line, further to the right than its key"},
    {YAML::ErrorMsg::UNKNOWN_ANCHOR, "an alias (`*name`) stands here", kAliasRemedy},
    {YAML::ErrorMsg::ALIAS_NOT_FOUND, "an alias (`*`) without a name stands here", kAliasRemedy,
     '*'},
    {YAML::ErrorMsg::ANCHOR_NOT_FOUND, "an anchor (`&`) without a name stands here", kAliasRemedy,
     '&'},
    {YAML::ErrorMsg::CHAR_IN_ALIAS, "an alias (`*name`) has a character that no name has",
     kAliasRemedy, '*'},
    {YAML::ErrorMsg::CHAR_IN_ANCHOR, "an anchor (`&name`) has a character that no name has",
     kAliasRemedy, '&'},
    {YAML::ErrorMsg::MULTIPLE_ANCHORS, "two anchors (`&name`) stand at one value", kAliasRemedy},
    {YAML::ErrorMsg::MULTIPLE_TAGS, "two tags (`!name`) stand at one value", kTagRemedy},
    {YAML::ErrorMsg::CHAR_IN_TAG_HANDLE, "a tag (`!name`) has a character that no name has",
     kTagRemedy, '!'},
    {YAML::ErrorMsg::TAG_WITH_NO_SUFFIX, "a tag (`!name!`) ends without its second word",
     kTagRemedy, '!'},
    {YAML::ErrorMsg::END_OF_VERBATIM_TAG, "a tag (`!<`) is never closed", kTagRemedy, '!'},
    {YAML::ErrorMsg::YAML_DIRECTIVE_ARGS, "a `%YAML` line has more than a version, or none",
     kDirectiveRemedy},
    {YAML::ErrorMsg::YAML_VERSION, "a `%YAML` line has a version that is none", kDirectiveRemedy},
    {YAML::ErrorMsg::YAML_MAJOR_VERSION, "a `%YAML` line is of a later YAML than is read",
     kDirectiveRemedy},
    {YAML::ErrorMsg::REPEATED_YAML_DIRECTIVE, "a second `%YAML` line stands here",
     kDirectiveRemedy},
    {YAML::ErrorMsg::TAG_DIRECTIVE_ARGS, "a `%TAG` line has not two words", kDirectiveRemedy},
    {YAML::ErrorMsg::REPEATED_TAG_DIRECTIVE, "a second `%TAG` line for the same tags stands here",
     kDirectiveRemedy},
    {YAML::ErrorMsg::BAD_FILE, "nested too deeply",
     "no part of a plan is that deep: look for a wrong indentation or bracket"},
};

/// What yaml-cpp says of a place, in our words. `is_at_end`: nothing stands at the place and
/// behind.
Wording wording(std::string_view message, bool is_at_end) {
  if (message == YAML::ErrorMsg::END_OF_SEQ_FLOW)
    return {"", is_at_end ? "a `[` is not closed" : "a comma or a `]` is missing here"};
  if (message == YAML::ErrorMsg::END_OF_MAP_FLOW)
    return {"", is_at_end ? "a `{` is not closed" : "a comma or a `}` is missing here"};
  const auto* found =
      std::find_if(std::begin(kWordings), std::end(kWordings),
                   [&](const Wording& one) { return message.starts_with(one.theirs); });
  return found == std::end(kWordings) ? Wording{"", "this cannot be read as YAML"} : *found;
}

/// Throws what yaml-cpp says when the builder did not end the reading.
void read_documents(ViewBuffer& buffer, TreeBuilder& builder) {
  try {
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (!builder.is_stopped() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception&) {
    if (!builder.is_stopped()) throw;
  }
}

/// Where the quote stands that is open at the end of a text. yaml-cpp says of it where the text
/// ends; with a line break at the end it says nothing and gives all that stands behind the quote.
std::optional<std::uint32_t> open_quote(std::string_view text, FileId file,
                                        const TreeLimits& limits) {
  const std::string whole = std::string(text) + '\n';
  Sink dropped;
  ViewBuffer buffer(whole);
  TreeBuilder builder(whole, 0, file, dropped, limits, buffer);
  try {
    read_documents(buffer, builder);
  } catch (const YAML::Exception&) {
    return std::nullopt;
  }
  return builder.open_quote();
}

/// Why yaml-cpp could not read these lines.
void report_exception(const YAML::Exception& error, std::string_view lines, std::uint32_t offset,
                      FileId file, Sink& sink, const TreeLimits& limits) {
  auto begin = static_cast<std::uint32_t>(std::min<std::size_t>(
      error.mark.pos < 0 ? 0 : static_cast<std::size_t>(error.mark.pos), lines.size()));
  if (const auto tab = tab_in_indentation(lines, begin)) {
    const std::uint32_t at = offset + static_cast<std::uint32_t>(*tab);
    sink.report(Kind::yaml_syntax, Span{file, at, at + 1}, "a tab stands in the indentation")
        .label("YAML is indented with blanks")
        .help("put blanks in the place of each tab, as many as the lines beside it have");
    return;
  }
  const bool is_at_end = std::all_of(lines.begin() + begin, lines.end(), is_blank);
  Wording said = wording(error.msg, is_at_end);
  std::optional<std::uint32_t> quote;
  if (is_at_end || said.ours == kOpenQuote)
    quote = open_quote(lines.substr(0, begin), file, limits);
  if (quote) {
    said = {"", kOpenQuote, kQuoteRemedy};
    begin = *quote;
  } else if (said.back_to != '\0' && begin > 0) {
    const std::size_t at = lines.rfind(said.back_to, begin - 1);
    if (at != std::string_view::npos) begin = static_cast<std::uint32_t>(at);
  }
  sink.report(Kind::yaml_syntax, Span{file, begin + offset, begin + offset + 1},
              std::string(said.ours))
      .help(std::string(said.help));
}

}  // namespace

std::optional<Node> read_yaml_lines(std::string_view lines, std::uint32_t offset, FileId file,
                                    Sink& sink, const TreeLimits& limits) {
  try {
    // Gone before a mistake is told, which may read once more: there is one tree at a time.
    ViewBuffer buffer(lines);
    TreeBuilder builder(lines, offset, file, sink, limits, buffer);
    read_documents(buffer, builder);
    if (builder.is_stopped()) return std::nullopt;
    if (builder.has_root()) return builder.take_root();
  } catch (const YAML::Exception& error) {
    report_exception(error, lines, offset, file, sink, limits);
    return std::nullopt;
  }
  sink.report(Kind::file_empty, Span{file, 0, 0}, "the file has no content")
      .help("`plan init --from dovecot-postfix` writes a plan with every key explained");
  return std::nullopt;
}

std::optional<Node> read_yaml(const SourceSet& sources, FileId file, Sink& sink,
                              const TreeLimits& limits) {
  const auto readable = readable_text(sources, file, Kind::yaml_syntax, sink, limits);
  if (!readable) return std::nullopt;
  const auto& [text, skipped] = *readable;
  Sink said;
  auto tree = read_yaml_lines(text, skipped, file, said, limits);
  const auto is_syntax = [](const Diagnostic& one) { return one.kind == Kind::yaml_syntax; };
  const std::vector<Diagnostic> of_whole = said.sorted();
  if (!tree && std::any_of(of_whole.begin(), of_whole.end(), is_syntax) &&
      !broken_yaml_parts(text, skipped, file, sink, limits).empty())
    return std::nullopt;
  for (const Diagnostic& one : of_whole) report_again(one, sink);
  return tree;
}

}  // namespace plan::syntax
