#include "runtime/server/source/names_watch.h"

#include <algorithm>

#include "runtime/server/source/limits.h"

namespace plan::server::source {
namespace {

/// Device, number, size and times of each file, a missing one included: as text, only to be
/// compared. One question for each place that is another host.
Result<std::string> stamp_of(Source& source, const std::vector<FileAt>& files) {
  std::string stamp;
  std::vector<net::Host*> asked;
  for (const Place place : {Place::machine, Place::dovecot, Place::postfix}) {
    net::Host& host = source.host(place);
    if (std::find(asked.begin(), asked.end(), &host) != asked.end()) continue;
    asked.push_back(&host);
    std::vector<std::string> command = {"stat", "-L", "-c", "%n %d %i %s %y %z", "--"};
    const std::size_t words = command.size();
    for (const FileAt& file : files) {
      if (&source.host(file.place) == &host) command.push_back(file.path);
    }
    if (command.size() == words) continue;
    PLAN_TRY(seen, host.run(command, net::Deadline::after(kCommandTime), {})
                       .while_doing("looking whether the source's names are the same"));
    stamp += seen.output + seen.errors;
  }
  return stamp;
}

}  // namespace

Result<std::vector<std::string>> NamesWatch::aliases_of(const std::string& account) {
  PLAN_TRY(source, open_());
  PLAN_TRY_VOID(source->refresh_export());
  const std::lock_guard lock(mutex_);
  if (population_.files.empty()) {
    PLAN_TRY(first, read_population(*source));  // only to know its files
    population_ = std::move(first);
  }
  PLAN_TRY(stamp, stamp_of(*source, population_.files));
  if (stamp != stamp_) {
    // Stamped before it is read: what changes in between is another stamp at the next question. So
    // is a list of files that is another one now.
    PLAN_TRY(population, read_population(*source));
    stamp_ = population.files == population_.files ? std::move(stamp) : std::string();
    population_ = std::move(population);
  }
  std::vector<std::string> aliases;
  if (const auto found = population_.roles.aliases.find(account);
      found != population_.roles.aliases.end())
    aliases = found->second;
  return aliases;
}

}  // namespace plan::server::source
