#pragma once
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/server/source/shared_write.h"
#include "runtime/server/stalwart15/management.h"

namespace plan::server::stalwart15 {

/// One lookup list of the old server (`lookup.NAME.KEY`), whose keys are addresses: who is held,
/// who has moved. source.settings has made it. Thread-safe; accounts that are ready at the same
/// time share one write and one reload.
class LookupList {
 public:
  LookupList(Management& server, std::string name, net::Clock& clock);

  /// Those of `addresses` that are in it, as the settings say. Errors: not-a-map-key, those of
  /// Management.
  [[nodiscard]] Result<std::set<std::string>> among(const std::vector<std::string>& addresses);
  /// Puts them in, or takes them out, sees that the server shows it, and has the list loaded:
  /// reference/stalwart-v015-api.md 9.3. May be repeated, and loads each time. Errors:
  /// not-a-map-key, setting-not-taken, those of Management (effect unknown).
  [[nodiscard]] Outcome put(const std::vector<std::string>& addresses);
  [[nodiscard]] Outcome take(const std::vector<std::string>& addresses);

 private:
  struct Request {
    const std::vector<std::string>* addresses = nullptr;
    bool is_in = true;
  };

  [[nodiscard]] std::string key_of(std::string_view address) const;
  [[nodiscard]] Outcome check(const std::vector<std::string>& addresses) const;
  [[nodiscard]] Outcome change(const std::vector<std::string>& addresses, bool is_in);
  [[nodiscard]] Outcome write(std::vector<Request*>& requests);

  Management& server_;
  std::string name_;
  source::SharedWrite<Request> writes_;
};

}  // namespace plan::server::stalwart15
