// source.listener: a listener and whom it trusts belong to the old server's own file and are read
// at its start, so its operator makes it, and the step looks.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "compiler/schema/formats.h"
#include "compiler/source/text.h"
#include "runtime/server/stalwart15/drivers.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/step/errors.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Standing;
using ir::Value;

constexpr std::string_view kListeners = "server.listener";
constexpr std::string_view kEverybodysTrust = "server.proxy.trusted-networks";
constexpr std::size_t kShownMax = 10;

struct Wanted {
  std::string address = {};
  std::uint16_t port = 0;
  std::vector<std::string> trusted = {};
};

Result<Wanted> wanted_of(const Value& arguments) {
  Wanted wanted;
  PLAN_TRY(address, source::text_argument(arguments, "address"));
  wanted.address = address;
  const std::int64_t port = arguments["port"].integer_or(0);
  if (port <= 0 || port > 65535) {
    return Error(step::errors::argument_missing, "argument `port` is missing")
        .with_blame(Blame::plan)
        .with_argument("port");
  }
  wanted.port = static_cast<std::uint16_t>(port);
  for (const Value& one : arguments["trusted"].items())
    wanted.trusted.emplace_back(one.string_or(""));
  return wanted;
}

/// An address is in a network, "192.0.2.0/24" or a bare address.
bool is_within(std::string_view ip, std::string_view network) {
  const std::size_t slash = network.find('/');
  const auto left = schema::address_bytes(ip);
  const auto right = schema::address_bytes(trim(network.substr(0, slash)));
  if (left.empty() || left.size() != right.size()) return false;
  std::size_t bits = left.size() * 8;
  if (slash != std::string_view::npos) {
    const std::string_view text = network.substr(slash + 1);
    std::size_t given = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), given);
    // Wider ones than /8 the server does not take.
    if (read.ec != std::errc() || given > bits || given < 8) return false;
    bits = given;
  }
  for (std::size_t i = 0; i < bits; ++i) {
    const unsigned mask = 0x80U >> (i % 8);
    if ((left[i / 8] & mask) != (right[i / 8] & mask)) return false;
  }
  return true;
}

/// `KEY` itself and `KEY.0` and so on.
std::vector<std::string> values_of(const Settings& settings, const std::string& key) {
  std::vector<std::string> values;
  for (auto at = settings.lower_bound(key); at != settings.end() && at->first.starts_with(key);
       ++at) {
    if (at->first == key || at->first[key.size()] == '.') values.push_back(at->second);
  }
  return values;
}

/// "[::]:25" and "192.0.2.1:25" for address and port; an unspecified address is any.
bool binds(std::string_view bind, const Wanted& wanted) {
  const std::size_t colon = bind.rfind(':');
  if (colon == std::string_view::npos ||
      trim(bind.substr(colon + 1)) != std::to_string(wanted.port))
    return false;
  std::string_view address = trim(bind.substr(0, colon));
  if (address.starts_with('[') && address.ends_with(']'))
    address = address.substr(1, address.size() - 2);
  if (address == "0.0.0.0" || address == "::") return true;
  const auto bound = schema::address_bytes(address);
  const auto asked = schema::address_bytes(wanted.address);
  // A name stands for addresses that only the server's machine knows.
  return asked.empty() || bound == asked;
}

/// What is missing, for a person; empty: nothing.
Result<std::string> missing_at(Management& server, const Wanted& wanted) {
  PLAN_TRY(found, server.read({std::string(kEverybodysTrust)},
                              {std::string(kListeners), std::string(kEverybodysTrust)}));
  std::set<std::string> ids;
  for (const auto& [key, value] : found) {
    if (!key.starts_with(fmt::format("{}.", kListeners))) continue;
    const std::string rest = key.substr(kListeners.size() + 1);
    ids.insert(rest.substr(0, rest.find('.')));
  }
  for (const std::string& id : ids) {
    const std::string listener = fmt::format("{}.{}", kListeners, id);
    const std::vector<std::string> bound = values_of(found, listener + ".bind");
    if (std::none_of(bound.begin(), bound.end(),
                     [&](const std::string& bind) { return binds(bind, wanted); }))
      continue;
    std::vector<std::string> trusted = values_of(found, listener + ".proxy.trusted-networks");
    if (trusted.empty()) trusted = values_of(found, std::string(kEverybodysTrust));
    std::string left;
    std::size_t count = 0;
    for (const std::string& ip : wanted.trusted) {
      if (std::any_of(trusted.begin(), trusted.end(),
                      [&](const std::string& network) { return is_within(ip, network); }))
        continue;
      if (++count <= kShownMax) left += fmt::format("{}{}", left.empty() ? "" : ", ", ip);
    }
    if (count == 0) return std::string();
    return fmt::format("its listener `{}` does not trust {}", printable(id, 60), left);
  }
  return fmt::format("it has no listener on port {} of {}", wanted.port, wanted.address);
}

class ListenerDriver final : public step::StepDriver {
 public:
  explicit ListenerDriver(std::shared_ptr<OldSources> sources) : sources_(std::move(sources)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(missing, missing_at(source->server(), wanted));
    ir::Observation seen;
    seen.standing = missing.empty() ? Standing::satisfied : Standing::differs;
    seen.remark = std::move(missing);
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY_VOID(verify(context));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(wanted, wanted_of(context.arguments));
    PLAN_TRY(source, sources_->open(context));
    PLAN_TRY(missing, missing_at(source->server(), wanted));
    if (missing.empty()) return {};
    return Error(errors::listener_missing,
                 "the old server is not ready for the proxies: " + missing)
        .with_blame(Blame::source);
  }

  Outcome undo(step::StepContext&) override { return {}; }

 private:
  std::shared_ptr<OldSources> sources_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_listener_driver(std::shared_ptr<OldSources> sources) {
  return std::make_shared<ListenerDriver>(std::move(sources));
}

}  // namespace plan::server::stalwart15
