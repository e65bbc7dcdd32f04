#pragma once
#include <string>
#include <vector>

#include "compiler/facts/lock.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::command {

/// Who answers where, as `plan fetch` sees it before it tells anybody a secret.
struct Identities {
  facts::Lock shown = {};  ///< host keys and certificates, nothing else
  std::vector<std::string> silent =
      {};  ///< proxies that did not answer, one line each for a person
};

/// Looks at the host keys of `hosts:` and at the certificates that the lock pins (`source.imap`,
/// `target.https`, `proxy.NAME`). Nothing is sent to anybody. `known` helps to choose among several
/// host keys of a machine, and keeps the pin of a proxy that is silent. Errors: those of connecting
/// to source and target.
[[nodiscard]] Result<Identities> look_at_identities(const ir::Value& connections,
                                                    const facts::Lock& known);

/// The blocks with what was shown as their pins, where the plan does not pin anything itself: the
/// session that asks for more talks to these and to nobody else.
[[nodiscard]] ir::Value with_pins(ir::Value connections, const facts::Lock& pins);

}  // namespace plan::command
