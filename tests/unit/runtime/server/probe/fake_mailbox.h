#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "runtime/net/errors.h"
#include "runtime/server/probe/hold_probes.h"

namespace plan::server::probe {

/// The old mailbox of an account, as far as probes go.
class FakeMailbox {
 public:
  /// Must not outlive it.
  OpenMailbox open() {
    return [this](step::StepContext&, const std::string& account) {
      accounts.push_back(account);
      return is_shut ? Result<std::unique_ptr<MailboxSearch>>(
                           Error(net::errors::connection_refused, "port 143 refuses"))
                     : Result<std::unique_ptr<MailboxSearch>>(std::make_unique<Search>(*this));
    };
  }

  std::vector<std::string> messages;  ///< their Message-IDs
  std::vector<std::string> accounts;  ///< whose it was opened as
  bool is_shut = false;

 private:
  class Search final : public MailboxSearch {
   public:
    explicit Search(FakeMailbox& mailbox) : mailbox_(mailbox) {}
    Outcome begin() override { return {}; }
    Result<std::vector<std::string>> take(const std::vector<std::string>& message_ids) override {
      std::vector<std::string> found;
      for (const std::string& id : message_ids) {
        if (std::erase(mailbox_.messages, id) > 0) found.push_back(id);
      }
      return found;
    }

   private:
    FakeMailbox& mailbox_;
  };
};

}  // namespace plan::server::probe
