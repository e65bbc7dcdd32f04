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
/// `nodelay`: a login that the file refuses is told so at once, without Dovecot's failure delay of
/// two seconds, which every hold would wait for to be sure. `padding`: blanks in the comment.
[[nodiscard]] std::string deny_file_text(const std::set<std::string>& names,
                                         std::size_t padding = 0);
/// Whether this can be a name in a passwd-file: no colon, no control characters, no leading `#`.
[[nodiscard]] bool is_passwd_file_name(std::string_view name);

/// The file of login names that the source's Dovecot refuses; the one writer of it. Its content
/// needs no reload, but Dovecot looks at it once a second at most and takes it for another one by
/// second of change and size (reference/split-delivery.md 9.4): versions that follow one another
/// within the same second differ in size, and a change counts only when Dovecot is seen to follow
/// it, which is the caller's to look at. Thread-safe.
class DenyFile {
 public:
  DenyFile(source::Source& source, std::string path);

  [[nodiscard]] Result<std::set<std::string>> read();
  /// Adds and removes names; nothing is written when all is so already.
  [[nodiscard]] Outcome change(const std::vector<std::string>& add,
                               const std::vector<std::string>& remove);

 private:
  struct Request {
    const std::vector<std::string>* add = nullptr;
    const std::vector<std::string>* remove = nullptr;
  };
  [[nodiscard]] Result<std::string> read_text();
  [[nodiscard]] Outcome write(std::vector<Request*>& requests);
  [[nodiscard]] std::size_t padding_for(std::size_t size);

  source::Source& source_;
  const std::string path_;
  source::SharedWrite<Request> writes_;
  /// Sizes of the versions that were there lately; of the one writer at a time.
  std::vector<std::pair<net::Clock::Monotonic, std::size_t>> recent_;
};

}  // namespace plan::server::dovecot
