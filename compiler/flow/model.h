#pragma once
// Who delivers a message where, when an old Postfix/Dovecot and a new Stalwart both serve a domain:
// the model behind the proof of exact split delivery (design.md section 7; every rule was seen on
// the real pair, reference/split-delivery.md sections 2 to 4 and 9).
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/schema/mta_expression.h"

namespace plan::flow {

/// What the new server does with one migrating or own domain.
struct TargetDomain {
  bool allows_relaying = false;  ///< unknown addresses are accepted and routed
  std::string catch_all = {};    ///< address, or empty
};

/// A route object of the target by its name; `local` and `mx` exist even without objects.
struct TargetRoute {
  enum class Kind : std::uint8_t { local, mx, relay };
  Kind kind = Kind::mx;
  std::string address = {};  ///< of a relay; a loopback address bounces at once
};

/// The part of the new server that decides deliveries. Addresses are in lower case.
struct Target {
  std::map<std::string, TargetDomain> domains = {};
  std::set<std::string> accounts = {};                         ///< users and groups
  std::map<std::string, std::string> aliases = {};             ///< enabled ones; alias -> account
  std::map<std::string, std::vector<std::string>> lists = {};  ///< expanded one level, at RCPT
  std::map<std::string, std::set<std::string>> keys =
      {};                                          ///< loaded lookup sets; `*@domain` is a glob
  std::map<std::string, TargetRoute> routes = {};  ///< as loaded by the last ReloadSettings
  std::shared_ptr<const schema::MtaContainer> route = {};  ///< null: the default expression
  std::shared_ptr<const schema::MtaContainer> relay_rule =
      {};  ///< MtaStageRcpt.allowRelaying; null: the default
};

enum class Transport : std::uint8_t {
  deliver = 0,     ///< no entry: into the old mailbox
  hold = 1,        ///< a closed port: accepted, waits in the source's queue
  hold_retry = 2,  ///< `retry:`: new sessions get 450 at RCPT
  forward = 3,     ///< to the target
};

/// The part of the old server that decides deliveries.
struct Source {
  std::set<std::string> mailboxes = {};
  std::map<std::string, std::vector<std::string>> aliases =
      {};  ///< aliases and lists, expanded before the transport
  std::map<std::string, Transport> transport = {};  ///< by mailbox address; absent: deliver
};

struct World {
  Target target = {};
  Source source = {};
  std::string source_address = "source";  ///< relays to it reach the source
};

enum class Entry : std::uint8_t {
  target_25 = 0,
  target_submission = 1,
  source_25 = 2,
  source_submission = 3
};
[[nodiscard]] std::string_view to_string(Entry entry);

enum class Fate : std::uint8_t {
  target_mailbox = 0,
  source_mailbox = 1,
  source_queue = 2,  ///< waits; follows the state in which it is tried again
  target_queue = 3,
  outside = 4,    ///< handed to the MX of another domain
  refused = 5,    ///< the sender got an error at RCPT
  deferred = 6,   ///< the sender got 450 and keeps it
  bounced = 7,    ///< accepted, then a DSN to the sender
  discarded = 8,  ///< accepted, and a null sender has nobody to tell
  loop = 9,
  public_mx = 10,  ///< a local address handed to the public MX: a route name that does not exist
  undecided = 11,  ///< an expression asks what the model does not know
};
[[nodiscard]] std::string_view to_string(Fate fate);

/// Where one copy of a message ended, and how it came there.
struct Delivery {
  Fate fate = Fate::undecided;
  std::string mailbox = {};            ///< of target_mailbox, source_mailbox, the queues
  std::vector<std::string> hops = {};  ///< "target:25 accepts user01@x", one for each server
};

struct Letter {
  Entry entry = Entry::source_25;
  std::string recipient = {};  ///< as the sender wrote it
  bool has_null_sender = false;
};

/// Follows one message until every copy has ended. Pure; bounded: a copy that meets the same server
/// with the same recipient again is a loop, and lists are expanded to at most 10,000 recipients.
[[nodiscard]] std::vector<Delivery> deliver(const World& world, const Letter& letter);

}  // namespace plan::flow
