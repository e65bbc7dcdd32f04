// Prevents: a message that the target refuses in the middle of a copy.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void message_too_large(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  const auto message_max = migration.lock->limit("target.max_message_bytes");
  const auto upload_max = migration.lock->limit("target.max_size_upload");
  if (!message_max && !upload_max) return;
  const std::uint64_t limit =
      std::min(message_max.value_or(UINT64_MAX), upload_max.value_or(UINT64_MAX));
  const std::string_view setting =
      message_max && limit == *message_max ? "Email.maxMessageSize" : "Jmap.maxUploadSize";
  for (const Account& account : migration.accounts) {
    const auto* measured =
        migration.facts->find(fmt::format("account/{}/largest-message", account.lock->address));
    if (measured == nullptr || !measured->value.is_integer() || measured->value.as_integer() < 0)
      continue;
    const auto bytes = static_cast<std::uint64_t>(measured->value.as_integer());
    if (bytes <= limit) continue;
    const auto shown = shown_bytes(bytes, limit);
    sink.report(Kind::message_too_large, account.lock->span,
                fmt::format("`{}` has a message of {}, the target takes {}",
                            printable(account.lock->address, 120), shown.first, shown.second))
        .note(measured->span, measured->when.empty()
                                  ? "measured here"
                                  : fmt::format("measured {}", printable(measured->when, 40)))
        .help(fmt::format("raise `{}` on the target and run `plan fetch`", setting));
  }
}

}  // namespace plan::check::rules
