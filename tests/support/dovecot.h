#pragma once
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "runtime/net/imap/client.h"
#include "tests/support/temp_dir.h"

namespace plan::test {

/// A real Dovecot on loopback with ports of its own, one passwd-file, a master user `master`
/// (password `master-secret`, separator `%`) and special-use mailboxes, for one test. Ended with
/// its process group.
class Dovecot {
 public:
  /// Nothing, with the reason in `why`, where it is not installed or does not start. `capability`:
  /// what IMAP says that it can; empty: all that it can. `settings`: more of its configuration.
  [[nodiscard]] static std::unique_ptr<Dovecot> start(const std::vector<std::string>& users,
                                                      std::string& why,
                                                      const std::string& separator = "/",
                                                      const std::string& capability = {},
                                                      const std::string& settings = {});
  ~Dovecot();
  Dovecot(const Dovecot&) = delete;
  Dovecot& operator=(const Dovecot&) = delete;

  [[nodiscard]] std::uint16_t imap_port() const { return imap_port_; }
  [[nodiscard]] std::uint16_t sieve_port() const { return sieve_port_; }
  [[nodiscard]] std::string folder() const { return directory_.path().string(); }
  /// A client that is logged in as `user` (password `secret`).
  [[nodiscard]] Result<std::unique_ptr<net::imap::Client>> login(const std::string& user);
  /// The same by the master user.
  [[nodiscard]] Result<std::unique_ptr<net::imap::Client>> login_as_master(const std::string& user);
  /// What `doveadm ARGUMENTS` prints; arguments are not quoted for a shell.
  [[nodiscard]] std::string doveadm(const std::vector<std::string>& arguments) const;

 private:
  Dovecot() = default;
  TempDir directory_;
  std::uint16_t imap_port_ = 0;
  std::uint16_t sieve_port_ = 0;
  pid_t process_ = -1;
};

}  // namespace plan::test
