#include "compiler/facts/given_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "compiler/facts/limits.h"
#include "compiler/ir/moment.h"
#include "compiler/source/text.h"

namespace plan::facts {
namespace {

/// Looking for a longer name's neighbour takes too long.
constexpr std::size_t kNearBytesMax = 300;

/// Text in capitals between the two: an address, a folder.
struct Hole {
  std::string_view before = {};
  std::string_view after = {};
};

std::optional<Hole> hole_of(std::string_view name) {
  for (const std::string_view word : {"ADDRESS", "FOLDER"}) {
    const std::size_t at = name.find(word);
    if (at != std::string_view::npos)
      return Hole{name.substr(0, at), name.substr(at + word.size())};
  }
  return std::nullopt;
}

/// What stands in the hole; the name itself where there is none; nothing when it is another name.
std::optional<std::string_view> text_in(std::string_view what, std::string_view name) {
  const auto hole = hole_of(name);
  if (!hole) return what == name ? std::optional(what) : std::nullopt;
  if (what.size() <= hole->before.size() + hole->after.size() || !what.starts_with(hole->before) ||
      !what.ends_with(hole->after))
    return std::nullopt;
  what.remove_prefix(hole->before.size());
  what.remove_suffix(hole->after.size());
  return what;
}

const MeasuredName* measured_name(std::string_view what) {
  for (const MeasuredName& one : measured_names()) {
    if (text_in(what, one.name)) return &one;
  }
  return nullptr;
}

/// "account/a@b/byte" is near "account/a@b/bytes": the names with this one's address or folder.
std::string near_name(std::string_view what) {
  if (what.size() > kNearBytesMax) return {};
  const std::size_t first = what.find('/');
  const std::size_t last = what.rfind('/');
  const std::string_view inside = first == std::string_view::npos || last <= first
                                      ? std::string_view()
                                      : what.substr(first + 1, last - first - 1);
  std::vector<std::string> names;
  for (const MeasuredName& one : measured_names()) {
    const auto hole = hole_of(one.name);
    if (!hole)
      names.emplace_back(one.name);
    else if (!inside.empty())
      names.push_back(fmt::format("{}{}{}", hole->before, inside, hole->after));
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return std::string(nearest(what, candidates).value_or(""));
}

std::string_view wanted_of(std::string_view unit) {
  if (unit == "hex") return "a text of hexadecimal digits";
  if (unit == "mount") return "a text";
  if (unit == "hosts" || unit == "paths") return "a list of texts";
  return "a whole number";
}

bool is_of_unit(const ir::Value& value, std::string_view unit) {
  if (unit == "hex") {
    return value.is_string() && !value.as_string().empty() &&
           value.as_string().find_first_not_of("0123456789abcdef") == std::string::npos;
  }
  if (unit == "mount") return value.is_string();
  if (unit == "hosts" || unit == "paths") {
    return value.is_list() && std::all_of(value.items().begin(), value.items().end(),
                                          [](const ir::Value& one) { return one.is_string(); });
  }
  return value.is_integer();
}

struct Problem {
  std::string message = {};
  std::string label = {};
};

/// `is_shown`: somebody reads what is said.
std::optional<Problem> problem_of(const Measurement& one, const Lock* lock, bool is_shown) {
  const MeasuredName* const known = measured_name(one.what);
  if (known == nullptr) {
    // What the target could not tell is told by names of its own.
    if (one.value.is_null() && one.what.starts_with("target/")) return std::nullopt;
    const std::string near = is_shown ? near_name(one.what) : std::string();
    return Problem{fmt::format("nothing is measured by the name `{}`", printable(one.what, 120)),
                   near.empty() ? "" : fmt::format("did you mean `{}`?", printable(near, 120))};
  }
  if (known->name.starts_with("account/") && lock != nullptr) {
    const std::string_view address = *text_in(one.what, known->name);
    if (lock->account(address) == nullptr)
      return Problem{fmt::format("the lock has no account `{}`", printable(address, 120)), {}};
  }
  if (one.value.is_null()) {
    if (!one.how.empty()) return std::nullopt;
    return Problem{fmt::format("`{}` has no `value`", printable(one.what, 120)),
                   "what could not be told is null, and `how` says why"};
  }
  if (one.unit != known->unit) {
    return Problem{one.unit.empty() ? fmt::format("`{}` has no `unit`", printable(one.what, 120))
                                    : fmt::format("`{}` is measured in `{}`, not in `{}`",
                                                  printable(one.what, 120), known->unit,
                                                  printable(one.unit, 40)),
                   fmt::format("write `\"unit\": \"{}\"`", known->unit)};
  }
  if (!is_of_unit(one.value, known->unit)) {
    return Problem{
        fmt::format("the value of `{}` is {}", printable(one.what, 120), wanted_of(known->unit)),
        "this is another one"};
  }
  if (!ir::is_utc_moment(one.when)) {
    return Problem{fmt::format("`{}` does not say when it was measured", printable(one.what, 120)),
                   "write `when` as `2026-08-14T09:12:00Z`"};
  }
  return std::nullopt;
}

}  // namespace

const std::vector<MeasuredName>& measured_names() {
  static const std::vector<MeasuredName> kNames = {
      {"account/ADDRESS/bytes", "bytes"},
      {"account/ADDRESS/messages", "messages"},
      {"account/ADDRESS/largest-message", "bytes"},
      {"account/ADDRESS/quota-use", "bytes"},
      {"account/ADDRESS/hash-digest", "hex"},
      {"source/hash-digest-key", "hex"},
      {"source/strays", "folders"},
      {"source/strays/first", "paths"},
      {"disk/source/free", "bytes"},
      {"disk/target/free", "bytes"},
      {"disk/local/free", "bytes"},
      {"store/from/bytes", "bytes"},
      {"store/from/blobs", "bytes"},
      {"store/from/nodes", "hosts"},
      {"store/to/free", "bytes"},
      {"store/to/disk", "mount"},
      {"dump/FOLDER/free", "bytes"},
      {"dump/FOLDER/disk", "mount"},
  };
  return kNames;
}

void check_given_facts(const SourceSet& sources, FileId file, const Lock* lock, Sink& sink) {
  std::size_t problems = 0;
  const Measurements measured = read_measurements(sources, file, sink);
  for (const Measurement& one : measured.all()) {
    const auto problem = problem_of(one, lock, problems < kFactsProblemsMax);
    if (!problem) continue;
    if (++problems > kFactsProblemsMax) continue;
    auto report = sink.report(Kind::facts_syntax, one.span, problem->message);
    if (!problem->label.empty()) report.label(problem->label);
  }
  if (problems > kFactsProblemsMax) {
    sink.report(Kind::facts_syntax, Span{file, 0, 0},
                fmt::format("and {} lines more", show_count(problems - kFactsProblemsMax)));
  }
}

}  // namespace plan::facts
