#include "runtime/server/stalwart15/lookup_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/server/stalwart15/limits.h"

namespace plan::server::stalwart15 {
namespace {

/// A list without a key stays loaded with what it had: this one is always there.
constexpr std::string_view kAlwaysThere = "-";

}  // namespace

LookupList::LookupList(Management& server, std::string name, net::Clock& clock)
    : server_(server),
      name_(std::move(name)),
      writes_([this](std::vector<Request*>& requests) { return write(requests); }, kListWriteApart,
              clock) {}

std::string LookupList::key_of(std::string_view address) const {
  return fmt::format("lookup.{}.{}", name_, address);
}

Outcome LookupList::check(const std::vector<std::string>& addresses) const {
  for (const std::string& address : addresses) {
    // A comma ends a key where keys are asked for.
    const bool is_key = !address.empty() && address != kAlwaysThere &&
                        std::none_of(address.begin(), address.end(), [](char c) {
                          return static_cast<unsigned char>(c) <= ' ' || c == ',' || c == '\x7f';
                        });
    if (is_key) continue;
    return Error(source::errors::not_a_map_key,
                 fmt::format("`{}` cannot be a key of `lookup.{}`", printable(address, 120), name_))
        .with_blame(Blame::source);
  }
  return {};
}

Result<std::set<std::string>> LookupList::among(const std::vector<std::string>& addresses) {
  PLAN_TRY_VOID(check(addresses));
  std::vector<std::string> keys;
  for (const std::string& address : addresses) keys.push_back(key_of(address));
  PLAN_TRY(found, server_.read(keys, {}));
  std::set<std::string> there;
  for (const std::string& address : addresses) {
    if (found.contains(key_of(address))) there.insert(address);
  }
  return there;
}

Outcome LookupList::put(const std::vector<std::string>& addresses) {
  return change(addresses, true);
}

Outcome LookupList::take(const std::vector<std::string>& addresses) {
  return change(addresses, false);
}

Outcome LookupList::change(const std::vector<std::string>& addresses, bool is_in) {
  PLAN_TRY_VOID(check(addresses));
  Request request{.addresses = &addresses, .is_in = is_in};
  return writes_.submit(request);
}

Outcome LookupList::write(std::vector<Request*>& requests) {
  std::vector<std::string> gone;
  std::vector<std::string> keys = {key_of(kAlwaysThere)};
  for (const Request* request : requests) {
    for (const std::string& address : *request->addresses) {
      keys.push_back(key_of(address));
      if (!request->is_in) gone.push_back(keys.back());
    }
  }
  PLAN_TRY(before, server_.read(keys, {}));
  SettingsWrite write;
  std::erase_if(gone, [&](const std::string& key) { return !before.contains(key); });
  write.remove(std::move(gone));
  const auto insert = [&](std::string key) {
    if (!before.contains(key)) write.insert(std::move(key), "1");
  };
  insert(key_of(kAlwaysThere));
  for (const Request* request : requests) {
    if (!request->is_in) continue;
    for (const std::string& address : *request->addresses) insert(key_of(address));
  }
  if (!write.is_empty()) PLAN_TRY_VOID(server_.write(write));
  auto after = server_.read(keys, {});
  if (!after) return std::move(after).error().with_effect(Effect::unknown);
  // Loaded each time: a run that died may have written, and loaded nothing.
  if (auto loaded = server_.reload(Reload::lookups); !loaded)
    return std::move(loaded).error().with_effect(Effect::unknown);
  for (const Request* request : requests) {
    for (const std::string& address : *request->addresses) {
      if (after->contains(key_of(address)) == request->is_in) continue;
      return Error(errors::setting_not_taken,
                   fmt::format("`{}` is {} at the old server", printable(key_of(address), 120),
                               request->is_in ? "not there" : "still there"))
          .with_effect(Effect::applied)
          .with_blame(Blame::source);
    }
  }
  return {};
}

}  // namespace plan::server::stalwart15
