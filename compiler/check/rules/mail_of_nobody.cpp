// Says which mail of the source stays behind because it is no account's: that of users who were
// deleted and whose folders were not (reference/sources.md 2.10). What moves is told by the account
// store, never by the folders.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void mail_of_nobody(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  const facts::Measurement* strays = migration.facts->find("source/strays");
  if (strays == nullptr) return;
  if (strays->value.is_null()) {
    sink.report(Kind::not_measured, migration.plan.place("source"),
                "not measured: mail at the source that is no account's")
        .label("whether deleted users have left mail behind is not checked")
        .note(strays->span, printable(strays->how, 300))
        .help("run `plan fetch` again; if it stays, look beside the homes of the accounts");
    return;
  }
  const std::uint64_t count = migration.facts->count("source/strays").value_or(0);
  if (count == 0) return;
  constexpr std::size_t kShown = 5;
  std::string names;
  std::size_t shown = 0;
  if (const facts::Measurement* first = migration.facts->find("source/strays/first");
      first != nullptr && first->value.is_list()) {
    for (const ir::Value& name : first->value.items()) {
      if (shown == kShown) break;
      names += fmt::format("{}`{}`", shown == 0 ? ": " : ", ", printable(name.string_or(""), 200));
      ++shown;
    }
  }
  if (shown > 0 && count > shown) names += fmt::format(" and {} more", show_count(count - shown));
  sink.report(
          Kind::mail_of_nobody, migration.plan.place("source"),
          fmt::format("{} mail of no account{}",
                      counted(count, "folder of the source holds", "folders of the source hold"),
                      names))
      .label("nothing of it is copied, and it is gone with the old machine")
      .note(strays->span, strays->when.empty()
                              ? "measured here"
                              : fmt::format("measured {}", printable(strays->when, 40)))
      .help(
          "make the account again at the source if it is somebody's, and run `plan fetch`; archive "
          "the rest, or take it away, and run `plan fetch`, or say in `findings` what becomes of "
          "it");
}

}  // namespace plan::check::rules
