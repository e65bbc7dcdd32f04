#include "runtime/net/dav/multistatus.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::net::dav {
namespace {

constexpr std::size_t kHrefBytesMax = 4096;

Error violation(std::string text) { return Error(errors::protocol_violation, std::move(text)); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '.' || c == '_' || c == '~' || c == '/' || c == '@';
}

/// "HTTP/1.1 200 OK" to 200; 0 when it is no status line.
int status_of(std::string_view line) {
  line = trim(line);
  const std::size_t at = line.find(' ');
  if (!line.starts_with("HTTP/") || at == std::string_view::npos) return 0;
  const std::string_view digits = line.substr(at + 1, 3);
  int status = 0;
  const auto [rest, code] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  return code == std::errc() && rest == digits.data() + digits.size() && status >= 100 ? status : 0;
}

bool is_found(int status) { return status >= 200 && status < 300; }

}  // namespace

const XmlElement* MultistatusRow::property(std::string_view space, std::string_view name) const {
  for (const XmlElement& one : properties)
    if (one.is(space, name)) return &one;
  return nullptr;
}

std::string_view MultistatusRow::text(std::string_view space, std::string_view name) const {
  const XmlElement* found = property(space, name);
  return found == nullptr ? std::string_view{} : trim(found->text);
}

Result<std::string> normal_href(std::string_view href, std::string_view origin) {
  href = trim(href);
  if (href.size() > kHrefBytesMax) return violation("an href that is too long");
  if (!href.starts_with('/')) {
    if (origin.empty() || !equals_ignoring_case(href.substr(0, origin.size()), origin) ||
        !href.substr(origin.size()).starts_with('/'))
      return violation(
          fmt::format("an href that is no path of this server: {}", printable(href, 200)));
    href.remove_prefix(origin.size());
  }
  if (href.starts_with("//")) return violation("an href with a host instead of a path");
  href = href.substr(0, href.find_first_of("?#"));
  std::string out;
  std::string segment;
  const auto ends_segment = [&segment] { return segment == "." || segment == ".."; };
  for (std::size_t i = 0; i < href.size(); ++i) {
    char c = href[i];
    bool is_escaped = false;
    if (c == '%') {
      const int high = i + 2 < href.size() ? hex_digit(href[i + 1]) : -1;
      const int low = i + 2 < href.size() ? hex_digit(href[i + 2]) : -1;
      if (high < 0 || low < 0) return violation("an href with a broken escape");
      c = static_cast<char>(high * 16 + low);
      i += 2;
      is_escaped = true;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f')
      return violation("an href with a control character");
    if (c == '/' && !is_escaped) {
      if (ends_segment()) return violation("an href that leads upwards");
      segment.clear();
      out += c;
      continue;
    }
    segment += c;
    if (is_plain(c) && c != '/')
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  if (ends_segment()) return violation("an href that leads upwards");
  return out;
}

bool is_directly_below(std::string_view href, std::string_view folder) {
  if (!folder.ends_with('/') || !href.starts_with(folder)) return false;
  const std::string_view rest = href.substr(folder.size());
  const std::size_t slash = rest.find('/');
  return !rest.empty() && slash != 0 &&
         (slash == std::string_view::npos || slash + 1 == rest.size());
}

Result<std::vector<MultistatusRow>> read_multistatus(std::string_view document,
                                                     std::string_view origin,
                                                     const XmlLimits& limits) {
  PLAN_TRY(report, read_sync_report(document, origin, limits));
  return std::move(report.rows);
}

Result<SyncReport> read_sync_report(std::string_view document, std::string_view origin,
                                    const XmlLimits& limits) {
  PLAN_TRY(root, read_xml(document, limits));
  if (!root.is(kDav, "multistatus"))
    return violation(
        fmt::format("an answer that is no multistatus but {}", printable(root.name, 100)));
  SyncReport report;
  if (const XmlElement* token = root.child(kDav, "sync-token"); token != nullptr)
    report.token = trim(token->text);
  std::vector<MultistatusRow>& rows = report.rows;
  std::set<std::string, std::less<>> seen;
  for (XmlElement& response : root.children) {
    if (!response.is(kDav, "response")) continue;
    const XmlElement* href = response.child(kDav, "href");
    if (href == nullptr) return violation("a response without an href");
    MultistatusRow row;
    PLAN_TRY(path, normal_href(href->text, origin));
    row.href = std::move(path);
    if (const XmlElement* status = response.child(kDav, "status"); status != nullptr)
      row.status = status_of(status->text);
    for (XmlElement& part : response.children) {
      if (!part.is(kDav, "propstat")) continue;
      const XmlElement* status = part.child(kDav, "status");
      if (status == nullptr || !is_found(status_of(status->text))) continue;
      for (XmlElement& properties : part.children) {
        if (!properties.is(kDav, "prop")) continue;
        for (XmlElement& one : properties.children) row.properties.push_back(std::move(one));
      }
    }
    if (seen.insert(row.href).second) rows.push_back(std::move(row));
  }
  return report;
}

}  // namespace plan::net::dav
