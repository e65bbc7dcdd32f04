#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/server/source/shared_read.h"
#include "runtime/server/stalwart15/management.h"

namespace plan::server::stalwart15 {

struct OldRecipient {
  std::string address = {};           ///< as the sender wrote it
  bool is_open = false;               ///< neither delivered nor given up
  bool was_refused = false;           ///< tried, and to be tried again
  std::string reason = {};            ///< of that; empty when there was no attempt yet
  std::int64_t next_try_seconds = 0;  ///< since 1970, by the server's clock
};

/// One message in the old server's queue.
struct OldMessage {
  std::uint64_t id = 0;
  std::int64_t created_seconds = 0;
  std::uint64_t size_bytes = 0;
  std::string sender = {};  ///< empty: the null sender
  std::string blob_hash = {};
  std::vector<OldRecipient> recipients = {};
};

/// Reads one object of the listing. Error: old-server-call-failed for another shape.
[[nodiscard]] Result<OldMessage> read_queued(const ir::Value& object);

/// Does an open recipient name one of `addresses` (lower case), with or without a tag?
[[nodiscard]] bool names_account(const OldMessage& message,
                                 const std::vector<std::string>& addresses);

/// Nothing that names the account is due at `until_seconds` or before: what was in delivery by the
/// routing of an earlier state has come to its end, and what waits is tried later, by the routing
/// of that time.
[[nodiscard]] bool is_drained(const std::vector<OldMessage>& messages,
                              const std::vector<std::string>& addresses,
                              std::int64_t until_seconds);

/// The number in "2.0.0 Message queued with id 4bf88185ec00032."; 0 when there is none.
[[nodiscard]] std::uint64_t queue_id_in(std::string_view reply);

/// The old server's queue. Thread-safe; callers that ask at the same time share one listing.
class OldQueue {
 public:
  explicit OldQueue(Management& server) : server_(server) {}

  struct Snapshot {
    std::vector<OldMessage> messages = {};
    bool is_running = true;
  };
  /// A listing that began after this call. Errors: those of Management; a queue above
  /// kQueuedMessagesMax.
  [[nodiscard]] Result<std::shared_ptr<const Snapshot>> read();
  /// Takes a message out for good. Only for probes of our own.
  [[nodiscard]] Outcome remove(std::uint64_t id) { return server_.cancel_message(id); }
  /// Whether `text` stands at the beginning of the message; no, when it is gone.
  [[nodiscard]] Result<bool> contains(const OldMessage& message, std::string_view text);

 private:
  [[nodiscard]] Result<Snapshot> list();

  Management& server_;
  source::SharedRead<Snapshot> listing_;
};

}  // namespace plan::server::stalwart15
