#include "runtime/server/source/live_source.h"

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/step/errors.h"

namespace plan::server::source {

void LiveSources::add(std::string kind, Open open) { kinds_[std::move(kind)] = std::move(open); }

Result<std::shared_ptr<LiveSource>> LiveSources::open(const ir::Value& source_block,
                                                      secret::SecretSource& secrets) {
  const std::string key = ir::canonical_json(source_block);
  const std::lock_guard lock(mutex_);
  std::shared_ptr<LiveSource>& source = sources_[key];
  if (source != nullptr) return source;
  const std::string_view kind = kind_of(source_block);
  const auto found = kinds_.find(kind);
  if (found == kinds_.end()) {
    return Error(step::errors::argument_missing,
                 fmt::format("no source of kind `{}` is known", printable(kind, 40)))
        .with_blame(Blame::plan)
        .with_argument("source");
  }
  PLAN_TRY(opened, found->second(source_block, secrets));
  source = std::move(opened);
  return source;
}

}  // namespace plan::server::source
