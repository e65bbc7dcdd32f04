#include "compiler/syntax/function_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <unordered_set>

#include "compiler/ir/json.h"
#include "compiler/ir/secrets.h"
#include "compiler/source/text.h"
#include "compiler/syntax/names.h"

namespace plan::syntax {
namespace {

using ir::List;
using ir::Value;
using Maybe = std::optional<Value>;

// A text that grows by a replacement in a replacement ends here, and a list of its parts.
constexpr std::size_t kTextBytesMax = std::size_t{1} << 20U;
constexpr std::size_t kPartsMax = 100'000;

class Call {
 public:
  Call(const Expression& call, List arguments, Sink& sink)
      : call_(call), arguments_(std::move(arguments)), sink_(sink) {}

  Maybe value();

 private:
  using Function = Maybe (Call::*)();

  Maybe problem(Span span, std::string message) {
    sink_.report(Kind::expression_type, span, std::move(message));
    return std::nullopt;
  }
  Maybe secret_compared(Span span) {
    sink_.report(Kind::expression_type, span, "a secret cannot be compared").help(kSecretRemedy);
    return std::nullopt;
  }
  Maybe too_long() {
    return problem(call_.span,
                   fmt::format("the text becomes longer than {}", show_bytes(kTextBytesMax)));
  }
  [[nodiscard]] Span span_of(std::size_t argument) const {
    return argument < call_.operands.size() ? call_.operands[argument].span : call_.span;
  }
  /// Reports the first argument that is no text.
  bool are_texts() {
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      if (arguments_[i].is_string()) continue;
      static_cast<void>(problem(span_of(i), fmt::format("`{}` needs a text, this is {}", call_.text,
                                                        to_string(arguments_[i].type()))));
      return false;
    }
    return true;
  }
  bool is_list_of_texts(std::size_t argument) {
    const Value& list = arguments_[argument];
    const auto no_text = std::find_if(list.items().begin(), list.items().end(),
                                      [](const Value& item) { return !item.is_string(); });
    if (list.is_list() && no_text == list.items().end()) return true;
    const auto found = list.is_list() ? no_text->type() : list.type();
    static_cast<void>(problem(
        span_of(argument),
        fmt::format("`{}` needs a list of texts, this has {}", call_.text, to_string(found))));
    return false;
  }
  const std::string& text(std::size_t argument) const { return arguments_[argument].as_string(); }

  Maybe choose() {
    if (!arguments_[0].is_bool())
      return problem(span_of(0), fmt::format("this is {}, where true or false is needed",
                                             to_string(arguments_[0].type())));
    return std::move(arguments_[arguments_[0].bool_or(false) ? 1 : 2]);
  }
  Maybe concat() {
    List whole;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      if (!arguments_[i].is_list())
        return problem(call_.span, fmt::format("`concat` needs lists, one is {}",
                                               to_string(arguments_[i].type())));
      const List& items = arguments_[i].items();
      whole.insert(whole.end(), items.begin(), items.end());
    }
    return Value(std::move(whole));
  }
  Maybe contains() {
    const Value& whole = arguments_[0];
    const Value& wanted = arguments_[1];
    if (ir::holds_secret(wanted)) return secret_compared(span_of(1));
    if (whole.is_list()) {
      if (ir::holds_secret(whole)) return secret_compared(span_of(0));
      return Value(std::find(whole.items().begin(), whole.items().end(), wanted) !=
                   whole.items().end());
    }
    if (wanted.is_string() && whole.is_map())
      return Value(whole.as_map().contains(wanted.as_string()));
    if (wanted.is_string() && whole.is_string())
      return Value(whole.as_string().find(wanted.as_string()) != std::string::npos);
    return problem(call_.span, "`contains` needs a list, a map or a text, and what to look for");
  }
  Maybe fallback() { return std::move(arguments_[arguments_[0].is_null() ? 1 : 0]); }
  Maybe part_of_address() {
    if (!are_texts()) return std::nullopt;
    const std::size_t at = text(0).rfind('@');
    if (at == std::string::npos) return problem(span_of(0), "this is no mail address");
    return Value(call_.text == "domain_of" ? text(0).substr(at + 1) : text(0).substr(0, at));
  }
  Maybe starts_or_ends() {
    if (!are_texts()) return std::nullopt;
    return Value(call_.text == "ends_with" ? text(0).ends_with(text(1))
                                           : text(0).starts_with(text(1)));
  }
  Maybe first() {
    if (!arguments_[0].is_list())
      return problem(span_of(0),
                     fmt::format("{} has no first item", to_string(arguments_[0].type())));
    return arguments_[0].item(0);
  }
  Maybe host_of() {
    if (!are_texts()) return std::nullopt;
    if (const std::string why = why_not_url(text(0)); !why.empty())
      return problem(span_of(0), fmt::format("this is no URL: {}", why));
    return Value(host_of_url(text(0)));
  }
  Maybe is_in_network() {
    if (!are_texts()) return std::nullopt;
    if (!is_ip_address(text(0))) return problem(span_of(0), "this is no IP address");
    if (const std::string why = why_not_network(text(1)); !why.empty())
      return problem(span_of(1), fmt::format("this is no network: {}", why));
    return Value(is_ip_in_network(text(0), text(1)));
  }
  Maybe join() {
    if (!arguments_[0].is_list() || !arguments_[1].is_string())
      return problem(call_.span, "`join` needs a list and a text");
    if (!is_list_of_texts(0)) return std::nullopt;
    std::string whole;
    for (std::size_t i = 0; i < arguments_[0].size(); ++i) {
      if (i > 0) whole += text(1);
      whole += arguments_[0].item(i).as_string();
      if (whole.size() > kTextBytesMax) return too_long();
    }
    return Value(std::move(whole));
  }
  Maybe keys() {
    if (!arguments_[0].is_map())
      return problem(span_of(0), fmt::format("{} has no keys", to_string(arguments_[0].type())));
    std::vector<std::string> names;
    for (const auto& member : arguments_[0].members()) names.push_back(member.first);
    std::sort(names.begin(), names.end());
    List list;
    for (std::string& name : names) list.emplace_back(std::move(name));
    return Value(std::move(list));
  }
  Maybe length() {
    const Value& whole = arguments_[0];
    if (whole.is_string())
      return Value(static_cast<std::uint64_t>(character_count(whole.as_string())));
    if (whole.is_list() || whole.is_map()) return Value(static_cast<std::uint64_t>(whole.size()));
    return problem(call_.span, fmt::format("{} has no length", to_string(whole.type())));
  }
  Maybe lower() { return are_texts() ? Maybe(Value(lower_ascii(text(0)))) : std::nullopt; }
  Maybe trimmed() { return are_texts() ? Maybe(Value(trim(text(0)))) : std::nullopt; }
  Maybe extreme() {
    std::size_t best = 0;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      if (!arguments_[i].is_number())
        return problem(span_of(i), fmt::format("{} has no order", to_string(arguments_[i].type())));
      const double difference = arguments_[i].number_or(0) - arguments_[best].number_or(0);
      if (call_.text == "max" ? difference > 0 : difference < 0) best = i;
    }
    return std::move(arguments_[best]);
  }
  Maybe replace() {
    if (!are_texts()) return std::nullopt;
    if (text(1).empty()) return problem(span_of(1), "an empty text stands everywhere");
    std::string whole;
    const std::string& from = text(0);
    for (std::size_t at = 0; at < from.size();) {
      if (from.compare(at, text(1).size(), text(1)) == 0) {
        whole += text(2);
        at += text(1).size();
      } else {
        whole += from[at++];
      }
      if (whole.size() > kTextBytesMax) return too_long();
    }
    return Value(std::move(whole));
  }
  Maybe sort() {
    if (!is_list_of_texts(0)) return std::nullopt;
    List& items = arguments_[0].as_list();
    std::sort(items.begin(), items.end(),
              [](const Value& a, const Value& b) { return a.as_string() < b.as_string(); });
    return std::move(arguments_[0]);
  }
  Maybe split_text() {
    if (!are_texts()) return std::nullopt;
    if (text(1).empty()) return problem(span_of(1), "an empty text stands everywhere");
    List parts;
    std::size_t begin = 0;
    while (true) {
      const std::size_t end = text(0).find(text(1), begin);
      parts.emplace_back(text(0).substr(begin, end - begin));
      if (parts.size() > kPartsMax)
        return problem(call_.span, fmt::format("the text has more than {} parts", kPartsMax));
      if (end == std::string::npos) return Value(std::move(parts));
      begin = end + text(1).size();
    }
  }
  Maybe as_text() {
    if (arguments_[0].is_integer()) return Value(std::to_string(arguments_[0].as_integer()));
    if (arguments_[0].is_string()) return std::move(arguments_[0]);
    return problem(call_.span, fmt::format("{} is no number", to_string(arguments_[0].type())));
  }
  Maybe unique() {
    if (!arguments_[0].is_list())
      return problem(span_of(0), fmt::format("{} is no list", to_string(arguments_[0].type())));
    if (ir::holds_secret(arguments_[0])) return secret_compared(span_of(0));
    List once;
    std::unordered_set<std::string> seen;
    for (Value& item : arguments_[0].as_list()) {
      if (seen.insert(ir::canonical_json(item)).second) once.push_back(std::move(item));
    }
    return Value(std::move(once));
  }
  /// `host('...')` and its like: the text itself, once it was looked at.
  Maybe checked_text() {
    const std::string why = why_not(arguments_[0], *parse_type(call_.text));
    if (!why.empty()) return problem(span_of(0), why);
    return std::move(arguments_[0]);
  }

  const Expression& call_;
  List arguments_;
  Sink& sink_;
};

Maybe Call::value() {
  static const std::map<std::string_view, Function> kFunctions = {
      {"address", &Call::checked_text},
      {"choose", &Call::choose},
      {"concat", &Call::concat},
      {"contains", &Call::contains},
      {"default", &Call::fallback},
      {"domain", &Call::checked_text},
      {"domain_of", &Call::part_of_address},
      {"ends_with", &Call::starts_or_ends},
      {"first", &Call::first},
      {"host", &Call::checked_text},
      {"host_of", &Call::host_of},
      {"ip", &Call::checked_text},
      {"is_in_network", &Call::is_in_network},
      {"join", &Call::join},
      {"keys", &Call::keys},
      {"length", &Call::length},
      {"local_part_of", &Call::part_of_address},
      {"lower", &Call::lower},
      {"max", &Call::extreme},
      {"min", &Call::extreme},
      {"network", &Call::checked_text},
      {"replace", &Call::replace},
      {"sort", &Call::sort},
      {"split", &Call::split_text},
      {"starts_with", &Call::starts_or_ends},
      {"text", &Call::as_text},
      {"trim", &Call::trimmed},
      {"unique", &Call::unique},
      {"url", &Call::checked_text},
  };
  const auto found = kFunctions.find(call_.text);
  PLAN_CHECK(found != kFunctions.end(), "functions.def and this table name the same functions");
  return std::invoke(found->second, *this);
}

}  // namespace

std::string wrong_arity(const FunctionInfo& function, std::size_t count) {
  const auto [fewest, most] = arity_of(function);
  const std::string wanted =
      most > fewest ? fmt::format("{} or more", fewest) : std::to_string(fewest);
  return fmt::format("`{}` takes {} argument{}, here {} {}", function.name, wanted,
                     wanted == "1" ? "" : "s", count == 1 ? "is" : "are", count);
}

std::optional<Value> apply_function(const Expression& call, List arguments, Sink& sink) {
  return Call(call, std::move(arguments), sink).value();
}

Span member_span(const Expression& expression, std::string_view key) {
  Span span = expression.span;
  if (expression.kind == Expression::Kind::member && span.end - span.begin > key.size())
    span.begin = span.end - static_cast<std::uint32_t>(key.size());
  return span;
}

namespace {

/// The word of this language for what other ones, YAML's among them, call so; empty: it is none.
std::string_view constant_meant_by(std::string_view word) {
  const std::string small = lower_ascii(word);
  if (small == "true" || small == "yes" || small == "on") return "true";
  if (small == "false" || small == "no" || small == "off") return "false";
  return small == "null" || small == "none" || small == "nil" ? "null" : "";
}

}  // namespace

void report_unknown_name(Span span, std::string_view word, bool is_member,
                         const std::vector<std::string_view>& known, Sink& sink) {
  // Each is compared with every name that there is: one more word of hundreds helps nobody.
  constexpr std::size_t kComparedMax = 200;
  constexpr std::size_t kShownMax = 16;
  const auto near = sink.count(Severity::error) < kComparedMax ? nearest(word, known)
                                                               : std::optional<std::string_view>();
  auto report =
      sink.report(Kind::unknown_name, span,
                  fmt::format("there is no `{}`{}", printable(word, 60), is_member ? " here" : ""));
  const std::string_view constant = is_member ? std::string_view() : constant_meant_by(word);
  if (near || !constant.empty()) {
    report.label(fmt::format("did you mean `{}`?", constant.empty() ? *near : constant));
    return;
  }
  if (!known.empty() && known.size() <= kShownMax) {
    std::vector<std::string_view> names = known;
    std::sort(names.begin(), names.end());
    report.help(fmt::format("known here: `{}`", fmt::join(names, "`, `")));
  }
  // A name alone is often a text without its quotes.
  if (!is_member)
    report.help(fmt::format("correct the spelling, or put a text into quotes: `'{}'`",
                            printable(word, 60)));
}

}  // namespace plan::syntax
