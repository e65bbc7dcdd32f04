#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/key_set.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// Turns bytes of a text into places of a file.
class TextPlaces {
 public:
  virtual ~TextPlaces() = default;
  [[nodiscard]] virtual Span span(std::size_t begin, std::size_t end) const = 0;
};

/// What the actions of compiler/syntax/grammar.cpp call: builds the tree and the expressions,
/// reports problems, and knows where reading goes on after one. Shows nothing of Spirit. After the
/// first problem nothing is built any more, and reading only looks for further problems.
class LanguageBuilder {
 public:
  using At = const char*;

  LanguageBuilder(std::string_view text, const TextPlaces& places, Kind syntax_kind, Sink& sink,
                  const TreeLimits& limits);

  [[nodiscard]] bool is_broken() const { return is_broken_; }
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  [[nodiscard]] At end() const { return text_.data() + text_.size(); }

  // --- values ------------------------------------------------------------------------------------
  void key(At begin, At end);
  bool open_map(At begin, At end);
  bool open_list(At begin, At end);
  void close(At begin, At end);
  void text(At begin, At end);         ///< "..." as a value
  void tagged_text(At begin, At end);  ///< "..." behind `secret`, `lock`
  void bare(At begin, At end);         ///< an expression as a value
  void bare_word(At begin, At end);    ///< a word that means itself: a stage, a step
  void tag_secret(At begin, At end);
  void tag_lock(At begin, At end);
  void tag_numbered(At begin, At end);
  void tag_other(At begin, At end);
  void open_for(At begin, At end);
  void for_each(At begin, At end);
  void for_in(At begin, At end);
  void for_give(At begin, At end);
  void close_for(At begin, At end);

  // --- statements --------------------------------------------------------------------------------
  void module_name(At begin, At end);
  void use_name(At begin, At end);
  void use_as(At begin, At end);
  void use_digest(At begin, At end);
  void use_with(At begin, At end);
  void close_use(At begin, At end);
  void input_name(At begin, At end);
  void input_type(At begin, At end);
  void input_default(At begin, At end);
  void close_input(At begin, At end);
  void let_name(At begin, At end);
  void close_let(At begin, At end);
  void step_id(At begin, At end);
  void step_for(At begin, At end);
  void step_in(At begin, At end);
  void step_kind(At begin, At end);
  void open_arguments(At begin, At end);
  void step_key(At begin, At end);
  void close_step(At begin, At end);

  // --- expressions -------------------------------------------------------------------------------
  void quoted(At begin, At end);
  void number(At begin, At end);
  void name(At begin, At end);
  void member(At begin, At end);
  void open_arguments_of(At begin, At end);
  void open_items(At begin, At end);
  void argument(At begin, At end);
  void close_call(At begin, At end);
  void close_items(At begin, At end);
  bool index(At begin, At end);
  bool negation(At begin, At end);
  bool equal(At begin, At end);
  bool not_equal(At begin, At end);
  bool less(At begin, At end);
  bool less_or_equal(At begin, At end);
  bool greater(At begin, At end);
  bool greater_or_equal(At begin, At end);
  bool conjunction(At begin, At end);
  bool disjunction(At begin, At end);

  // --- depth, problems, going on -----------------------------------------------------------------
  [[nodiscard]] bool enter(bool is_expression, At bracket);
  void leave(bool is_expression, At bracket, bool is_failing);
  /// Where an expression begins and ends: problems inside it are told apart from those of the file.
  void begin_expression();
  void end_expression();

  /// Reports that `which` should stand at `at`; nothing when that follows from the last problem.
  void problem(At at, std::string_view which);
  // Where reading goes on after a problem at `at` of something that begins at `begin`.
  /// The next entry, or the bracket that ends this block.
  [[nodiscard]] At next_entry(At begin, At at);
  /// The next `,`, or the bracket that ends this list.
  [[nodiscard]] At next_item(At begin, At at);
  /// Behind the bracket that ends this list.
  [[nodiscard]] At behind_list(At begin, At at);
  /// Like next_entry, but always further than `at`.
  [[nodiscard]] At next_statement(At begin, At at);

  [[nodiscard]] Node take_tree();
  [[nodiscard]] Expression take_expression();

 private:
  struct Frame {
    Node node = {};
    bool has_key = false;
    std::string key = {};
    Span key_span = {};
    KeySet keys = {};
  };
  struct Operand {
    Expression expression = {};
    std::size_t depth = 0;
  };
  enum class Stop : std::uint8_t { entry, item, list };

  [[nodiscard]] Span span(At begin, At end) const;
  [[nodiscard]] static std::string_view view(At begin, At end);
  void report(Kind kind, Span where, std::string message);
  void count_problem();
  void add_entry(KeySet& keys, Node& mapping, Entry entry);
  bool complain(At at, std::string message, std::string help);
  [[nodiscard]] At behind_blanks(At at) const;
  [[nodiscard]] At end_before(At at) const;
  [[nodiscard]] std::string_view bare_text_at(At at) const;
  [[nodiscard]] std::string_view bare_words_before(At at) const;
  [[nodiscard]] std::string_view help_of_other_language(At token) const;
  [[nodiscard]] At behind_text(At at) const;
  [[nodiscard]] bool is_entry_line(At at, bool is_statement_only) const;
  [[nodiscard]] At skip(At at, Stop stop);
  [[nodiscard]] At goes_on_at(At at);
  [[nodiscard]] At broken_head(At at) const;
  [[nodiscard]] At behind_indented(At line);
  std::optional<std::string> decoded(At begin, At end);
  [[nodiscard]] std::string word_or_text(At begin, At end);
  [[nodiscard]] Node scalar(At begin, At end);
  bool open(NodeKind kind, At begin, At end);
  void open_frame(NodeKind kind, Span where);
  void set_key(std::string key, Span where);
  void add(Node node);
  Node close_frame(At end);
  [[nodiscard]] Node& gathered(std::string_view key, NodeKind kind, Span where, std::size_t& place);
  bool push(Expression expression, std::size_t depth);
  bool combine(Expression::Kind kind, bool is_swapped = false);
  void open_operands(Expression::Kind kind, At begin);
  void close_operands(At end);

  std::string_view text_;
  const TextPlaces& places_;
  Kind syntax_kind_;
  Sink& sink_;
  TreeLimits limits_;
  std::vector<Frame> frames_;
  std::vector<Operand> operands_;
  std::vector<std::size_t> open_operands_;  // index in operands_ of lists and calls that are open
  std::string pending_tag_;
  Span pending_tag_span_;
  std::vector<Node> uses_;
  Span use_span_;
  KeySet inputs_;
  KeySet lets_;
  // Where the entries of the file that statements are gathered in stand; SIZE_MAX: nowhere yet.
  std::size_t use_place_ = SIZE_MAX;
  std::size_t inputs_place_ = SIZE_MAX;
  std::size_t lets_place_ = SIZE_MAX;
  std::size_t steps_place_ = SIZE_MAX;
  std::string step_key_;
  std::size_t nodes_ = 0;
  std::size_t tree_depth_ = 1;  ///< the file itself, as in YAML
  std::size_t expression_depth_ = 0;
  std::size_t expressions_ = 0;
  std::optional<std::uint32_t> expression_begin_;
  std::size_t problems_ = 0;
  bool is_broken_ = false;
  bool is_stopped_ = false;
  bool is_step_key_ = false;
  At resumed_ = nullptr;
  At unclosed_ = nullptr;
  struct Complaint {
    At at = nullptr;
    std::string message = {};
    std::string help = {};
  };
  std::optional<Complaint> complaint_;
};

/// Reads the file's text; false when a problem was reported.
[[nodiscard]] bool parse_file(std::string_view text, LanguageBuilder& builder);
/// Reads one expression from `*at` on and moves `*at` behind it; false when a problem was reported.
[[nodiscard]] bool parse_one_expression(std::string_view text, std::size_t* at,
                                        LanguageBuilder& builder);

}  // namespace plan::syntax
