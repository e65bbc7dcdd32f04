#pragma once
#include <vector>

#include "compiler/flow/judgement.h"
#include "compiler/flow/resident.h"
#include "compiler/flow/trial.h"

namespace plan::flow {

/// Tries what comes for people beside the account: the same domain has some in every state of the
/// move; a forward, a list, a catch-all of the source and a script send on to them. The target is
/// set up. `own`: where the account's mail belongs.
void try_colleagues(const Trial& alone, const Reader& own, const std::vector<Resident>& residents);

}  // namespace plan::flow
