// Prevents: a first move that fails because the target does not listen where the plan says. A fresh
// server opens neither 143 nor 587 (reference/stalwart-admin.md 4.5).
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void target_port_closed(const Migration& migration, Sink& sink) {
  struct Service {
    const char* key = nullptr;
    std::string_view protocol = {};  ///< as the target's listeners name it
  };
  constexpr std::array<Service, 4> kServices = {
      {{"imap", "imap"}, {"submission", "smtp"}, {"smtp", "smtp"}, {"sieve", "manageSieve"}}};
  const std::vector<Listener> listeners = listeners_of_target(migration);
  if (listeners.empty()) return;
  for (const Service& service : kServices) {
    const std::int64_t port = migration.plan.target[service.key]["port"].integer_or(0);
    // It answered there when it was asked for its certificate, whatever stands in between.
    if (port == 0 || migration.lock->certificates.contains(fmt::format("target.{}", service.key)))
      continue;
    std::string open;
    bool is_open = false;
    for (const Listener& listener : listeners) {
      if (listener.protocol != service.protocol) continue;
      is_open = is_open || listener.port == port;
      open += fmt::format("{}{}", open.empty() ? "" : ", ", listener.port);
    }
    if (is_open) continue;
    const syntax::Node* target =
        migration.plan.tree == nullptr ? nullptr : migration.plan.tree->find("target");
    const bool is_written = target != nullptr && target->find(service.key) != nullptr;
    auto report = sink.report(
        Kind::target_port_closed,
        is_written ? migration.plan.place("target", service.key) : migration.plan.place("target"),
        fmt::format("the target has no listener for {} at port {}", service.key, port));
    // Mail of everybody who has moved would wait and bounce; without the others a move is undone.
    // Who answers without TLS has shown no certificate, and may be behind another port.
    const bool is_asked = migration.plan.target[service.key]["security"] != ir::Value("none");
    if (is_asked && service.key == std::string_view("smtp")) report.severity(Severity::error);
    if (!open.empty()) report.label(fmt::format("it listens at {}", open));
    report.help(fmt::format(
        "write where it listens (`{}: {{port: ...}}`), or let std/listener make a listener "
        "there",
        service.key));
  }
}

}  // namespace plan::check::rules
