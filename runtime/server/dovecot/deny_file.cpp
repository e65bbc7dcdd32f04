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

std::string deny_file_text(const std::set<std::string>& names, std::size_t padding) {
  std::string text =
      "# Written by plan: these accounts have moved or are being moved; changes by hand are "
      "lost." +
      std::string(padding, ' ') + "\n";
  for (const std::string& name : names) text += name + ":::::::nodelay=y\n";
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
              std::chrono::milliseconds(0), source.clock()) {}

Result<std::string> DenyFile::read_text() {
  const net::Deadline deadline = net::Deadline::after(source::kCommandTime);
  PLAN_TRY(exists, source_.host(source::Place::dovecot).exists(path_, deadline));
  if (!exists) return std::string();
  return source_.host(source::Place::dovecot)
      .read_file(path_, source::kAccountFileBytesMax, deadline);
}

Result<std::set<std::string>> DenyFile::read() {
  PLAN_TRY(text, read_text());
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
  return writes_.submit(request).while_doing(
      fmt::format("changing {} on {}", path_, source_.host(source::Place::dovecot).name()));
}

/// The padding with which the text has another size than every version that Dovecot may have read
/// within the second.
std::size_t DenyFile::padding_for(std::size_t size) {
  const auto now = source_.clock().now();
  std::erase_if(recent_,
                [&](const auto& one) { return now - one.first > source::kWatchedFileMemory; });
  std::size_t padding = 0;
  const auto is_taken = [&](std::size_t wanted) {
    return std::any_of(recent_.begin(), recent_.end(),
                       [&](const auto& one) { return one.second == wanted; });
  };
  while (is_taken(size + padding)) ++padding;
  recent_.emplace_back(now, size + padding);
  return padding;
}

Outcome DenyFile::write(std::vector<Request*>& requests) {
  PLAN_TRY(before_text, read_text());
  const std::set<std::string> before = parse_deny_file(before_text);
  std::set<std::string> names = before;
  for (const Request* request : requests) {
    names.insert(request->add->begin(), request->add->end());
    for (const std::string& name : *request->remove) names.erase(name);
  }
  if (names == before) return {};
  recent_.emplace_back(source_.clock().now(), before_text.size());
  const std::size_t padding = padding_for(deny_file_text(names).size());
  return source_.host(source::Place::dovecot)
      .replace_file(path_, deny_file_text(names, padding), kDenyFileMode,
                    net::Deadline::after(source::kCommandTime));
}

}  // namespace plan::server::dovecot
