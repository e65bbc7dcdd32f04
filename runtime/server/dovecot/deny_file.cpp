#include "runtime/server/dovecot/deny_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/server/source/source.h"

namespace plan::server::dovecot {
namespace {

constexpr unsigned kDenyFileMode = 0640;

}  // namespace

std::set<std::string> parse_deny_file(std::string_view text) {
  std::set<std::string> names;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view name = trim(line.substr(0, line.find(':')));
    if (!name.empty() && name.front() != '#') names.insert(lower_ascii(name));
  }
  return names;
}

std::string deny_file_text(const std::set<std::string>& names) {
  std::string text =
      "# Written by plan: these accounts have moved or are being moved; changes by hand are "
      "lost.\n";
  for (const std::string& name : names) text += name + ":\n";
  return text;
}

bool is_passwd_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 512 && name.front() != '#' &&
         std::none_of(name.begin(), name.end(),
                      [](char byte) {
                        return byte == ':' || static_cast<unsigned char>(byte) < 0x20 ||
                               byte == 0x7f;
                      }) &&
         trim(name) == name;
}

DenyFile::DenyFile(source::Source& source, std::string path)
    : source_(source),
      path_(std::move(path)),
      writes_([this](std::vector<Request*>& requests) { return write(requests); },
              source::kWatchedFileApart, source.clock()) {}

Result<std::set<std::string>> DenyFile::read() {
  const net::Deadline deadline = net::Deadline::after(source::kCommandTime);
  PLAN_TRY(exists, source_.host().exists(path_, deadline));
  if (!exists) return std::set<std::string>();
  PLAN_TRY(text, source_.host().read_file(path_, source::kAccountFileBytesMax, deadline));
  return parse_deny_file(text);
}

Outcome DenyFile::change(const std::vector<std::string>& add,
                         const std::vector<std::string>& remove) {
  for (const std::string& name : add) {
    if (!is_passwd_file_name(name)) {
      return Error(source::errors::not_a_map_key,
                   fmt::format("`{}` cannot stand in {}", printable(name), path_))
          .with_blame(Blame::source);
    }
  }
  Request request{.add = &add, .remove = &remove};
  PLAN_TRY_VOID(writes_.submit(request).while_doing(
      fmt::format("changing {} on {}", path_, source_.host().name())));
  if (request.is_written) source_.clock().sleep_for(source::kWatchedFileApart);
  return {};
}

Outcome DenyFile::write(std::vector<Request*>& requests) {
  PLAN_TRY(names, read());
  const std::set<std::string> before = names;
  for (const Request* request : requests) {
    names.insert(request->add->begin(), request->add->end());
    for (const std::string& name : *request->remove) names.erase(name);
  }
  if (names == before) return {};
  PLAN_TRY_VOID(source_.host().replace_file(path_, deny_file_text(names), kDenyFileMode,
                                            net::Deadline::after(source::kCommandTime)));
  for (Request* request : requests) request->is_written = true;
  return {};
}

}  // namespace plan::server::dovecot
