#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/host.h"
#include "runtime/net/imap/client.h"
#include "runtime/server/source/shared_write.h"
#include "runtime/step/step_driver.h"

namespace plan::server::postfix {
class Queue;
class TransportMap;
}  // namespace plan::server::postfix
namespace plan::server::dovecot {
class DenyFile;
}

namespace plan::server::source {

/// One service of the source, from its connection block.
struct Service {
  std::uint16_t port = 0;
  net::imap::Security security = net::imap::Security::starttls;
};

/// The kinds of sources, as `kind` of the block names them; a block without one is of the first.
inline constexpr std::string_view kDovecotPostfix = "dovecot-postfix";
inline constexpr std::string_view kOldStalwart = "stalwart-0.15";
[[nodiscard]] std::string_view kind_of(const ir::Value& source_block);
/// Where an old Stalwart lists the mailboxes of groups, and does not say so by NAMESPACE; as long
/// as nobody gives it another name there.
inline constexpr std::string_view kSharedFolders = "Shared Folders/";

/// The connection block `source` of a step, with what was left out filled in. What belongs to
/// Dovecot and Postfix means nothing in one of another kind.
struct Block {
  std::string address = {};
  ir::Value host = {};  ///< how the machine is reached (net::HostPool)
  Service imap = {.port = 143};
  Service sieve = {.port = 4190};
  Service smtp = {.port = 25, .security = net::imap::Security::none};
  Service submission = {.port = 587};
  std::string certificate_sha256 = {};
  std::string shared_prefix = {};  ///< of mailboxes of others, besides what NAMESPACE says
  std::string master_name = {};
  std::string master_separator = "*";
  ir::Value master_password = {};      ///< a SecretRef
  std::string dovecot_container = {};  ///< Dovecot runs in it; empty: on the machine itself
  std::string dovecot_config = "/etc/dovecot/dovecot.conf";
  std::string users_file = "/etc/dovecot/users";
  std::string deny_file = "/etc/dovecot/plan-deny";
  std::vector<std::string> doveadm = {"doveadm"};
  std::string postfix_container = {};
  std::string postfix_directory = "/etc/postfix";
  std::string transport_map = "/etc/postfix/plan_transport";
  std::string postfix_commands = {};  ///< folder of postfix, postqueue, postconf; empty: PATH
  std::string lease_file = "/var/lib/plan/lease";
  /// Of a source that keeps its accounts in a database: writes the users file and `alias_export`
  /// anew on the machine, each only when it is another one. Empty: they are the source's own files.
  std::vector<std::string> export_command = {};
  /// Stands for the alias maps that cannot be listed; empty: there may be none of them.
  std::string alias_export = {};

  /// How the master user of the source is let in as `account`.
  [[nodiscard]] std::string master_login(std::string_view account) const;
  [[nodiscard]] net::imap::Endpoint endpoint(const Service& service) const;
};

/// Errors: argument-missing when there is no address.
[[nodiscard]] Result<Block> read_block(const ir::Value& value);

/// Where a command of the source runs, and where a file of it is: on its machine, or in the
/// container of one of its servers. Without containers all three are the machine.
enum class Place : std::uint8_t { machine, dovecot, postfix };

/// A source that the drivers work on together: its machine, and the one writer of each of its
/// files. Thread-safe.
class Source {
 public:
  Source(Block block, net::Host& machine, net::Clock& clock);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] const Block& block() const { return block_; }
  [[nodiscard]] net::Host& host(Place place);
  /// Where the users file is: an export writes it on the machine, else it is Dovecot's.
  [[nodiscard]] Place users_place() const {
    return block_.export_command.empty() ? Place::dovecot : Place::machine;
  }
  [[nodiscard]] net::Clock& clock() { return clock_; }

  /// Runs a command and wants exit code 0. Error: source-command-failed with what it said, besides
  /// those of Host::run.
  [[nodiscard]] Result<std::string> run(Place place, const std::vector<std::string>& arguments,
                                        const net::CommandOptions& options = {});
  /// `postconf -c DIR ...` and its like: the program with the configuration directory put in.
  [[nodiscard]] std::vector<std::string> postfix(std::string_view program,
                                                 std::vector<std::string> arguments) const;
  [[nodiscard]] std::vector<std::string> doveadm(std::vector<std::string> arguments) const;
  /// A setting as `postconf -h` prints it, variables unexpanded.
  [[nodiscard]] Result<std::string> postconf(std::string_view name);
  /// The same with its variables expanded.
  [[nodiscard]] Result<std::string> postconf_expanded(std::string_view name);
  /// A setting as `doveconf -h` prints it; empty when there is none.
  [[nodiscard]] Result<std::string> doveconf(std::string_view name);
  /// Makes a changed passdb live: Dovecot's config and auth processes are started anew, which cuts
  /// no session and no delivery as `doveadm reload` does, and Postfix is reloaded, whose submission
  /// otherwise asked the old auth process once (split-delivery.md 9.4).
  [[nodiscard]] Outcome renew_logins();

  /// Where accounts are exported: runs the export, one for all callers that wait at that moment,
  /// and returns when one that began after this call has ended. Error: source-command-failed.
  [[nodiscard]] Outcome refresh_export();

  /// The source's clock, seconds since 1970: what Postfix's arrival times compare with.
  [[nodiscard]] Result<std::int64_t> seconds();

  [[nodiscard]] postfix::Queue& queue() { return *queue_; }
  [[nodiscard]] postfix::TransportMap& transport_map(const std::string& path);
  [[nodiscard]] dovecot::DenyFile& deny_file(const std::string& path);

 private:
  struct ExportRequest {};

  Block block_;
  net::Host& machine_;
  std::unique_ptr<net::Host> dovecot_;  // null: on the machine
  std::unique_ptr<net::Host> postfix_;
  net::Clock& clock_;
  SharedWrite<ExportRequest> exports_;
  std::unique_ptr<postfix::Queue> queue_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<postfix::TransportMap>> maps_;
  std::map<std::string, std::unique_ptr<dovecot::DenyFile>> deny_files_;
};

/// The sources of a run, one object each however many steps name it. Thread-safe.
class SourcePool {
 public:
  SourcePool(std::shared_ptr<net::HostPool> hosts, net::Clock& clock)
      : hosts_(std::move(hosts)), clock_(clock) {}
  [[nodiscard]] Result<std::shared_ptr<Source>> open(const ir::Value& source_block);
  /// Puts a source in the place of the one that the block would open: for tests and rehearsals.
  void put(const ir::Value& source_block, std::shared_ptr<Source> source);
  /// Of the step's argument `source`.
  [[nodiscard]] Result<std::shared_ptr<Source>> open(const step::StepContext& context) {
    return open(context.arguments["source"]);
  }

 private:
  std::shared_ptr<net::HostPool> hosts_;
  net::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Source>> sources_;
};

/// The output of `date +%s`. Error: source-command-failed.
[[nodiscard]] Result<std::int64_t> read_seconds(std::string_view text);
/// A required text argument of a step. Error: argument-missing.
[[nodiscard]] Result<std::string> text_argument(const ir::Value& arguments, std::string_view name);
/// `account` and all of `addresses` and `aliases`, lower case, each once, the account first.
[[nodiscard]] std::vector<std::string> names_of_account(const ir::Value& arguments);

}  // namespace plan::server::source
