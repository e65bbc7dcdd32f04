#include "compiler/check/tried_versions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "compiler/source/text.h"

namespace plan::check {
namespace {

constexpr unsigned kAny = std::numeric_limits<unsigned>::max();

/// The version of such a source in the lock.
constexpr std::string_view kOldServer = "source.stalwart";
/// What has the interface that an old Stalwart is asked through.
constexpr std::array<std::string_view, 3> kOldSeries = {"0.13.", "0.14.", "0.15."};

}  // namespace

bool TriedVersions::covers(std::string_view version) const {
  if (!version.starts_with(series)) return false;
  version.remove_prefix(series.size());
  unsigned number = 0;
  const auto [end, failure] =
      std::from_chars(version.data(), version.data() + version.size(), number);
  return failure == std::errc() && number >= first && number <= last;
}

const std::vector<TriedVersions>& tried_versions() {
  static const std::vector<TriedVersions> kTried = {
      {"source.dovecot", "Dovecot", "2.3.", 0, kAny, "2.3.x"},
      {"source.postfix", "Postfix", "3.7.", 0, kAny, "3.7.x"},
      {"source.stalwart", "Stalwart", "0.15.", 5, 5, "0.15.5"},
      {"target.stalwart", "Stalwart", "0.16.", 0, 19, "0.16.0 to 0.16.19"},
  };
  return kTried;
}

std::string UntriedServer::words(std::string_view url) const {
  std::string who(tried->program);
  if (tried->name.ends_with(".stalwart")) {
    who = is_of_source() ? "the old Stalwart" : "the new Stalwart";
    if (!url.empty()) who += fmt::format(" at {}", printable(url, 200));
  }
  if (version.empty()) {
    return fmt::format("the version of {} is not known, this procedure was tried with {}", who,
                       tried->words);
  }
  return fmt::format("{} is {}, this procedure was tried with {}", who, printable(version, 40),
                     tried->words);
}

bool UntriedServer::is_refused() const {
  return tried->name == kOldServer &&
         std::none_of(kOldSeries.begin(), kOldSeries.end(),
                      [&](std::string_view series) { return version.starts_with(series); });
}

std::vector<UntriedServer> untried_servers(const facts::Lock& lock) {
  std::vector<UntriedServer> servers;
  const bool is_from_stalwart = lock.versions.contains(std::string(kOldServer));
  for (const TriedVersions& tried : tried_versions()) {
    // A source is an old Stalwart, or Dovecot and Postfix.
    if (tried.name.starts_with("source.") && (tried.name == kOldServer) != is_from_stalwart)
      continue;
    const auto found = lock.versions.find(std::string(tried.name));
    const std::string version = found == lock.versions.end() ? std::string() : found->second;
    // A fetch always has the schema; one without a version is of a server that plan does not know.
    const bool was_asked = !version.empty() || !lock.schema_digest.empty();
    if (was_asked && !tried.covers(version)) servers.push_back({&tried, version});
  }
  return servers;
}

}  // namespace plan::check
