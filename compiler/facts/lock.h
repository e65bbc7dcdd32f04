#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/result.h"

namespace plan::facts {

/// Version of the lock format that this program writes (docs/formats/lock.md). Newer ones are
/// refused.
constexpr std::uint32_t kLockFormat = 1;

/// One account of the source, as `plan fetch` saw it. Addresses are lower case.
struct LockAccount {
  std::string address = {};
  std::vector<std::string> aliases = {};
  std::vector<std::string> disabled_aliases = {};
  std::string login = {};         ///< what its user types, where that is none of its addresses
  std::string hash_scheme = {};   ///< "SHA512-CRYPT", "CRYPT:$6$", "NONE"; empty: not measured
  std::uint64_t quota_bytes = 0;  ///< 0: no quota
  bool is_enabled = true;
  std::vector<std::string> mailboxes = {};  ///< full names, UTF-8, `/` between levels
  bool has_mailboxes = false;               ///< false: not measured
  Span span = {};                           ///< its line in the lock
};

/// An address of the source that fans out.
struct LockList {
  std::string address = {};
  std::vector<std::string> members = {};  ///< as the source has them: nested lists not flattened
  Span span = {};
};

/// A domain that exists on the target already.
struct LockDomain {
  std::string name = {};
  std::vector<std::string> aliases = {};
  std::string catch_all = {};  ///< empty: none
  bool allows_relaying = false;
  Span span = {};
};

/// An inbound throttle of the target: `match` is the expression object as it was.
struct LockThrottle {
  std::string description = {};
  ir::Value match = {};
  Span span = {};
};

/// The decisions that a compilation rests on (design.md section 5). A value: the same world gives
/// the same Lock, and the same Lock the same bytes.
struct Lock {
  std::string plan_name_digest = {};                 ///< SHA-256 of the plan's name, hex
  std::map<std::string, std::string> versions = {};  ///< `source.dovecot`, `target.stalwart`
  std::string schema_digest = {};                    ///< of the target's schema document, hex
  std::map<std::string, std::vector<std::string>> capabilities =
      {};                                                ///< `source.imap`, `target.jmap`
  std::map<std::string, std::uint64_t> limits = {};      ///< `target.max_message_bytes`
  std::map<std::string, std::string> host_keys = {};     ///< `source`, `target`: "sha256 base64"
  std::map<std::string, std::string> certificates = {};  ///< `source.imap`, `target.https`: hex
  std::map<std::string, ir::Value> settings = {};  ///< `target.MtaOutboundStrategy.route`, ...
  std::vector<LockAccount> accounts = {};          ///< by address
  std::vector<LockList> lists = {};                ///< by address
  std::vector<std::string> source_domains = {};    ///< that the source delivers for
  std::vector<LockDomain> target_domains = {};     ///< by name
  std::vector<std::string> target_addresses = {};  ///< that exist on the target already
  std::vector<LockThrottle> throttles = {};        ///< by description

  [[nodiscard]] const LockAccount* account(std::string_view address) const;
  [[nodiscard]] const LockList* list(std::string_view address) const;
  /// Nothing when it was not measured.
  [[nodiscard]] std::optional<std::uint64_t> limit(std::string_view name) const;
};

/// Reads a lock that is in `sources`. Only the one spelling that write_lock produces is taken, so
/// that edits by hand are seen (`lock-edited`). Reports `lock-syntax`, `lock-version`,
/// `lock-edited`, `not-utf8`; nothing when the text is no lock at all.
[[nodiscard]] std::optional<Lock> read_lock(const SourceSet& sources, FileId file, Sink& sink);

/// The text of a lock: sorted lines, stable bytes, a digest over all of it at the end.
[[nodiscard]] std::string write_lock(const Lock& lock);

/// A lock out of two survey documents (compiler/facts/survey.md). Errors: bad-survey, naming the
/// member.
[[nodiscard]] Result<Lock> lock_from_surveys(std::string_view plan_name, const ir::Value& source,
                                             const ir::Value& target);

/// Host keys and certificates that `fresh` has otherwise than `known`: never taken silently. Each
/// is one line for a person.
[[nodiscard]] std::vector<std::string> changed_identities(const Lock& known, const Lock& fresh);

/// Those that `known` does not have: to be compared by a person, once.
[[nodiscard]] std::vector<std::string> new_identities(const Lock& known, const Lock& fresh);

/// A lock with nothing but the host keys and certificates of `text`, line by line, whatever else is
/// wrong with it: a lock that was edited, cut or badly merged does not lose its pins with that.
[[nodiscard]] Lock identities_in(std::string_view text);

}  // namespace plan::facts
