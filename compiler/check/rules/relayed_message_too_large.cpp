// Prevents: mail that the source has accepted and the target refuses when it is handed on.
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

void relayed_message_too_large(const Migration& migration, Sink& sink) {
  const ir::Value& source = setting(migration, "source.message_size_limit");
  const ir::Value& target = setting(migration, "target.MtaStageData.maxMessageSize");
  const auto accepted = number_of(trim(source.string_or("")));
  const auto taken = number_of(trim(target["else"].string_or("")));
  if (!accepted || !taken) return;
  const bool is_unlimited = *accepted == 0;  // Postfix: no bound
  if (!is_unlimited && *accepted <= *taken) return;
  const auto shown = shown_bytes(*accepted, *taken);
  sink.report(Kind::relayed_message_too_large, migration.plan.place("source"),
              fmt::format("the source accepts messages of {}, the target of {}",
                          is_unlimited ? std::string("any size") : "up to " + shown.first,
                          "up to " + shown.second))
      .label("a larger one for an account that has moved bounces behind the source")
      .help(
          "raise `MtaStageData.maxMessageSize` on the target, or lower `message_size_limit` at the "
          "source, and run `plan fetch`");
}

}  // namespace plan::check::rules
