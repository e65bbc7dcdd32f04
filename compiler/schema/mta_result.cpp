#include "compiler/schema/mta_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "compiler/source/text.h"

namespace plan::schema {
namespace {

using Kind = MtaNode::Kind;
using Operator = MtaNode::Operator;

constexpr std::size_t kShownMax = 40;
constexpr double kStatusMin = 100;
constexpr double kStatusMax = 599;

struct ResultRow {
  std::string_view structure;
  std::string_view property;
  MtaResult result;
};
constexpr ResultRow kResults[] = {
#define PLAN_MTA_RESULT(structure, property, result) {#structure, #property, MtaResult::result},
#define PLAN_MTA_VARIABLE(name, type)
#define PLAN_MTA_GIVES(function, type)
#include "compiler/schema/mta_result.def"
#undef PLAN_MTA_RESULT
#undef PLAN_MTA_VARIABLE
#undef PLAN_MTA_GIVES
};

using Types = std::unordered_map<std::string_view, MtaType>;

const Types& types_of_variables() {
  static const Types kTypes = {
#define PLAN_MTA_RESULT(structure, property, result)
#define PLAN_MTA_VARIABLE(name, type) {#name, MtaType::type},
#define PLAN_MTA_GIVES(function, type)
#include "compiler/schema/mta_result.def"
#undef PLAN_MTA_RESULT
#undef PLAN_MTA_VARIABLE
#undef PLAN_MTA_GIVES
  };
  return kTypes;
}

const Types& types_of_functions() {
  static const Types kTypes = {
#define PLAN_MTA_RESULT(structure, property, result)
#define PLAN_MTA_VARIABLE(name, type)
#define PLAN_MTA_GIVES(function, type) {#function, MtaType::type},
#include "compiler/schema/mta_result.def"
#undef PLAN_MTA_RESULT
#undef PLAN_MTA_VARIABLE
#undef PLAN_MTA_GIVES
  };
  return kTypes;
}

MtaType type_in(const Types& types, std::string_view name) {
  const auto known = types.find(name);
  return known == types.end() ? MtaType::unknown : known->second;
}

const ResultRow* row_of(std::string_view structure, std::string_view property) {
  if (structure.starts_with("x:")) structure.remove_prefix(2);
  const auto* const row =
      std::find_if(std::begin(kResults), std::end(kResults), [&](const ResultRow& each) {
        return each.structure == structure && each.property == property;
      });
  return row == std::end(kResults) ? nullptr : row;
}

std::string_view wanted_words(MtaResult wanted) {
  switch (wanted) {
    case MtaResult::anything:
      break;
    case MtaResult::truth:
      return "true or false";
    case MtaResult::count:
      return "a whole number";
    case MtaResult::bytes:
      return "a number of bytes";
    case MtaResult::status:
      return "a status of HTTP such as `200`";
    case MtaResult::duration:
      return "a duration such as `5s`";
    case MtaResult::duration_or_false:
      return "a duration such as `5s`, or false";
    case MtaResult::text:
      return "a text in quotes";
    case MtaResult::text_or_false:
      return "a text in quotes, or false";
    case MtaResult::name:
      return "a name in quotes";
    case MtaResult::rate:
      return "a rate such as `[1, 1d]`, or false";
    case MtaResult::words:
    case MtaResult::words_or_false:
      return "one of its words";
    case MtaResult::mechanisms:
      return "a list of mechanisms such as `[plain, login]`, or false";
  }
  return "another value";
}

std::string_view words_for(MtaType type) {
  switch (type) {
    case MtaType::unknown:
      break;
    case MtaType::truth:
      return "true or false";
    case MtaType::number:
      return "a number";
    case MtaType::duration:
      return "a duration";
    case MtaType::text:
      return "a text";
    case MtaType::list:
      return "a list";
    case MtaType::constant:
      return "a word of the server";
  }
  return "something else";
}

class Judge {
 public:
  Judge(const MtaExpression& expression, std::string_view text, MtaResult wanted,
        const MtaContext& context)
      : expression_(expression), text_(text), wanted_(wanted), context_(context) {}

  std::optional<MtaError> judge(const MtaNode& node) const {
    if (node.kind == Kind::call && node.text == "if_then" && node.children.size() == 3) {
      if (auto error = judge(expression_.nodes[node.children[1]])) return error;
      return judge(expression_.nodes[node.children[2]]);
    }
    const MtaType type = type_of(node);
    if (type == MtaType::unknown) return std::nullopt;
    switch (wanted_) {
      case MtaResult::anything:
        return std::nullopt;
      case MtaResult::truth:
        // The server's true and false are 1 and 0.
        if (node.kind == Kind::number && type == MtaType::number &&
            (node.number == 0 || node.number == 1))
          return std::nullopt;
        return type == MtaType::truth ? std::nullopt : refused(node, type);
      case MtaResult::count:
      case MtaResult::bytes:
      case MtaResult::status:
        return type == MtaType::number ? judge_number(node) : refused(node, type);
      case MtaResult::duration:
      case MtaResult::duration_or_false:
        // A duration is a number of milliseconds to the server.
        if (is_off(node) && wanted_ == MtaResult::duration_or_false) return std::nullopt;
        return type == MtaType::duration || type == MtaType::number ? judge_number(node)
                                                                    : refused(node, type);
      case MtaResult::text:
        return type == MtaType::text ? std::nullopt : refused(node, type);
      case MtaResult::text_or_false:
        return type == MtaType::text || is_off(node) ? std::nullopt : refused(node, type);
      case MtaResult::name:
        if (node.kind == Kind::text && node.text.empty())
          return error_at(node, fmt::format("needs {}, this one is empty", wanted_words(wanted_)));
        return type == MtaType::text ? std::nullopt : refused(node, type);
      case MtaResult::rate:
        return is_off(node) || is_rate(node) ||
                       (type == MtaType::constant && node.text == "disable")
                   ? std::nullopt
                   : refused(node, type);
      case MtaResult::words:
        return type == MtaType::constant ? std::nullopt : refused(node, type);
      case MtaResult::words_or_false:
        return type == MtaType::constant || is_off(node) ? std::nullopt : refused(node, type);
      case MtaResult::mechanisms:
        return judge_mechanisms(node, type);
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] std::string_view source(const MtaNode& node) const {
    if (node.begin > text_.size() || node.end < node.begin) return {};
    return text_.substr(node.begin, node.end - node.begin);
  }

  [[nodiscard]] bool is_off(const MtaNode& node) const {
    return node.kind == Kind::number && source(node) == "false";
  }

  [[nodiscard]] MtaType type_of(const MtaNode& node) const {
    switch (node.kind) {
      case Kind::number: {
        const std::string_view written = source(node);
        if (written == "true" || written == "false") return MtaType::truth;
        const bool has_unit = !written.empty() && written.back() >= 'a' && written.back() <= 'z';
        return has_unit ? MtaType::duration : MtaType::number;
      }
      case Kind::text:
      case Kind::capture:
        return MtaType::text;
      case Kind::list:
        return MtaType::list;
      case Kind::constant:
        return MtaType::constant;
      case Kind::variable:
        // Where every variable is known nobody tells one from another.
        return context_.is_unrestricted ? MtaType::unknown
                                        : type_in(types_of_variables(), node.text);
      case Kind::call:
      case Kind::matches:
        return type_given_by(node.kind == Kind::matches ? "matches" : node.text);
      case Kind::negate:
        return MtaType::truth;
      case Kind::minus: {
        const MtaType operand = type_of(expression_.nodes[node.children[0]]);
        return operand == MtaType::duration ? operand : MtaType::number;
      }
      case Kind::binary:
        return type_of_binary(node);
      case Kind::global:
      case Kind::item:
        return MtaType::unknown;
    }
    return MtaType::unknown;
  }

  [[nodiscard]] MtaType type_of_binary(const MtaNode& node) const {
    switch (node.op) {
      case Operator::add:
      case Operator::subtract:
      case Operator::multiply:
      case Operator::divide:
        break;
      default:
        return MtaType::truth;
    }
    const MtaType left = type_of(expression_.nodes[node.children[0]]);
    const MtaType right = type_of(expression_.nodes[node.children[1]]);
    // A text beside a number is read as a number where it is one.
    if (node.op == Operator::add && left == MtaType::text && right == MtaType::text) return left;
    if (node.op == Operator::add && (!is_numeric(left) || !is_numeric(right)))
      return MtaType::unknown;
    const bool has_duration = left == MtaType::duration || right == MtaType::duration;
    return has_duration && node.op != Operator::divide ? MtaType::duration : MtaType::number;
  }

  [[nodiscard]] static bool is_numeric(MtaType type) {
    return type == MtaType::number || type == MtaType::duration;
  }

  [[nodiscard]] std::optional<MtaError> judge_number(const MtaNode& node) const {
    if (node.kind == Kind::minus) {
      const MtaNode& operand = expression_.nodes[node.children[0]];
      if (operand.kind != Kind::number || operand.number == 0) return std::nullopt;
      return error_at(node, fmt::format("needs {}, and `{}` is negative", wanted_words(wanted_),
                                        printable(source(node), kShownMax)));
    }
    if (node.kind != Kind::number) return std::nullopt;
    if (std::floor(node.number) != node.number)
      return error_at(node, fmt::format("needs {}, and `{}` is no whole one", wanted_words(wanted_),
                                        printable(source(node), kShownMax)));
    if (wanted_ == MtaResult::status && (node.number < kStatusMin || node.number > kStatusMax))
      return error_at(node, fmt::format("needs {}, and `{}` is none", wanted_words(wanted_),
                                        printable(source(node), kShownMax)));
    return std::nullopt;
  }

  [[nodiscard]] bool is_rate(const MtaNode& node) const {
    if (node.kind != Kind::list) return false;
    if (node.children.size() != 2) return false;
    return std::all_of(node.children.begin(), node.children.end(), [&](std::uint32_t child) {
      const MtaType type = type_of(expression_.nodes[child]);
      return is_numeric(type) || type == MtaType::unknown;
    });
  }

  [[nodiscard]] std::optional<MtaError> judge_mechanisms(const MtaNode& node, MtaType type) const {
    if (is_off(node) || type == MtaType::constant) return std::nullopt;
    if (node.kind != Kind::list) return type == MtaType::list ? std::nullopt : refused(node, type);
    for (const std::uint32_t child : node.children) {
      const MtaNode& item = expression_.nodes[child];
      const MtaType of_item = type_of(item);
      if (of_item != MtaType::constant && of_item != MtaType::unknown)
        return refused(item, of_item);
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<MtaError> refused(const MtaNode& node, MtaType type) const {
    std::string wanted(wanted_words(wanted_));
    if (wanted_ == MtaResult::words || wanted_ == MtaResult::words_or_false) {
      wanted = fmt::format("one of {}", fmt::join(context_.constants, ", "));
      if (wanted_ == MtaResult::words_or_false) wanted += ", or false";
    }
    MtaError error =
        error_at(node, fmt::format("needs {}, and `{}` is {}", wanted,
                                   printable(source(node), kShownMax), words_for(type)));
    error.nearest = meant_by(node);
    return error;
  }

  /// What is right without its quotes; empty: nothing of that kind.
  [[nodiscard]] std::string meant_by(const MtaNode& node) const {
    if (node.kind != Kind::text || node.text.empty()) return {};
    const bool is_number = node.text.find_first_not_of("0123456789") == std::string::npos;
    const bool is_truth = node.text == "true" || node.text == "false";
    const bool is_word = std::find(context_.constants.begin(), context_.constants.end(),
                                   node.text) != context_.constants.end();
    switch (wanted_) {
      case MtaResult::truth:
        return is_truth ? node.text : std::string();
      case MtaResult::count:
      case MtaResult::bytes:
      case MtaResult::status:
        return is_number ? node.text : std::string();
      case MtaResult::words:
      case MtaResult::words_or_false:
      case MtaResult::mechanisms:
        return is_word ? node.text : std::string();
      default:
        return {};
    }
  }

  [[nodiscard]] static MtaError error_at(const MtaNode& node, std::string message) {
    MtaError error;
    error.offset = node.begin;
    error.message = std::move(message);
    error.is_refused_by_server = false;
    return error;
  }

  const MtaExpression& expression_;
  std::string_view text_;
  MtaResult wanted_;
  const MtaContext& context_;
};

}  // namespace

MtaResult result_of(std::string_view structure, std::string_view property) {
  const ResultRow* row = row_of(structure, property);
  return row == nullptr ? MtaResult::anything : row->result;
}

bool has_result(std::string_view structure, std::string_view property) {
  return row_of(structure, property) != nullptr;
}

MtaType type_given_by(std::string_view function) { return type_in(types_of_functions(), function); }

std::optional<MtaError> wrong_result(const MtaExpression& expression, std::string_view text,
                                     MtaResult wanted, const MtaContext& context) {
  if (wanted == MtaResult::anything || expression.nodes.empty()) return std::nullopt;
  return Judge(expression, text, wanted, context).judge(expression.root());
}

}  // namespace plan::schema
