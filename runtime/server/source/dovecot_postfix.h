#pragma once
#include <memory>

#include "runtime/server/source/live_source.h"

namespace plan::server::source {

/// A source of kind `dovecot-postfix` for everything that does not care. `secrets` must outlive it.
/// Error: argument-missing.
[[nodiscard]] Result<std::shared_ptr<LiveSource>> make_dovecot_postfix(
    const ir::Value& source_block, std::shared_ptr<SourcePool> sources,
    secret::SecretSource& secrets);

}  // namespace plan::server::source
