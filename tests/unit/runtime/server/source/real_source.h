#pragma once
// The drivers of the source against a real Dovecot and Postfix. Runs inside the namespaces that
// tests/system/source_test.py makes (it sets PLAN_TEST_SOURCE to the work folder); skipped
// elsewhere. With PLAN_TEST_SSH (`user@host`, its key in PLAN_TEST_SSH_KEY, the host's in
// PLAN_TEST_SSH_HOST_KEY) the same source is reached over SSH, with PLAN_TEST_CONTAINERS its
// servers are the containers `dovecot-1` and `postfix-1`. The tests share one source and build on
// each other's absence: each undoes what it did.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "runtime/net/imap/client.h"
#include "runtime/net/smtp/client.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/postfix/postfix_queue.h"
#include "runtime/server/source/dovecot_postfix.h"
#include "runtime/server/source/drivers.h"
#include "runtime/server/source/source.h"

namespace plan::server::source {

using namespace std::chrono_literals;
using ir::StepKind;
using ir::Value;

inline constexpr const char* kAddress = "10.9.0.2";
inline constexpr const char* kDenyFile = "/etc/dovecot/plan-deny";
inline constexpr const char* kDoorFile = "/etc/dovecot/conf.d/90-plan.conf";
inline constexpr const char* kMap = "/etc/postfix/plan_transport";

class MasterPassword final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef&) override {
    return secret::Secret("master-secret");
  }
  Result<ir::SecretRef> seal(const secret::Secret&) override {
    return ir::SecretRef{"sealed", "x"};
  }
};

/// How the source's machine is reached: this one, or over SSH.
inline Value host_block() {
  const char* where = std::getenv("PLAN_TEST_SSH");
  if (where == nullptr) return Value::map();
  return Value::map({{"ssh", where},
                     {"key", ir::SecretRef{"file", std::getenv("PLAN_TEST_SSH_KEY")}},
                     {"host_key", std::getenv("PLAN_TEST_SSH_HOST_KEY")}});
}

inline Value source_block() {
  const bool is_in_containers = std::getenv("PLAN_TEST_CONTAINERS") != nullptr;
  return Value::map({{"dovecot", Value::map({{"container", is_in_containers ? "dovecot-1" : ""}})},
                     {"postfix", Value::map({{"container", is_in_containers ? "postfix-1" : ""}})},
                     {"kind", "dovecot-postfix"},
                     {"address", kAddress},
                     {"host", host_block()},
                     {"imap", Value::map({{"port", 143}, {"security", "starttls"}})},
                     {"smtp", Value::map({{"port", 25}})},
                     {"certificate_sha256", std::getenv("PLAN_TEST_CERTIFICATE")},
                     {"master_user", Value::map({{"name", "vmadmin"},
                                                 {"separator", "%"},
                                                 {"password", ir::SecretRef{"env", "X"}}})}});
}

/// One step with what the engine would keep for it.
struct Step {
  StepKind kind;
  Value arguments;
  Value prior = {};
  Value notes = {};
  std::uint32_t attempt = 0;
};

class RealSource : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("PLAN_TEST_SOURCE") == nullptr)
      GTEST_SKIP() << "needs the namespaces of tests/system/source_test.py";
    add_drivers(table_, pool_, mailboxes());
    source_ = *pool_->open(source_block());
  }

  /// The accounts of this source, opened by its master user.
  probe::OpenMailbox mailboxes() {
    auto sources = std::make_shared<LiveSources>();
    sources->add(std::string(kDovecotPostfix),
                 [pool = pool_](const Value& block, secret::SecretSource& from) {
                   return make_dovecot_postfix(block, pool, from);
                 });
    return probe::source_mailboxes(std::move(sources));
  }

  template <class Call>
  auto with(Step& step, Call call) {
    step::StepContext context{.kind = step.kind,
                              .arguments = step.arguments,
                              .secrets = secrets_,
                              .clock = net::system_clock(),
                              .stop = stop_};
    context.prior = step.prior;
    context.notes = step.notes;
    context.attempt = step.attempt;
    context.remember = [&step](const Value& notes) -> Outcome {
      step.notes = notes;
      return {};
    };
    return call(*table_.find(step.kind), context);
  }
  Result<ir::Observation> observe(Step& step) {
    return with(step, [](auto& driver, auto& context) { return driver.observe(context); });
  }
  Outcome undo(Step& step) {
    return with(step, [](auto& driver, auto& context) { return driver.undo(context); });
  }
  /// observe (prior), apply, verify, as the engine does.
  Outcome perform(Step& step) {
    PLAN_TRY(seen, observe(step));
    if (step.attempt == 0) step.prior = seen.prior;
    ++step.attempt;
    PLAN_TRY(outputs,
             with(step, [](auto& driver, auto& context) { return driver.apply(context); }));
    static_cast<void>(outputs);
    return with(step, [](auto& driver, auto& context) { return driver.verify(context); });
  }

  static Value arguments(std::vector<std::pair<std::string, Value>> more) {
    Value all = Value::map({{"source", source_block()}});
    for (auto& [key, value] : more) all.set(key, value);
    return all;
  }
  static Step door() {
    return {StepKind::dovecot_door,
            arguments({{"deny_file", kDenyFile}, {"configuration", kDoorFile}})};
  }
  static Step deny(const std::string& account) {
    return {StepKind::dovecot_deny, arguments({{"account", account},
                                               {"addresses", Value::list({account})},
                                               {"deny_file", kDenyFile}})};
  }
  static Step hook() { return {StepKind::postfix_hook, arguments({{"transport_map", kMap}})}; }
  static Step hold(const std::string& account) {
    return {StepKind::postfix_hold, arguments({{"account", account}, {"transport_map", kMap}})};
  }
  static Step forward(const std::string& account, const std::string& next_hop) {
    return {StepKind::postfix_forward,
            arguments({{"account", account}, {"transport_map", kMap}, {"next_hop", next_hop}})};
  }

  bool can_log_in(const std::string& login, const std::string& password) {
    auto client = net::imap::Client::connect(source_->block().endpoint(source_->block().imap));
    EXPECT_TRUE(client) << client.error().to_line();
    return client && (*client)->login(login, secret::Secret(password)).has_value();
  }
  /// Delivers through port 25 and returns the reply.
  static std::string deliver(const std::string& account, const std::string& subject) {
    net::smtp::ConnectOptions options;
    options.host = kAddress;
    options.ehlo_name = "mx.ext.test";
    options.bind_address = "10.9.0.50";
    const net::Deadline deadline = net::Deadline::after(10s);
    auto client = net::smtp::Client::connect(options, deadline);
    if (!client) return client.error().to_line();
    auto sent = (*client)->send(
        {"sender@ext.test", {account}},
        fmt::format("From: <sender@ext.test>\r\nSubject: {}\r\n\r\nhello\r\n", subject), deadline);
    if (!sent) return sent.error().to_line();
    return sent->is_accepted ? "accepted" : sent->reply.to_text();
  }
  /// -1: Dovecot cannot be asked.
  int session_count_of(const std::string& user) {
    const auto count = dovecot::session_count(*source_, user);
    return count ? static_cast<int>(*count) : -1;
  }
  bool is_at_source(const std::string& path) {
    const Place place = path.starts_with("/etc/postfix") ? Place::postfix : Place::dovecot;
    return *source_->host(place).exists(path, net::Deadline::after(10s));
  }
  Result<std::string> set_postfix(const std::string& name, const std::string& value) {
    return source_->run(Place::postfix, {"sh", "-c", "postconf -e \"$1\" && postfix reload", "sh",
                                         name + "=" + value});
  }
  Result<std::string> set_virtual_transport(const std::string& value) {
    return set_postfix("virtual_transport", value);
  }
  /// Sends a mail that is still in delivery when this returns: behind an LMTP server between
  /// Postfix and Dovecot that answers late (`slow_lmtp` of the test script).
  void begin_delivery(const std::string& account, const std::string& subject) {
    using namespace std::chrono_literals;
    ASSERT_TRUE(set_virtual_transport("lmtp:inet:127.0.0.1:2424"));
    std::this_thread::sleep_for(1500ms);
    ASSERT_EQ(deliver(account, subject), "accepted");
    ASSERT_TRUE(wait_for([&] { return queued(account) == 1; }));
    std::this_thread::sleep_for(300ms);
  }
  std::size_t queued(const std::string& account) {
    return postfix::ids_naming(**source_->queue().read(), {account}).size();
  }
  /// Messages in the Maildir, INBOX only.
  static std::size_t delivered(const std::string& user) {
    std::size_t count = 0;
    for (const char* part : {"new", "cur"}) {
      const std::filesystem::path folder = std::filesystem::path(std::getenv("PLAN_TEST_SOURCE")) /
                                           "mail/legacy.test" / user / "Maildir" / part;
      if (!std::filesystem::exists(folder)) continue;
      for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder))
        ++count;
    }
    return count;
  }
  /// How often Postfix has read its configuration again, by its own log.
  static std::size_t reloads() {
    std::ifstream log(std::filesystem::path(std::getenv("PLAN_TEST_SOURCE")) / "postfix.log");
    std::size_t count = 0;
    for (std::string line; std::getline(log, line);)
      if (line.find("reload -- version") != std::string::npos) ++count;
    return count;
  }
  static bool wait_for(const std::function<bool()>& is_so, std::chrono::milliseconds time = 60s) {
    const net::Deadline deadline = net::Deadline::after(time);
    while (!is_so()) {
      if (deadline.is_over()) return false;
      std::this_thread::sleep_for(30ms);
    }
    return true;
  }

  MasterPassword secrets_;
  step::StopSignal stop_;
  step::DriverTable table_;
  std::shared_ptr<SourcePool> pool_ =
      std::make_shared<SourcePool>(std::make_shared<net::HostPool>(), net::system_clock());
  std::shared_ptr<Source> source_;
};

}  // namespace plan::server::source
