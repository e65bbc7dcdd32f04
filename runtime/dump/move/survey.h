#pragma once
#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/host.h"
#include "runtime/secret/secret.h"

namespace plan::dump {

/// What `plan fetch` asks of a plan about a store: the server's version, the stores, their bytes,
/// the free disk; a survey document of the target (compiler/facts/survey.md) without anything of
/// mail. What cannot be told is null, never 0. Nothing is changed; the server may run.
///
/// `folders`: of the plan's dumps.
[[nodiscard]] Result<ir::Value> survey_store(const ir::Value& target,
                                             const std::vector<std::string>& folders,
                                             net::HostPool& hosts, secret::SecretSource& secrets);

}  // namespace plan::dump
