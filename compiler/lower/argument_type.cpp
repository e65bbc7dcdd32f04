#include "compiler/lower/argument_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>

#include "compiler/source/text.h"
#include "compiler/syntax/names.h"
#include "compiler/syntax/scalar.h"

namespace plan::lower {
namespace {

using ir::ArgumentSpec;
using ir::ArgumentType;
using ir::Value;

using Names = std::vector<std::string_view>;
using Judgement = std::optional<WrongArgument>;

/// Numbers of milliseconds that are no duration count from 1970.
bool is_moment(const ArgumentSpec& spec) {
  return spec.type == ArgumentType::integer && spec.name.ends_with("_ms");
}

/// "takes ...", of a value of another type.
std::string_view words_of(const ArgumentSpec& spec) {
  if (is_moment(spec)) return "a moment in milliseconds since 1970";
  switch (spec.type) {
    case ArgumentType::any:
      return "a value";
    case ArgumentType::string:
      return "a text";
    case ArgumentType::address:
      return "a mail address";
    case ArgumentType::url:
      return "a URL";
    case ArgumentType::integer:
      return "a whole number";
    case ArgumentType::boolean:
      return "`true` or `false`";
    case ArgumentType::list:
      return "a list";
    case ArgumentType::map:
      return "a map";
    case ArgumentType::duration_ms:
      return "a duration";
    case ArgumentType::bytes:
      return "a size";
    case ArgumentType::secret:
      return "a secret";
  }
  return "a value";
}

std::string_view remedy_of(const ArgumentSpec& spec) {
  if (is_moment(spec)) {
    return "it is a moment and no length of time: write a whole number without a unit, or what is "
           "one, like `wave.start_after_ms`";
  }
  switch (spec.type) {
    case ArgumentType::string:
    case ArgumentType::address:
    case ArgumentType::any:
      return "write a text; a number that is one stands in quotes";
    case ArgumentType::url:
      return "write a URL as a text: `https://mail.example.org`";
    case ArgumentType::integer:
      return "write a whole number, without quotes and without a unit";
    case ArgumentType::boolean:
      return "write `true` or `false`, without quotes";
    case ArgumentType::list:
      return "put it into brackets: `[a, b]`";
    case ArgumentType::map:
      return "write members by name: `{name = value}`, in YAML `{name: value}`";
    case ArgumentType::duration_ms:
      return "write a number with its unit: `500ms`, `30s`, `5m`, `2h`, `1d`";
    case ArgumentType::bytes:
      return "write a number with its unit: `512KiB`, `50MiB`, `2GiB`";
    case ArgumentType::secret:
      return "give it a name that stands for a secret: an `input` of type `secret`";
  }
  return "";
}

bool is_of_type(const Value& value, ArgumentType type) {
  switch (type) {
    case ArgumentType::any:
      return true;
    case ArgumentType::string:
    case ArgumentType::address:
    case ArgumentType::url:
      return value.is_string();
    case ArgumentType::integer:
      return value.is_integer();
    case ArgumentType::boolean:
      return value.is_bool();
    case ArgumentType::list:
      return value.is_list();
    case ArgumentType::map:
      return value.is_map();
    case ArgumentType::duration_ms:
    case ArgumentType::bytes:
      return value.is_integer() && value.integer_or(0) >= 0;
    case ArgumentType::secret:
      return value.is_secret();
  }
  return true;
}

/// A number itself, of all else what it is: a secret that stands there in clear is nobody's to
/// read.
std::string shown(const Value& value) {
  return value.is_integer() ? fmt::format("{}", value.integer_or(0))
                            : syntax::to_text(syntax::type_of_value(value));
}

WrongArgument of_other_type(const ArgumentSpec& spec, std::string_view given) {
  return {fmt::format("takes {}, and this is {}", words_of(spec), given),
          std::string(remedy_of(spec))};
}

WrongArgument of_other_type(const Value& value, const ArgumentSpec& spec) {
  const bool is_number = is_amount(spec.type) || spec.type == ArgumentType::integer;
  if (!is_number || !value.is_string()) return of_other_type(spec, shown(value));
  const std::string& text = value.as_string();
  if (syntax::read_duration_ms(text)) return of_other_type(spec, "duration");
  if (syntax::read_bytes(text)) return of_other_type(spec, "size");
  WrongArgument wrong = of_other_type(spec, shown(value));
  const auto moment = is_moment(spec) ? syntax::read_time_ms(text) : std::nullopt;
  if (moment) wrong.help = fmt::format("write `{}`, which is that moment", *moment);
  return wrong;
}

// --- how much it may be -------------------------------------------------------------------------

constexpr std::int64_t kPortMax = 65'535;
constexpr std::int64_t kDayMs = 86'400'000;
// Before it is a length of time, or a moment in seconds; behind it one in microseconds.
constexpr std::int64_t kMomentLeast = 31'536'000'000;
constexpr std::int64_t kMomentMost = 32'503'680'000'000;

struct Bound {
  std::string_view argument;
  std::int64_t least;
  std::int64_t most;
};
/// What the program or a proxy refuses or takes for something else. How little a hold and the time
/// between two sweeps may be, rules of their own say.
constexpr std::array kBounds = {
    Bound{"passes_max", 1, 100},
    Bound{"bound_ms", 0, 600'000},
    Bound{"apart_ms", 0, kDayMs},
    Bound{"keep_apart_ms", 1'000, kDayMs},
};

Judgement judge_number(std::int64_t number, const ArgumentSpec& spec) {
  if (is_moment(spec)) {
    if (number >= kMomentLeast && number <= kMomentMost) return std::nullopt;
    return of_other_type(spec, std::to_string(number));
  }
  if (spec.name == "port") {
    if (number >= 1 && number <= kPortMax) return std::nullopt;
    return WrongArgument{fmt::format("takes a port, and {} is none", number),
                         "write a whole number from 1 to 65535, without quotes: `25`"};
  }
  const auto* const bound = std::find_if(
      kBounds.begin(), kBounds.end(), [&](const Bound& one) { return one.argument == spec.name; });
  if (bound == kBounds.end() || (number >= bound->least && number <= bound->most))
    return std::nullopt;
  if (spec.type != ArgumentType::duration_ms) {
    return WrongArgument{fmt::format("takes a whole number from {} to {}, and this is {}",
                                     bound->least, bound->most, number),
                         "write a number between the two"};
  }
  const auto words = [](std::int64_t ms) {
    return show_duration_ms(static_cast<std::uint64_t>(ms));
  };
  const bool is_short = number < bound->least;
  return WrongArgument{
      fmt::format("takes a duration of at {} {}, and this is {}", is_short ? "least" : "most",
                  words(is_short ? bound->least : bound->most), words(number)),
      std::string(remedy_of(spec))};
}

/// As a plan writes it: `10m`.
std::string duration_text(std::int64_t ms) {
  struct Unit {
    std::int64_t ms;
    std::string_view name;
  };
  for (const Unit& unit :
       {Unit{kDayMs, "d"}, Unit{3'600'000, "h"}, Unit{60'000, "m"}, Unit{1'000, "s"}}) {
    if (ms >= unit.ms && ms % unit.ms == 0) return fmt::format("{}{}", ms / unit.ms, unit.name);
  }
  return fmt::format("{}ms", ms);
}

// --- what stands in it --------------------------------------------------------------------------

/// The words that an argument, or each item of it, is one of; empty: any text.
Names choices_of(std::string_view argument) {
  if (argument == "at" || argument == "destination" || argument == "entries")
    return {"source", "target"};
  if (argument == "by") return {"plan", "server"};
  return {};
}

Judgement judge_word(std::string_view word, const Names& choices) {
  if (choices.empty() || std::find(choices.begin(), choices.end(), word) != choices.end())
    return std::nullopt;
  const auto near = nearest(word, choices);
  return WrongArgument{
      fmt::format("takes `{}`, and this is `{}`", fmt::join(choices, "` or `"),
                  printable(word, 80)),
      near ? fmt::format("did you mean `{}`?", *near) : "write one of these words"};
}

/// Settings of an old server are maps, which a rule judges (check/rules/settings_twice.cpp).
bool has_maps(std::string_view list) { return list == "values" || list == "blocks"; }

Judgement judge_item(const Value& item, std::string_view list) {
  if (item.is_output() || item.is_null() || has_maps(list)) return std::nullopt;
  if (list == "ports") {
    if (item.is_integer() && item.integer_or(0) >= 1 && item.integer_or(0) <= kPortMax)
      return std::nullopt;
    return WrongArgument{fmt::format("takes ports, and {} is none", shown(item)),
                         "write whole numbers from 1 to 65535, without quotes: `[25, 143]`"};
  }
  if (!item.is_string()) {
    return WrongArgument{fmt::format("takes a list of texts, and {} is none", shown(item)),
                         "write a text; a number that is one stands in quotes"};
  }
  return judge_word(item.as_string(), choices_of(list));
}

Judgement judge_text(const std::string& text, const ArgumentSpec& spec) {
  if (spec.type == ArgumentType::string && spec.is_required && trim(text).empty()) {
    return WrongArgument{"takes a text, and this one is empty",
                         fmt::format("write what it stands for: {}", spec.meaning)};
  }
  if (spec.type == ArgumentType::string) return judge_word(text, choices_of(spec.name));
  if (spec.type == ArgumentType::url) {
    const std::string why = syntax::why_not_url(text);
    if (why.empty()) return std::nullopt;
    return WrongArgument{fmt::format("takes a URL, and `{}` is none: {}", printable(text, 80), why),
                         std::string(remedy_of(spec))};
  }
  if (spec.type != ArgumentType::address) return std::nullopt;
  const std::size_t at = text.find('@');
  if (at != std::string::npos && at == text.rfind('@') && at > 0 && at + 1 < text.size())
    return std::nullopt;
  return WrongArgument{fmt::format("takes a mail address, and `{}` is none", printable(text, 80)),
                       "write the whole address, `alice@example.org`"};
}

}  // namespace

std::vector<const ArgumentSpec*> arguments_taken(ir::StepKind kind) {
  static const std::array<ArgumentSpec, 3> kOfAccount = {{
      {"account", ArgumentType::address, false, "primary address"},
      {"addresses", ArgumentType::list, false, "every address of the account"},
      {"aliases", ArgumentType::list, false, "further addresses"},
  }};
  std::vector<const ArgumentSpec*> taken;
  const auto add = [&taken](const ArgumentSpec& spec) {
    const bool is_known = std::any_of(taken.begin(), taken.end(), [&](const ArgumentSpec* one) {
      return one->name == spec.name;
    });
    if (!is_known) taken.push_back(&spec);
  };
  for (const ArgumentSpec& spec : ir::arguments_of(kind)) add(spec);
  for (const ArgumentSpec& spec : kOfAccount) add(spec);
  return taken;
}

const ArgumentSpec* argument_of(ir::StepKind kind, std::string_view name) {
  const auto& specs = ir::arguments_of(kind);
  const auto spec = std::find_if(specs.begin(), specs.end(),
                                 [&](const ArgumentSpec& one) { return one.name == name; });
  return spec == specs.end() ? nullptr : &*spec;
}

bool is_amount(ArgumentType type) {
  return type == ArgumentType::duration_ms || type == ArgumentType::bytes;
}

Value as_argument(Value value, ArgumentType type) {
  if (!is_amount(type) || !value.is_string()) return value;
  const auto amount = type == ArgumentType::duration_ms
                          ? syntax::read_duration_ms(value.as_string())
                          : syntax::read_bytes(value.as_string());
  return amount ? Value(*amount) : std::move(value);
}

Judgement judge_type(const Value& value, const ArgumentSpec& spec) {
  if (value.is_output() || value.is_null() || is_of_type(value, spec.type)) return std::nullopt;
  return of_other_type(value, spec);
}

Judgement judge_argument(const Value& value, const ArgumentSpec& spec) {
  if (value.is_output() || value.is_null()) return std::nullopt;
  if (auto wrong = judge_type(value, spec)) return wrong;
  if (spec.type == ArgumentType::list) {
    for (const Value& item : value.items()) {
      if (auto wrong = judge_item(item, spec.name)) return wrong;
    }
    return std::nullopt;
  }
  const bool is_number = is_amount(spec.type) || spec.type == ArgumentType::integer;
  if (is_number) return judge_number(value.as_integer(), spec);
  return value.is_string() ? judge_text(value.as_string(), spec) : std::nullopt;
}

Judgement judge_unit(const syntax::ValueType& type, const ArgumentSpec& spec) {
  using Kind = syntax::ValueType::Kind;
  const bool is_duration = type.is(Kind::duration);
  if (!is_duration && !type.is(Kind::size)) return std::nullopt;
  const bool is_wrong =
      spec.type == ArgumentType::integer ||
      (is_amount(spec.type) && is_duration != (spec.type == ArgumentType::duration_ms));
  if (!is_wrong) return std::nullopt;
  return of_other_type(spec, is_duration ? "duration" : "size");
}

Judgement judge_type_alone(const syntax::ValueType& type, const ArgumentSpec& spec) {
  using TypeKind = syntax::ValueType::Kind;
  syntax::ValueType there = type;
  there.is_optional = false;
  const std::string given = to_text(there);
  const auto is_one_of = [&](std::initializer_list<TypeKind> kinds) {
    return std::any_of(kinds.begin(), kinds.end(), [&](TypeKind kind) {
      return fits(syntax::ValueType{there.kind}, syntax::ValueType{kind});
    });
  };
  const bool is_right = [&] {
    switch (spec.type) {
      case ArgumentType::any:
        return true;
      case ArgumentType::string:
      case ArgumentType::address:
      case ArgumentType::url:
        return is_one_of({TypeKind::text});
      case ArgumentType::integer:
        return is_one_of({TypeKind::number}) || judge_unit(type, spec);
      case ArgumentType::boolean:
        return is_one_of({TypeKind::boolean});
      case ArgumentType::list:
        return is_one_of({TypeKind::list, TypeKind::rows});
      case ArgumentType::map:
        return is_one_of({TypeKind::map});
      case ArgumentType::duration_ms:
      case ArgumentType::bytes:
        return is_one_of({TypeKind::number, TypeKind::duration, TypeKind::size, TypeKind::text});
      case ArgumentType::secret:
        return is_one_of({TypeKind::secret});
    }
    return true;
  }();
  if (is_right) return std::nullopt;
  return of_other_type(spec, given);
}

std::string bounds_of(const ArgumentSpec& spec) {
  if (is_moment(spec)) return {};
  if (spec.name == "port") return fmt::format("`1` to `{}`", kPortMax);
  if (spec.name == "ports") return fmt::format("each `1` to `{}`", kPortMax);
  const bool is_list = spec.type == ArgumentType::list;
  if (const Names choices = choices_of(spec.name); !choices.empty())
    return fmt::format("{}`{}`", is_list ? "each " : "", fmt::join(choices, "` or `"));
  const auto* const bound = std::find_if(
      kBounds.begin(), kBounds.end(), [&](const Bound& one) { return one.argument == spec.name; });
  if (bound == kBounds.end()) return {};
  if (spec.type != ArgumentType::duration_ms)
    return fmt::format("`{}` to `{}`", bound->least, bound->most);
  if (bound->least == 0) return fmt::format("at most `{}`", duration_text(bound->most));
  return fmt::format("`{}` to `{}`", duration_text(bound->least), duration_text(bound->most));
}

bool takes_secret(ir::StepKind kind, std::string_view name) {
  const ArgumentSpec* const spec = argument_of(kind, name);
  if (spec != nullptr && spec->type == ArgumentType::secret) return true;
  return name == "set" &&
         (kind == ir::StepKind::admin_upsert || kind == ir::StepKind::admin_update);
}

}  // namespace plan::lower
