// Says that users' Sieve scripts may do more at the source than at the target: the target allows
// one redirect in a run and 100 KiB of script, and some sources were set to much more
// (reference/sources.md 1.3). What is above is not sent, or not taken, without a word to the user.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Limit {
  const char* of_source = nullptr;
  const char* of_target = nullptr;
  std::uint64_t target_default = 0;
  std::string_view what = {};
};
constexpr std::array<Limit, 2> kLimits = {
    {{"source.sieve_max_redirects", "target.SieveUserInterpreter.maxRedirects", 1,
      "redirects in one run"},
     {"source.sieve_max_script_size", "target.SieveUserInterpreter.maxScriptSize", 102'400,
      "bytes in one script"}}};

/// "30", "1M", "512 k": as Dovecot takes numbers and sizes. 0 is no bound for it.
std::optional<std::uint64_t> number_of(std::string_view text) {
  text = trim(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string unit =
      lower_ascii(trim(text.substr(static_cast<std::size_t>(end - text.data()))));
  const std::uint64_t factor = unit.empty() || unit == "b" ? 1
                               : unit.starts_with('k')     ? 1024
                               : unit.starts_with('m')     ? 1024 * 1024
                               : unit.starts_with('g')     ? 1024 * 1024 * 1024
                                                           : 0;
  if (factor == 0 || number > UINT64_MAX / factor) return std::nullopt;
  return number == 0 ? UINT64_MAX : number * factor;
}

}  // namespace

void sieve_limit_lower(const Migration& migration, Sink& sink) {
  for (const Limit& limit : kLimits) {
    // Only what somebody has set: scripts within the defaults of Dovecot are the rule, and nobody
    // has looked how many redirects they do.
    const auto source = number_of(setting(migration, limit.of_source).string_or(""));
    const std::int64_t measured = setting(migration, limit.of_target).integer_or(0);
    const std::uint64_t target =
        measured > 0 ? static_cast<std::uint64_t>(measured) : limit.target_default;
    if (!source || *source <= target) continue;
    const std::string_view member = std::string_view(limit.of_target).substr(7);
    sink.report(
            Kind::sieve_limit_lower, migration.plan.place("source"),
            fmt::format("users' scripts may have {} {} at the source (`{}`), {} at the target",
                        *source == UINT64_MAX ? "any number of" : show_count(*source), limit.what,
                        std::string_view(limit.of_source).substr(7), show_count(target)))
        .label("scripts that use more do less after the move")
        .help(fmt::format("raise `{}` on the target before the first wave and run `plan fetch`",
                          member));
  }
}

}  // namespace plan::check::rules
