#pragma once
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/net/dav/client.h"
#include "tests/support/temp_dir.h"

namespace plan::test {

/// A real Radicale on loopback with a port of its own, for one test: each user has the password
/// `secret` and owns what is below his name, `migrator` (password `migrator-secret`) may read and
/// write everything. Ended with its process group.
class Radicale {
 public:
  /// Nothing, with the reason in `why`, where it is not installed or does not start.
  [[nodiscard]] static std::unique_ptr<Radicale> start(const std::vector<std::string>& users,
                                                       std::string& why);
  ~Radicale();
  Radicale(const Radicale&) = delete;
  Radicale& operator=(const Radicale&) = delete;

  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::string folder() const { return directory_.path().string(); }
  [[nodiscard]] net::dav::Client client(const std::string& user = "migrator",
                                        const std::string& password = "migrator-secret") const;
  /// Makes a collection below the user's home and says its href; the home as well.
  std::string make(const std::string& user, net::dav::Kind kind, const std::string& name);

 private:
  Radicale() = default;
  TempDir directory_;
  std::uint16_t port_ = 0;
  pid_t process_ = -1;
};

/// An event as a calendar program writes it.
[[nodiscard]] std::string event_text(const std::string& uid, const std::string& summary,
                                     const std::string& more = "");
[[nodiscard]] std::string card_text(const std::string& uid, const std::string& name);

}  // namespace plan::test
