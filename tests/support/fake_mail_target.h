#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/net/jmap/client.h"
#include "tests/support/fake_http_server.h"

namespace plan::test {

struct FakeMailbox {
  std::string name = {};
  std::string parent_id = {};
  std::string role = {};
  bool is_subscribed = false;
};

struct FakeEmail {
  std::string blob_id = {};
  std::set<std::string> mailbox_ids = {};
  std::set<std::string> keywords = {};
  std::string received_at = {};
  friend bool operator==(const FakeEmail&, const FakeEmail&) = default;
};

struct FakeScript {
  std::string name = {};
  std::string blob_id = {};
  bool is_active = false;
};

/// One account of a JMAP server with books of its own, which tests read and change; with the five
/// role mailboxes of a fresh Stalwart account. Faults come in the order of `faults`, one for each
/// API call that writes (Email/import, .../set).
class FakeMailTarget {
 public:
  enum class Fault {
    none,
    lose_reply,    ///< does it, then drops the connection
    lose_request,  ///< drops the connection, does nothing
    run_late,      ///< drops the connection, does it when the next writing call has come in, before
                   ///< that
    run_later,     ///< the same, or before `states_until_late`-th question for the state
  };
  int states_until_late = 1;

  FakeMailTarget();

  [[nodiscard]] std::shared_ptr<net::jmap::Client> client();
  [[nodiscard]] static std::string account_id() { return "acc"; }

  // The books; lock while the server may be at work.
  std::mutex mutex;
  std::map<std::string, FakeMailbox> mailboxes = {};
  std::map<std::string, FakeEmail> emails = {};
  std::map<std::string, FakeScript> scripts = {};
  std::map<std::string, std::string> blobs = {};
  std::deque<Fault> faults = {};
  std::set<std::string> refused_blobs = {};     ///< contents that Email/import refuses
  std::size_t quota_bytes = 0;                  ///< of all messages together; 0: none
  std::size_t mailboxes_max = 0;                ///< 0: any number
  bool tells_quota = true;                      ///< Quota/get answers
  std::size_t message_bytes_max = 0;            ///< upload limit; 0: none
  bool has_digests = true;                      ///< Blob/get knows digest:sha-256
  std::set<std::string> unreadable_blobs = {};  ///< ids whose download fails
  /// The first downloads are answered when so many are under way at once; 0: each on its own.
  std::size_t downloads_together = 0;
  bool has_waited_in_vain = false;  ///< for so many
  std::uint64_t requests = 0;       ///< of every kind
  std::uint64_t imports = 0;        ///< calls of Email/import that were executed
  std::uint64_t listings = 0;       ///< pages of Email/query
  std::uint64_t emails_read = 0;    ///< ids asked for in Email/get

  /// "path: content" of every message, with keywords, sorted.
  [[nodiscard]] std::multiset<std::string> content() const;
  [[nodiscard]] std::string path_of(const std::string& mailbox_id) const;
  std::string add_email(const std::string& mailbox_id, const std::string& body);

 private:
  [[nodiscard]] FakeAnswer answer(const FakeRequest& request);
  [[nodiscard]] ir::Value run(const std::string& method, const ir::Value& arguments);
  [[nodiscard]] std::size_t used_bytes() const;
  [[nodiscard]] ir::Value set_mailboxes(const ir::Value& arguments);
  [[nodiscard]] ir::Value set_emails(const ir::Value& arguments);
  [[nodiscard]] ir::Value set_scripts(const ir::Value& arguments);
  [[nodiscard]] ir::Value import(const ir::Value& arguments);
  void run_what_is_late();
  [[nodiscard]] std::string put_blob(const std::string& bytes);
  [[nodiscard]] std::string state() const { return "s" + std::to_string(changes_); }

  std::size_t downloads_ = 0;
  std::condition_variable download_has_come_ = {};
  std::uint64_t changes_ = 0;
  /// The messages at each state that was told to somebody.
  std::map<std::string, std::map<std::string, FakeEmail>> snapshots_ = {};
  std::uint64_t next_id_ = 0;
  std::vector<std::pair<std::string, ir::Value>> late_ = {};
  bool is_later_ = false;
  std::unique_ptr<FakeHttpServer> server_;
};

}  // namespace plan::test
