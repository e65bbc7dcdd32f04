#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/server/source/shared_write.h"

namespace plan::server::source {
class Source;
}

namespace plan::server::dovecot {

/// Names in the text of a deny file: one `name:` a line.
[[nodiscard]] std::set<std::string> parse_deny_file(std::string_view text);
[[nodiscard]] std::string deny_file_text(const std::set<std::string>& names);
/// Whether this can be a name in a passwd-file: no colon, no control characters, no leading `#`.
[[nodiscard]] bool is_passwd_file_name(std::string_view name);

/// The file of login names that the source's Dovecot refuses; the one writer of it. Its content
/// needs no reload, but Dovecot watches it by whole seconds: two writes are at least
/// kWatchedFileApart from each other, and a change counts only kWatchedFileApart after it
/// (reference/split-delivery.md 9.4). Thread-safe.
class DenyFile {
 public:
  DenyFile(source::Source& source, std::string path);

  [[nodiscard]] Result<std::set<std::string>> read();
  /// Adds and removes names; nothing is written when all is so already. Returns when Dovecot sees
  /// it.
  [[nodiscard]] Outcome change(const std::vector<std::string>& add,
                               const std::vector<std::string>& remove);

 private:
  struct Request {
    const std::vector<std::string>* add = nullptr;
    const std::vector<std::string>* remove = nullptr;
    bool is_written = false;
  };
  [[nodiscard]] Outcome write(std::vector<Request*>& requests);

  source::Source& source_;
  const std::string path_;
  source::SharedWrite<Request> writes_;
};

}  // namespace plan::server::dovecot
