// A plan as it lies in a folder, of bytes: a list of accounts, a module of its own beside it, the
// lock and the measurements. Whatever of it a test changes is another project.
#pragma once
#include <fmt/format.h>

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "compiler/compile.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/ir/digest.h"
#include "runtime/command/errors.h"
#include "tests/support/plan_text.h"

namespace plan::command {

struct SmallProject {
  std::string plan_name = "migration.yaml";
  std::string plan;
  facts::Lock lock = {};
  std::string facts = {};
  std::map<std::string, std::string> files = {};

  /// Accounts of example.org, `alice` among them; `module` is the file of the plan's own module.
  SmallProject(std::initializer_list<std::string_view> names, const std::string& module)
      : plan(test::plan_text({.name = "small",
                              .use = "./" + module,
                              .waves = "  - {name: canary, accounts: [alice@example.org]}\n",
                              .rest = "{name: rest, parallel: 8, stop_when: {failed: 2}}"})) {
    std::string list = "address\n";
    lock.plan_name_digest = ir::sha256("small").hex();
    for (const std::string_view name : names) {
      facts::LockAccount account;
      account.address = fmt::format("{}@example.org", name);
      account.hash_scheme = "SHA512-CRYPT";
      account.mailboxes = {"INBOX", "Sent"};
      account.has_mailboxes = true;
      for (const char* what : {"bytes", "largest-message"})
        facts += facts::write_measurement(
            {fmt::format("account/{}/{}", account.address, what), 1000, "bytes", {}, {}, {}});
      list += account.address + "\n";
      lock.accounts.push_back(std::move(account));
    }
    files = {{"accounts.csv", list}, {module, "module own\n\nuse std/dovecot-postfix\n"}};
  }

  /// It has to outlive its use.
  [[nodiscard]] CompileInput input() const {
    CompileInput input;
    input.plan_name = plan_name;
    input.plan_text = plan;
    input.lock_text = facts::write_lock(lock);
    input.facts_text = facts;
    input.file_text = [this](const std::string& name) -> Result<std::string> {
      const auto found = files.find(name);
      if (found == files.end()) return Error(errors::file_missing, "there is no " + name);
      return found->second;
    };
    return input;
  }
};

}  // namespace plan::command
