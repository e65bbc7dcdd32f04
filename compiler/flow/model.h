#pragma once
// Who delivers a message where, when an old Postfix/Dovecot and a new Stalwart both serve a domain:
// the model behind the proof of exact split delivery (design.md section 7; every rule was seen on
// the real pair, reference/split-delivery.md sections 2 to 4 and 9).
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/schema/mta_expression.h"
#include "compiler/source/span.h"

namespace plan::flow {

/// What the new server does with one migrating or own domain.
struct TargetDomain {
  bool allows_relaying = false;  ///< unknown addresses are accepted and routed
  std::string catch_all = {};    ///< address, or empty
  bool takes_tags_off = true;    ///< by `+`, or as the rule says
  std::shared_ptr<const schema::MtaContainer> tag_rule = {};  ///< of its own; null: `+`
};

/// A route object of the target by its name; `local` and `mx` exist even without objects.
struct TargetRoute {
  enum class Kind : std::uint8_t { local, mx, relay };
  Kind kind = Kind::mx;
  std::string address = {};   ///< of a relay; a loopback address bounces at once
  bool is_elsewhere = false;  ///< it leads to a machine that is not the plan's
};

/// What a Sieve script does with the mail of its account.
struct Redirect {
  std::string to = {};
  bool keeps_copy = true;
};

/// How many messages are taken before the sender is told to come again; 0: any number.
struct Throttles {
  std::uint32_t a_second = 0;   ///< connections of one address; the next is closed unheard
  std::uint32_t an_hour = 0;    ///< of one sender's domain to one recipient
  std::uint32_t a_session = 0;  ///< in one session to port 25
};

/// The part of the new server that decides deliveries. Addresses are in lower case.
struct Target {
  std::map<std::string, TargetDomain> domains = {};
  std::set<std::string> accounts = {};                         ///< users and groups
  std::map<std::string, std::string> aliases = {};             ///< enabled ones; alias -> account
  std::map<std::string, std::vector<std::string>> lists = {};  ///< expanded one level, at RCPT
  std::map<std::string, std::set<std::string>> keys =
      {};  ///< loaded lookup sets; `*@domain` is a glob
  std::map<std::string, std::map<std::string, std::string>> key_values =
      {};                                          ///< loaded lookup maps, for key_get
  std::set<std::string> own_sets = {};             ///< that hold what no step writes, too
  std::map<std::string, TargetRoute> routes = {};  ///< as loaded by the last ReloadSettings
  std::set<std::string> written_routes = {};       ///< names that the plan makes, loaded or not
  std::shared_ptr<const schema::MtaContainer> route = {};  ///< null: the default expression
  std::shared_ptr<const schema::MtaContainer> relay_rule =
      {};  ///< MtaStageRcpt.allowRelaying; null: the default
  std::shared_ptr<const schema::MtaContainer> login_rule =
      {};                                     ///< MtaStageAuth.require; null: no login at port 25
  std::set<std::string> not_receiving = {};   ///< accounts without the permission emailReceive
  std::set<std::string> not_logging_in = {};  ///< accounts without the permission authenticate
  std::map<std::string, std::vector<Redirect>> redirects = {};  ///< Sieve, by account
  std::set<std::string> answering = {};                         ///< accounts with a vacation reply
  Throttles throttles = {};
  std::set<std::string> unthrottled = {};  ///< client addresses that no throttle counts
  bool is_greylisting = false;
  bool is_paused = false;  ///< PauseMtaQueue: everything is taken and waits
  bool is_down = false;
};

enum class Transport : std::uint8_t {
  deliver = 0,     ///< no entry: into the old mailbox
  hold = 1,        ///< a closed port: accepted, waits in the source's queue
  hold_retry = 2,  ///< `retry:`: new sessions get 450 at RCPT, unless they were open before
  forward = 3,     ///< to the target
};

/// A route of an old Stalwart by its id; `local` and `mx` exist without settings.
struct OldRoute {
  std::string type = {};     ///< "relay", "local", "mx"
  std::string address = {};  ///< of a relay: a host name
  std::string port = {};
  bool is_tls_at_once = false;  ///< of a relay that settings make: true unless they say not
};

/// What decides at a Stalwart 0.13 to 0.15 (reference/stalwart-v015-api.md 9.3): the route of each
/// recipient's address as it was given, asked for at each try, with loaded lookup lists.
struct OldStalwart {
  std::map<std::string, std::string> names = {};            ///< alias -> mailbox
  std::map<std::string, std::set<std::string>> lists = {};  ///< loaded lookup lists
  std::map<std::string, OldRoute> routes = {};
  std::shared_ptr<const schema::MtaContainer> route = {};  ///< null: the default expression
  /// "smtp:[HOST]:PORT" of the target. A relay to another port of HOST is taken for a closed one,
  /// where mail waits, unless it is one that mail servers use; any other HOST is a third machine.
  std::string next_hop = {};
};

/// The part of the old server that decides deliveries. Maps are as loaded by the last reload.
struct Source {
  std::optional<OldStalwart> stalwart = {};  ///< instead of aliases for one mailbox, and transport
  std::set<std::string> domains = {};  ///< it delivers for; those of its mailboxes need no mention
  std::set<std::string> mailboxes = {};
  std::map<std::string, std::vector<std::string>> aliases =
      {};  ///< aliases, forwards and lists, expanded before the transport
  std::map<std::string, std::vector<std::string>> catch_all = {};  ///< by domain: who gets it
  std::map<std::string, Transport> transport = {};  ///< by mailbox address; absent: deliver
  /// By mailbox address: where it is forwarded to, when that is not the target.
  std::map<std::string, std::string> forwards_elsewhere = {};
  std::map<std::string, std::vector<Redirect>> redirects = {};  ///< Sieve, by mailbox
  std::set<std::string> not_logging_in = {};                    ///< named in the deny file
  std::set<std::string> own_networks = {};                      ///< client addresses that may relay
  std::string tag_delimiters = "+";  ///< each begins the tag of an address
  bool is_down = false;  ///< or without queue space: whoever comes is told to come again
};

/// What an expression asks a server about a name that is not the recipient's.
struct Question {
  enum class Kind : std::uint8_t { key, account, domain };
  Kind kind = Kind::key;
  std::string_view set = {};  ///< of a key
  std::string_view name = {};
  bool is_sender = false;
};

struct World {
  Target target = {};
  Source source = {};
  /// Does the answer hang on steps of the plan that are about somebody else, and that this world
  /// does not have, done or not? Empty: on none.
  std::function<bool(const Question&)> is_of_others = {};
  std::string source_address = "source";  ///< clients and relays of this address are the source
  std::string target_address = "target";  ///< what the source sees the target's relays come from
  /// Where the plan says what decides: "domain x", "allowRelaying x" and its other members,
  /// "account a@x", "key a@x", "list l@x", "route source", "route expression", "relay rule",
  /// "transport a@x", "old route expression", "old route plan-new".
  std::map<std::string, Span, std::less<>> origins = {};
};

/// Where a message comes into the system.
enum class Entry : std::uint8_t {
  target_25 = 0,
  target_submission = 1,  ///< JMAP too: the same queue
  source_25 = 2,
  source_submission = 3,
  target_local = 4,  ///< made by the target itself: a redirect, a vacation reply, an alarm
  source_local = 5,  ///< made on the source itself: a redirect, a reply, a program's mail
  target_queue = 6,  ///< accepted earlier, tried again now
  source_queue = 7,
};
inline constexpr std::array kEntries = {
    Entry::target_25,    Entry::target_submission, Entry::source_25,    Entry::source_submission,
    Entry::target_local, Entry::source_local,      Entry::target_queue, Entry::source_queue};
[[nodiscard]] std::string_view to_string(Entry entry);
[[nodiscard]] std::optional<Entry> entry_by_name(std::string_view name);
[[nodiscard]] constexpr bool is_at_target(Entry entry) {
  return entry == Entry::target_25 || entry == Entry::target_submission ||
         entry == Entry::target_local || entry == Entry::target_queue;
}

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
  public_mx = 10,  ///< a local address handed to the public MX, or to a route nobody knows
  undecided = 11,  ///< an expression asks what the model does not know
};
/// What a fate is called: in a sentence, and as a test of a plan writes it.
struct FateWords {
  Fate fate = Fate::undecided;
  std::string_view spoken = {};
  std::string_view written = {};
};
[[nodiscard]] const std::vector<FateWords>& all_fates();
[[nodiscard]] std::string_view to_string(Fate fate);

/// One decision of a server on the way of a message.
struct Hop {
  std::string text = {};  ///< "target routes user01@x by `local`"
  std::string rule =
      {};            ///< what decided it: "`if` 0 of MtaOutboundStrategy.route: ..."; may be ""
  Span origin = {};  ///< where the plan says so; unknown: a server's default
  std::string others = {};  ///< of a condition that asks for somebody else: his name
};

/// The rule of a hop to a machine that is none of the plan's: where mail goes from there nobody but
/// that one can tell.
inline constexpr std::string_view kAnotherMachine = "a machine that the plan does not name";

/// The rule of a hop at which the target wants a login of whoever comes to port 25.
inline constexpr std::string_view kLoginRule = "MtaStageAuth.require";

/// Where one copy of a message ended, and how it came there.
struct Delivery {
  Fate fate = Fate::undecided;
  std::string mailbox = {};    ///< of target_mailbox, source_mailbox, the queues, outside; of
                               ///< public_mx the route that no step makes, or empty
  std::vector<Hop> hops = {};  ///< one for each decision
  /// Nobody but the server can tell a condition on its way, or it asks for somebody else: where it
  /// asks, and that it was supposed to be true or false.
  std::optional<Hop> supposed = {};
};

struct Letter {
  Entry entry = Entry::source_25;
  std::string recipient = {};  ///< as the sender wrote it; of a queue: as it waits there
  bool has_null_sender = false;
  std::string login = {};        ///< of a submission; empty: an account that may log in
  std::string sender = {};       ///< empty: the login, or somebody outside
  std::string client = {};       ///< address that the server sees; empty: somebody outside
  bool is_open_session = false;  ///< the session was open before the source's last reload
  bool is_tried_again = false;   ///< the sender was told to come again, and does
  std::uint32_t nth_in_second = 1;
  std::uint32_t nth_in_hour = 1;
  std::uint32_t nth_in_session = 1;
};

/// Follows one message until every copy has ended. Pure; bounded: a copy that meets the same server
/// with the same recipient again is a loop, and lists are expanded to at most 10,000 recipients.
/// Without `tells` no delivery has hops.
[[nodiscard]] std::vector<Delivery> deliver(const World& world, const Letter& letter,
                                            bool tells = true);

/// The same where conditions of the route expression ask what nobody but the server can tell
/// (`dns_query`, the number of tries, the queue), or for somebody else's key: once for each way in
/// which they may be answered.
/// At most four conditions; what asks more ends as `undecided`. One item where nothing is asked.
/// `asks_sender` is set when an expression on its way asks who sends: without, any other sender's
/// message goes the same way.
[[nodiscard]] std::vector<std::vector<Delivery>> deliver_either_way(const World& world,
                                                                    const Letter& letter,
                                                                    bool tells = true,
                                                                    bool* asks_sender = nullptr);

/// "target routes a@x by `local` (`if` 0 of MtaOutboundStrategy.route)".
[[nodiscard]] std::string to_text(const Hop& hop);

}  // namespace plan::flow
