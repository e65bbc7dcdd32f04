#pragma once
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "runtime/net/jmap/client.h"
#include "tests/support/temp_dir.h"

namespace plan::test {

/// A real Cyrus with JMAP on loopback (cyrus-common and cyrus-caldav; imapd itself cannot stand
/// beside Dovecot's package and is not needed), for one test. Ended with its process group. Facts:
/// reference/real-components.md section 4.
class Cyrus {
 public:
  /// Only as root, and where the packages are.
  [[nodiscard]] static bool can_be_started();
  /// Accounts with password `secret` and an empty INBOX. Nothing, with the reason in `why`, where
  /// it does not start.
  [[nodiscard]] static std::unique_ptr<Cyrus> start(const std::vector<std::string>& users,
                                                    std::string& why);
  ~Cyrus();
  Cyrus(const Cyrus&) = delete;
  Cyrus& operator=(const Cyrus&) = delete;

  /// A client that is logged in as `user`.
  [[nodiscard]] std::shared_ptr<net::jmap::Client> client(const std::string& user) const;

 private:
  Cyrus() = default;
  /// Cyrus makes an INBOX at the first delivery, and answers 500 before.
  [[nodiscard]] bool make_inbox(const std::string& user) const;

  TempDir directory_;
  std::uint16_t http_port_ = 0;
  std::uint16_t lmtp_port_ = 0;
  pid_t process_ = -1;
};

}  // namespace plan::test
