// The grammar of the plan language and of expressions, in Boost.Spirit X3. The only file that sees
// Spirit: it compiles alone, and its rules are also what docs/language.md is written from.
#include <boost/spirit/home/x3.hpp>
#include <exception>
#include <functional>
#include <string>
#include <type_traits>

#include "compiler/syntax/grammar_words.h"
#include "compiler/syntax/language_builder.h"
#include "compiler/syntax/words.h"

// A problem is told with the name of the rule that should stand first, also where actions, brackets
// and optional parts stand around it.
namespace boost::spirit::x3 {
template <class Subject, class Action>
struct get_info<action<Subject, Action>> {
  using result_type = std::string;
  std::string operator()(const action<Subject, Action>& parser) const {
    return what(parser.subject);
  }
};
template <class Subject>
struct get_info<raw_directive<Subject>> {
  using result_type = std::string;
  std::string operator()(const raw_directive<Subject>& parser) const {
    return what(parser.subject);
  }
};
template <class Subject>
struct get_info<and_predicate<Subject>> {
  using result_type = std::string;
  std::string operator()(const and_predicate<Subject>& parser) const {
    return what(parser.subject);
  }
};
template <class Left, class Right>
struct get_info<sequence<Left, Right>> {
  using result_type = std::string;
  std::string operator()(const sequence<Left, Right>& parser) const { return what(parser.left); }
};
}  // namespace boost::spirit::x3

#ifdef __clang__
// `a >> b > c` is how a grammar says: behind a and b there has to be a c.
#pragma clang diagnostic ignored "-Woverloaded-shift-op-parentheses"
#endif

namespace plan::syntax {
namespace {

namespace x3 = boost::spirit::x3;
using x3::standard::char_;
using Builder = LanguageBuilder;
struct here;  // the builder's place in a context

template <class Context>
Builder& builder_of(const Context& context) {
  return x3::get<here>(context).get();
}

/// What was matched goes to a function of the builder; one that gives false refuses it.
template <auto function>
struct Calls {
  template <class Context>
  void operator()(Context& context) const {
    Builder& builder = builder_of(context);
    const auto& range = x3::_attr(context);
    const char* begin = range.begin();
    const char* end = range.end();
    if (builder.is_stopped()) {
      x3::_pass(context) = false;
    } else if constexpr (std::is_same_v<decltype(std::invoke(function, builder, begin, end)),
                                        bool>) {
      x3::_pass(context) = std::invoke(function, builder, begin, end);
    } else {
      std::invoke(function, builder, begin, end);
    }
  }
};
template <auto function, class Parser>
auto on(Parser parser) {
  return x3::raw[parser][Calls<function>{}];
}

/// A word that is not the beginning of a longer one. As the head of a statement it is followed by
/// neither `=` nor `{`: that would be an entry.
struct Keyword : x3::parser<Keyword> {
  using attribute_type = x3::unused_type;
  [[maybe_unused]] static bool const has_attribute = false;
  std::string_view word;
  bool is_head = false;
  bool is_key = false;

  constexpr explicit Keyword(std::string_view text, bool head = false, bool key = false)
      : word(text), is_head(head), is_key(key) {}
  template <class At, class Context, class RContext, class Attribute>
  bool parse(At& first, const At& last, const Context& context, RContext&, Attribute&) const {
    x3::skip_over(first, last, context);
    const std::string_view rest(first, static_cast<std::size_t>(last - first));
    if (!rest.starts_with(word)) return false;
    std::size_t next = word.size();
    if (next < rest.size() && is_word_part(rest[next])) return false;
    while (next < rest.size() && (rest[next] == ' ' || rest[next] == '\t')) ++next;
    const char behind = next < rest.size() ? rest[next] : '\0';
    if (is_head && (behind == '=' || behind == '{')) return false;
    if (is_key && behind != '=') return false;
    first += static_cast<std::ptrdiff_t>(word.size());
    return true;
  }
};
Keyword keyword(std::string_view word) { return Keyword(word); }
Keyword head(std::string_view word) { return Keyword(word, true); }
Keyword meta(std::string_view word) { return Keyword(word, false, true); }

/// Brackets with something in them: one level deeper, at most so many.
template <class Subject, bool is_expression>
struct Nested : x3::unary_parser<Subject, Nested<Subject, is_expression>> {
  static bool const is_pass_through_unary = true;
  char opening;
  constexpr Nested(char bracket, const Subject& inner)
      : x3::unary_parser<Subject, Nested<Subject, is_expression>>(inner), opening(bracket) {}

  struct Level {
    Builder& builder;
    const char* bracket;
    int exceptions = std::uncaught_exceptions();
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    Level(Builder& b, const char* at) : builder(b), bracket(at) {}
    ~Level() { builder.leave(is_expression, bracket, std::uncaught_exceptions() > exceptions); }
  };
  template <class At, class Context, class RContext, class Attribute>
  bool parse(At& first, const At& last, const Context& context, RContext& rcontext,
             Attribute& attribute) const {
    Builder& builder = builder_of(context);
    x3::skip_over(first, last, context);
    if (first == last || *first != opening) return false;
    if (!builder.enter(is_expression, first))
      throw x3::expectation_failure<At>(first, "something that is less deep");
    const Level level(builder, first);
    return this->subject.parse(first, last, context, rcontext, attribute);
  }
};
template <bool is_expression = false, class Parser>
auto nested(char opening, const Parser& parser) {
  return Nested<typename x3::extension::as_parser<Parser>::value_type, is_expression>(
      opening, x3::as_parser(parser));
}

bool parse_expression(const char*& first, const char* last, Builder& builder);

/// An expression has blanks between its parts, but no comments: a grammar of its own.
struct ExpressionHere : x3::parser<ExpressionHere> {
  using attribute_type = x3::unused_type;
  [[maybe_unused]] static bool const has_attribute = false;
  template <class At, class Context, class RContext, class Attribute>
  bool parse(At& first, const At& last, const Context& context, RContext&, Attribute&) const {
    x3::skip_over(first, last, context);
    return parse_expression(first, last, builder_of(context));
  }
};

// Where reading goes on after a problem, by rule.
template <auto next>
struct GoesOn {
  template <class At, class Problem, class Context>
  x3::error_handler_result on_error(At& first, const At&, const Problem& problem,
                                    const Context& context) {
    Builder& builder = builder_of(context);
    builder.problem(problem.where(), problem.which());
    first = std::invoke(next, builder, first, problem.where());
    return x3::error_handler_result::accept;
  }
};
struct GoesOnInFile {
  template <class At, class Problem, class Context>
  x3::error_handler_result on_error(At& first, const At& last, const Problem& problem,
                                    const Context& context) {
    Builder& builder = builder_of(context);
    builder.problem(problem.where(), problem.which());
    first = builder.next_statement(first, problem.where());
    return first == last ? x3::error_handler_result::accept : x3::error_handler_result::retry;
  }
};
struct Plain {};

template <class Id>
constexpr const char* kRuleWord = "";

// PLAN_RULE(identifier, "name in the grammar", "name in a message", what happens after a problem)
#define PLAN_RULE(identifier, word, wanted, Behaviour)                        \
  struct identifier##_rule : Behaviour {};                                    \
  template <>                                                                 \
  [[maybe_unused]] constexpr const char* kRuleWord<identifier##_rule> = word; \
  const x3::rule<identifier##_rule> identifier = wanted;

PLAN_RULE(file, "file", "a statement", GoesOnInFile)
PLAN_RULE(statement, "statement", "a statement", GoesOn<&Builder::next_entry>)
PLAN_RULE(module_line, "module", "a module", Plain)
PLAN_RULE(use_line, "use", "`use`", Plain)
PLAN_RULE(input_line, "input", "`input`", Plain)
PLAN_RULE(let_line, "let", "`let`", Plain)
PLAN_RULE(step_block, "step", "`step`", Plain)
PLAN_RULE(step_entry, "step-entry", "an entry", GoesOn<&Builder::next_entry>)
PLAN_RULE(entry, "entry", "an entry", GoesOn<&Builder::next_entry>)
PLAN_RULE(value, "value", "a value", Plain)
PLAN_RULE(assigned, "assigned", "`=` or `{`", Plain)
PLAN_RULE(assign, "assign", "`=`", Plain)
PLAN_RULE(same_line, "same-line", "something on this line", Plain)
PLAN_RULE(map, "map", "`{`", Plain)
PLAN_RULE(list, "list", "`[`", GoesOn<&Builder::behind_list>)
PLAN_RULE(item, "item", "an item", GoesOn<&Builder::next_item>)
PLAN_RULE(comprehension, "for", "`for`", Plain)
PLAN_RULE(references, "references", "a list of steps", GoesOn<&Builder::behind_list>)
PLAN_RULE(reference, "reference", "the name of a step", Plain)
PLAN_RULE(type, "type", "a type", Plain)
PLAN_RULE(text, "text", "a text in quotes", Plain)
PLAN_RULE(text_end, "\"\\\"\"", kTextEnd.data(), Plain)
PLAN_RULE(single_end, "\"'\"", kTextEnd.data(), Plain)
PLAN_RULE(word, "word", "a word", Plain)
PLAN_RULE(name, "name", "a name", Plain)
PLAN_RULE(path, "path", "a name", Plain)
PLAN_RULE(kind, "kind", "a kind of step", Plain)
PLAN_RULE(in_word, "\"in\"", "`in`", Plain)
PLAN_RULE(map_end, "\"}\"", "an entry or `}`", Plain)
PLAN_RULE(stray, "", "an entry or `}`", GoesOn<&Builder::next_statement>)
PLAN_RULE(stray_end, "", "an entry or `}`", Plain)
PLAN_RULE(list_end, "\"]\"", "`,` or `]`", Plain)
PLAN_RULE(arguments_end, "\")\"", "`,` or `)`", Plain)
PLAN_RULE(file_end, "end", "a statement (`step`, `use`, `key = value`, ...)", Plain)

PLAN_RULE(expression, "expression", "an expression", Plain)
PLAN_RULE(conjunction, "conjunction", "an expression", Plain)
PLAN_RULE(comparison, "comparison", "an expression", Plain)
PLAN_RULE(unary, "unary", "an expression", Plain)
PLAN_RULE(postfix, "postfix", "an expression", Plain)
PLAN_RULE(primary, "primary", "a name, a text or a number", Plain)
PLAN_RULE(quoted, "quoted", "a text", Plain)
PLAN_RULE(number, "number", "a number", Plain)
PLAN_RULE(items, "items", "a list", Plain)
PLAN_RULE(arguments, "arguments", "arguments", Plain)

// --- tokens --------------------------------------------------------------------------------------

const auto blank_char = char_(" \t\r\n");
const auto blank = blank_char | '#' >> *~char_('\n');

const auto word_def = x3::lexeme[char_("A-Za-z_") >> *char_("A-Za-z0-9_-")];
const auto name_def = x3::lexeme[char_("A-Za-z_") >> *char_("A-Za-z0-9_")];
const auto path_def = x3::lexeme[+(char_("A-Za-z0-9_./@-") | x3::lit("{}"))];
const auto kind_def = x3::lexeme[+char_("A-Za-z0-9_.-")];
const auto text_end_def = x3::lit('"');
const auto text_def =
    x3::lexeme['"' >> *((char_ - char_("\"\\\n")) | ('\\' >> ~char_('\n'))) > text_end];
const auto single_end_def = x3::lit('\'');
const auto single_quoted = x3::lexeme['\'' >> *~char_("'\n") > single_end];
const auto in_word_def = keyword("in");
const auto map_end_def = x3::lit('}');
const auto list_end_def = x3::lit(']');
const auto arguments_end_def = x3::lit(')');
const auto file_end_def = x3::eoi;

const auto statement_head =
    head("module") | head("use") | head("input") | head("let") | head("step");

// --- the file ------------------------------------------------------------------------------------

const auto file_def = *statement > file_end;
const auto statement_def = module_line | use_line | input_line | let_line | step_block | entry;

const auto module_line_def = head("module") > same_line > on<&Builder::module_name>(path);

const auto use_line_def =
    head("use") > same_line > on<&Builder::use_name>(path) >>
    -(head("as") > on<&Builder::use_as>(word)) >>
    -(head("digest") > on<&Builder::use_digest>(text)) >>
    -(on<&Builder::use_with>(&x3::lit('{')) >> map) >> on<&Builder::close_use>(x3::eps);

const auto input_line_def = head("input") > same_line > on<&Builder::input_name>(name) >
                            ':' > on<&Builder::input_type>(type) >>
                            -(on<&Builder::input_default>(assign) > same_line > value) >>
                            on<&Builder::close_input>(x3::eps);
// Nothing is skipped in front of what is not there: a comment behind a type is none of it.
const auto type_def = name >> -(x3::no_skip[&x3::lit('(')] >>
                                ('(' > type >> *(',' > type) > arguments_end)) >>
                      -(x3::no_skip[&x3::lit('?')] >> x3::lit('?'));

const auto let_line_def = head("let") > same_line > on<&Builder::let_name>(name) > assign
                          > same_line > value > on<&Builder::close_let>(x3::eps);

const auto step_block_def =
    head("step") > same_line > on<&Builder::step_id>(reference) >>
    -(keyword("for") > on<&Builder::step_for>(name) > in_word > on<&Builder::step_in>(name)) >
    ':' > on<&Builder::step_kind>(kind) > on<&Builder::open_arguments>('{') >
    *(step_entry | stray) > on<&Builder::close_step>(map_end);
const auto step_entry_def =
    (on<&Builder::step_key>(meta("after") | meta("before") | meta("after_previous_wave") |
                            meta("after_members")) > assign > same_line > references) |
    (on<&Builder::step_key>(meta("stage") | meta("role")) > assign > same_line >
     on<&Builder::bare_word>(word)) |
    (on<&Builder::step_key>(meta("when") | meta("about") | meta("args")) > assign > same_line >
     value) |
    entry;
const auto references_def = on<&Builder::open_list>('[') >
                            -(on<&Builder::bare_word>(reference) >>
                              *(',' >> on<&Builder::bare_word>(reference))) >>
                            -x3::lit(',') > on<&Builder::close>(list_end);
const auto reference_def = path | text;

// --- entries and values --------------------------------------------------------------------------

const auto entry_def = on<&Builder::key>((word - statement_head) | text) > assigned;
const auto assigned_def = (assign > same_line > value) | map;
const auto assign_def = '=' >> !x3::lit('=');
const auto same_line_def = x3::no_skip[&(*char_(" \t") >> ~char_("\r\n#"))];

// What is neither an entry nor the end of its block does not end the block.
const auto stray_end_def = x3::eps(false);
const auto stray_def = &(char_ - char_('}') - statement_head) > stray_end;
const auto map_def = nested('{', on<&Builder::open_map>('{') > *((entry >> -x3::lit(',')) | stray) >
                                     on<&Builder::close>(map_end));
const auto list_def = nested('[', on<&Builder::open_list>('[') > -(item >> *(',' >> item)) >>
                                      -x3::lit(',') > on<&Builder::close>(list_end));
const auto item_def = comprehension | value;
const auto comprehension_def = on<&Builder::open_for>(keyword("for") >> &name) >
                               on<&Builder::for_each>(name) > on<&Builder::for_in>(in_word) > value
                               > on<&Builder::for_give>(&x3::lit('[')) > list
                               > on<&Builder::close_for>(x3::eps);

const auto operator_ahead = x3::lit("==") | "!=" | "<" | ">" | "&&" | "||";
const auto value_def =
    (on<&Builder::tag_secret>(keyword("secret") >> &x3::lit('"')) >
     on<&Builder::tagged_text>(text)) |
    (on<&Builder::tag_lock>(keyword("lock") >> &x3::lit('"')) > on<&Builder::tagged_text>(text)) |
    (on<&Builder::tag_numbered>(keyword("numbered") >> &x3::lit('[')) > list) |
    (keyword("tagged") >> &x3::lit('"') > on<&Builder::tag_other>(text) > value) | list | map |
    on<&Builder::text>(text >> !operator_ahead) | on<&Builder::bare>(ExpressionHere());

// --- expressions ---------------------------------------------------------------------------------

const auto expression_def = conjunction >> *("||" > on<&Builder::disjunction>(conjunction));
const auto conjunction_def = comparison >> *("&&" > on<&Builder::conjunction>(comparison));
const auto comparison_def = unary >> -(("==" > on<&Builder::equal>(unary)) |
                                       ("!=" > on<&Builder::not_equal>(unary)) |
                                       ("<=" > on<&Builder::less_or_equal>(unary)) |
                                       ("<" > on<&Builder::less>(unary)) |
                                       (">=" > on<&Builder::greater_or_equal>(unary)) |
                                       (">" > on<&Builder::greater>(unary)));
const auto unary_def =
    on<&Builder::negation>(nested<true>('!', '!' >> !x3::lit('=') > unary)) | postfix;
const auto postfix_def = primary >>
                         *((x3::no_skip[&x3::lit('.')] >> x3::lit('.') >
                            on<&Builder::member>(name)) |
                           (x3::no_skip[&x3::lit('[')] >>
                            nested<true>('[', '[' > expression > on<&Builder::index>(list_end))));
const auto primary_def = quoted | number | nested<true>('(', '(' > expression > arguments_end) |
                         items | (on<&Builder::name>(name) >> -arguments);
const auto quoted_def = on<&Builder::quoted>(text | single_quoted);
const auto number_def = on<&Builder::number>(
    x3::lexeme[-x3::lit('-') >> char_("0-9") >> *(char_("A-Za-z0-9_") | ('.' >> &char_("0-9")))]);
const auto items_def = nested<true>('[', on<&Builder::open_items>('[') >
                                             -(on<&Builder::argument>(expression) >>
                                               *(',' >> on<&Builder::argument>(expression))) >>
                                             -x3::lit(',') > on<&Builder::close_items>(list_end));
const auto arguments_def = x3::no_skip[&x3::lit('(')] >>
                           nested<true>('(', on<&Builder::open_arguments_of>('(') >
                                                 -(on<&Builder::argument>(expression) >>
                                                   *(',' > on<&Builder::argument>(expression))) >
                                                 on<&Builder::close_call>(arguments_end));

BOOST_SPIRIT_DEFINE(file, statement, module_line, use_line, input_line, let_line, step_block)
BOOST_SPIRIT_DEFINE(step_entry, references, reference, entry, assigned, assign, same_line, map)
BOOST_SPIRIT_DEFINE(list, item, comprehension, value, type, text, text_end, word, name, path, kind)
BOOST_SPIRIT_DEFINE(in_word, single_end, stray, stray_end, map_end, list_end, arguments_end,
                    file_end)
BOOST_SPIRIT_DEFINE(expression, conjunction, comparison, unary, postfix, primary, quoted, number)
BOOST_SPIRIT_DEFINE(items, arguments)

struct InExpression {
  Builder& builder;
  explicit InExpression(Builder& b) : builder(b) { builder.begin_expression(); }
  InExpression(const InExpression&) = delete;
  InExpression& operator=(const InExpression&) = delete;
  ~InExpression() { builder.end_expression(); }
};

bool parse_expression(const char*& first, const char* last, Builder& builder) {
  const InExpression in_expression(builder);
  try {
    return x3::phrase_parse(first, last, x3::with<here>(std::ref(builder))[expression], blank_char,
                            x3::skip_flag::dont_post_skip);
  } catch (const x3::expectation_failure<const char*>& problem) {
    builder.problem(problem.where(), problem.which());
    throw;
  }
}

// --- the grammar as text -------------------------------------------------------------------------

struct Words {
  template <class Id>
  std::string operator()(const x3::rule<Id>&) const {
    return kRuleWord<Id>;
  }
  std::string operator()(const Keyword& parser) const { return quote(parser.word); }
  std::string operator()(const ExpressionHere&) const { return "expression"; }
  template <class S, bool is_expression>
  std::string operator()(const Nested<S, is_expression>& p) const {
    return (*this)(p.subject);
  }
  template <class S, class A>
  std::string operator()(const x3::action<S, A>& p) const {
    return (*this)(p.subject);
  }
  template <class S>
  std::string operator()(const x3::raw_directive<S>& p) const {
    return (*this)(p.subject);
  }
  template <class S>
  std::string operator()(const x3::lexeme_directive<S>& p) const {
    return (*this)(p.subject);
  }
  template <class S>
  std::string operator()(const x3::no_skip_directive<S>&) const {
    return "";  // only says that no blank stands here
  }
  template <class S>
  std::string operator()(const x3::expect_directive<S>& p) const {
    return (*this)(p.subject);
  }
  template <class L, class R>
  std::string operator()(const x3::sequence<L, R>& p) const {
    const std::string left = part(p.left);
    const std::string right = part(p.right);
    return left.empty() || right.empty() ? left + right : left + " " + right;
  }
  template <class L, class R>
  std::string operator()(const x3::alternative<L, R>& p) const {
    const std::string left = (*this)(p.left);
    const std::string right = (*this)(p.right);
    return left.empty() || right.empty() ? left + right : left + " | " + right;
  }
  template <class L, class R>
  std::string operator()(const x3::difference<L, R>& p) const {
    return part(p.left) + " - " + part(p.right);
  }
  template <class S>
  std::string operator()(const x3::kleene<S>& p) const {
    return "{ " + (*this)(p.subject) + " }";
  }
  template <class S>
  std::string operator()(const x3::plus<S>& p) const {
    return part(p.subject) + " { " + (*this)(p.subject) + " }";
  }
  template <class S>
  std::string operator()(const x3::optional<S>& p) const {
    return "[ " + (*this)(p.subject) + " ]";
  }
  template <class S>
  std::string operator()(const x3::and_predicate<S>&) const {
    return "";  // what follows says it again
  }
  template <class S>
  std::string operator()(const x3::not_predicate<S>&) const {
    return "";
  }
  std::string operator()(const x3::eps_parser&) const { return ""; }
  std::string operator()(const x3::eoi_parser&) const { return "end"; }
  template <class E, class A>
  std::string operator()(const x3::literal_char<E, A>& p) const {
    return quote(std::string(1, static_cast<char>(p.ch)));
  }
  template <class S, class E, class A>
  std::string operator()(const x3::literal_string<S, E, A>& p) const {
    return quote(std::string(p.str));
  }
  template <class E>
  std::string operator()(const x3::any_char<E>&) const {
    return "character";
  }
  template <class E, class A>
  std::string operator()(const x3::char_set<E, A>& p) const {
    return characters([&](char c) { return p.test(c, x3::unused); });
  }
  template <class P>
  std::string operator()(const x3::negated_char_parser<P>& p) const {
    return "( character - " + part(p.positive) + " )";
  }

 private:
  /// In a sequence, alternatives stand in brackets.
  template <class P>
  std::string part(const P& parser) const {
    const std::string words = (*this)(parser);
    return has_alternative(words) ? "( " + words + " )" : words;
  }
  static bool has_alternative(std::string_view words) {
    std::size_t depth = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i] == '"') {
        while (++i < words.size() && words[i] != '"') {
          if (words[i] == '\\') ++i;
        }
      } else if (words[i] == '(' || words[i] == '[' || words[i] == '{') {
        ++depth;
      } else if (words[i] == ')' || words[i] == ']' || words[i] == '}') {
        --depth;
      } else if (words[i] == '|' && depth == 0) {
        return true;
      }
    }
    return false;
  }
  static std::string quote(std::string_view characters_of) {
    std::string shown = "\"";
    for (const char c : characters_of) {
      if (c == '"' || c == '\\') shown += '\\';
      shown += c == '\n' ? std::string("\\n") : c == '\t' ? "\\t" : std::string(1, c);
    }
    return shown + "\"";
  }
  static bool is_letter_or_digit(int c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  }
  template <class Test>
  static std::string characters(Test test) {
    std::string words;
    for (int c = 1; c < 127; ++c) {
      if (!test(static_cast<char>(c))) continue;
      int last = c;
      while (is_letter_or_digit(c) && is_letter_or_digit(last + 1) &&
             test(static_cast<char>(last + 1)))
        ++last;
      if (!words.empty()) words += " | ";
      words += quote(std::string(1, static_cast<char>(c)));
      if (last > c + 1) {
        words += "..." + quote(std::string(1, static_cast<char>(last)));
        c = last;
      }
    }
    return words;
  }
};

template <class Id, class Definition>
void rule_line(std::string& whole, const x3::rule<Id>&, const Definition& definition) {
  std::string line = kRuleWord<Id>;
  line.resize(std::max<std::size_t>(line.size(), 12), ' ');
  whole += line + " = " + Words()(definition) + "\n";
}

}  // namespace

bool parse_file(std::string_view text_of_file, LanguageBuilder& builder) {
  const char* first = text_of_file.data();
  const char* last = first + text_of_file.size();
  x3::phrase_parse(first, last, x3::with<here>(std::ref(builder))[file], blank);
  return !builder.is_broken();
}

bool parse_one_expression(std::string_view text_of_scalar, std::size_t* at,
                          LanguageBuilder& builder) {
  const char* first = text_of_scalar.data() + *at;
  try {
    if (!parse_expression(first, text_of_scalar.data() + text_of_scalar.size(), builder)) {
      builder.begin_expression();
      builder.problem(first, x3::what(primary));
      builder.end_expression();
    }
  } catch (const x3::expectation_failure<const char*>&) {
    return false;  // parse_expression reported it
  }
  *at = static_cast<std::size_t>(first - text_of_scalar.data());
  return !builder.is_broken();
}

std::string grammar_text() {
  std::string text_of_grammar;
#define PLAN_LINE(rule) rule_line(text_of_grammar, rule, rule##_def);
  PLAN_LINE(file)
  PLAN_LINE(statement)
  PLAN_LINE(module_line)
  PLAN_LINE(use_line)
  PLAN_LINE(input_line)
  PLAN_LINE(type)
  PLAN_LINE(let_line)
  PLAN_LINE(step_block)
  PLAN_LINE(step_entry)
  PLAN_LINE(references)
  PLAN_LINE(reference)
  PLAN_LINE(entry)
  PLAN_LINE(assigned)
  PLAN_LINE(value)
  PLAN_LINE(map)
  PLAN_LINE(list)
  PLAN_LINE(item)
  PLAN_LINE(comprehension)
  PLAN_LINE(expression)
  PLAN_LINE(conjunction)
  PLAN_LINE(comparison)
  PLAN_LINE(unary)
  PLAN_LINE(postfix)
  PLAN_LINE(primary)
  PLAN_LINE(items)
  PLAN_LINE(arguments)
  PLAN_LINE(quoted)
  PLAN_LINE(number)
  PLAN_LINE(text)
  PLAN_LINE(word)
  PLAN_LINE(name)
  PLAN_LINE(path)
  PLAN_LINE(kind)
#undef PLAN_LINE
  return text_of_grammar;
}

}  // namespace plan::syntax
