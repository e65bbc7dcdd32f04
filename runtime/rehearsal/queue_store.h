#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/storage.h"

namespace plan::rehearsal {

enum class RecipientState : std::uint8_t { scheduled, temporary, done, failed };

struct QueuedRecipient {
  std::string address = {};  ///< local part as the sender wrote it, domain in lower case
  RecipientState state = RecipientState::scheduled;
  std::int64_t retry_at_ms = 0;
  std::int64_t notify_at_ms = 0;
  std::int64_t expires_at_ms = 0;  ///< 0: by attempts
  std::int64_t attempts_max = 0;
  std::int64_t retries = 0;
  std::int64_t notifications = 0;
  std::string queue_name = {};
  std::string last_error = {};  ///< "tls", "connection", ...: what expressions see
  ir::Value error = {};         ///< members of the status TemporaryFailure or PermanentFailure
};

struct QueuedMessage {
  std::uint64_t id = 0;
  std::int64_t created_at_ms = 0;
  std::string blob = {};
  std::uint64_t size = 0;
  std::string return_path = {};
  std::string source = {};  ///< "smtp", "authenticated", "dsn", "local"
  std::string received_from_ip = {};
  std::uint16_t received_via_port = 25;
  bool is_authenticated = false;
  std::vector<QueuedRecipient> recipients = {};
  bool is_busy = false;  ///< in delivery now; not stored
};

/// Messages that wait. The World's lock is held for every call.
class QueueStore {
 public:
  explicit QueueStore(Storage& storage) : storage_(&storage) {}
  void load();
  QueuedMessage& add(QueuedMessage message);
  void save(const QueuedMessage& message);
  void remove(std::uint64_t id);
  [[nodiscard]] QueuedMessage* find(std::uint64_t id);
  [[nodiscard]] std::map<std::uint64_t, QueuedMessage>& all() { return messages_; }

 private:
  Storage* storage_;
  std::map<std::uint64_t, QueuedMessage> messages_;
};

}  // namespace plan::rehearsal
