#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/jmap/client.h"

namespace plan::archive {

struct TargetMailbox {
  std::string id = {};
  std::string name = {};
  std::string parent_id = {};  ///< empty: a root
  std::string role = {};
  bool is_subscribed = false;
};

struct TargetEmail {
  std::string id = {};
  std::string blob_id = {};
  std::vector<std::string> mailbox_ids = {};  ///< sorted
  std::vector<std::string> keywords = {};     ///< sorted
  std::string received_at = {};
  std::uint64_t size_bytes = 0;
};

/// A type of object that keeps a state (RFC 8620, 5): its name in methods, and what it needs.
struct TargetType {
  std::string_view name;  ///< "Email", "CalendarEvent"
  std::string_view capability;
};
inline constexpr TargetType kEmail = {"Email", net::jmap::kMail};

/// What happened to the objects of one type since a state (/changes, RFC 8620 5.2).
struct TargetChanges {
  std::vector<std::string> changed = {};  ///< ids that are new or have other properties
  std::vector<std::string> gone = {};
  std::string state = {};  ///< the one that this leads to
};

struct TargetScript {
  std::string id = {};
  std::string name = {};
  std::string blob_id = {};
  bool is_active = false;
};

/// One account of the target as the administrator sees it by accountId
/// (reference/stalwart-admin.md 8.1): works while the user may not log in. Thread-safe as its
/// client is.
class TargetAccount {
 public:
  TargetAccount(std::shared_ptr<net::jmap::Client> client, std::string account_id)
      : client_(std::move(client)), account_id_(std::move(account_id)) {}

  [[nodiscard]] net::jmap::Client& client() const { return *client_; }
  [[nodiscard]] const std::string& account_id() const { return account_id_; }
  /// The server and login behind the client, for what JMAP does not show.
  [[nodiscard]] std::shared_ptr<net::HttpClient> http() const {
    return {client_, &client_->http()};
  }

  [[nodiscard]] Result<std::vector<TargetMailbox>> mailboxes() const;
  [[nodiscard]] Result<std::vector<TargetScript>> scripts() const;
  /// The state of a type, for ifInState and changes_of; empty when the target names none.
  [[nodiscard]] Result<std::string> state_of(const TargetType& type) const;
  /// All pages of what changed since `state`. Nothing when only a whole list will do: the target
  /// cannot tell any more, or does not say which state its answer leads to, which it must.
  [[nodiscard]] Result<std::optional<TargetChanges>> changes_of(const TargetType& type,
                                                                std::string state) const;
  /// How many objects there are; nothing when the target does not count.
  [[nodiscard]] Result<std::optional<std::uint64_t>> count_of(const TargetType& type) const;
  /// How many bytes the account may hold; nothing when it has no such bound, or the target does not
  /// tell.
  [[nodiscard]] Result<std::optional<std::uint64_t>> quota_bytes() const;
  /// Ids of all messages; of one mailbox when `mailbox_id` is not empty.
  [[nodiscard]] Result<std::vector<std::string>> email_ids(std::string_view mailbox_id = {}) const;
  /// Those of the ids that exist, by id.
  [[nodiscard]] Result<std::map<std::string, TargetEmail>> emails(
      const std::vector<std::string>& ids) const;
  /// SHA-256 (32 raw bytes) of each blob: told by the target (RFC 9404) where it can, else of the
  /// downloaded bytes. A blob that is not there is missing in the answer.
  [[nodiscard]] Result<std::map<std::string, std::string>> digests(
      const std::vector<std::string>& blob_ids) const;
  [[nodiscard]] net::jmap::CallOptions reading(std::string_view capability) const;

 private:
  std::shared_ptr<net::jmap::Client> client_;
  std::string account_id_;
  mutable bool has_no_digests_ = false;
};

/// `receivedAt` for a message: UTC, not before 1970, which the target would turn into a date far
/// ahead (reference/stalwart-admin.md 8.3).
[[nodiscard]] std::string received_at_for_target(std::string_view rfc3339);

/// The keywords that the target can hold: IMAP atoms of at most 128 bytes. Others make its IMAP
/// answers unreadable (8.3) and are listed as differences.
[[nodiscard]] std::vector<std::string> keywords_for_target(
    const std::vector<std::string>& keywords);

}  // namespace plan::archive
