#include "runtime/rehearsal/dav_front.h"

#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/dav/xml.h"
#include "runtime/net/http_client.h"
#include "runtime/rehearsal/content_lines.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/shelf.h"

namespace plan::rehearsal {
namespace {

using net::HttpServerRequest;
using net::HttpServerResponse;
using net::dav::xml_text;

constexpr std::string_view kCalendars = "/dav/cal/";
constexpr std::string_view kContacts = "/dav/card/";

HttpServerResponse only(int status) {
  HttpServerResponse out;
  out.status = status;
  return out;
}

std::string segment(const Shelf& shelf, std::uint32_t folder) {
  return folder == shelf.default_folder ? "default" : encode_id(folder);
}

/// Where the request leads: an account's home, a folder of it, an entry in that.
struct Place {
  ShelfKind kind = ShelfKind::calendars;
  std::string home = {};  ///< "/dav/cal/alice%40example.org/"
  std::string account = {};
  std::string folder = {};
  std::string entry = {};
};

std::optional<Place> place_of(std::string_view path) {
  Place place;
  const bool is_calendar = path.starts_with(kCalendars);
  place.kind = is_calendar ? ShelfKind::calendars : ShelfKind::contacts;
  const std::string_view base = is_calendar ? kCalendars : kContacts;
  std::vector<std::string> names;
  for (const std::string_view one : split(path.substr(base.size()), '/')) {
    const auto name = net::percent_decode(one);
    if (!name) return std::nullopt;
    if (!name->empty()) names.push_back(*name);
  }
  if (names.empty() || names.size() > 3) return std::nullopt;
  place.account = names[0];
  place.home = std::string(base) + net::percent_encode(names[0]) + "/";
  if (names.size() > 1) place.folder = names[1];
  if (names.size() > 2) place.entry = names[2];
  return place;
}

class Answer {
 public:
  Answer(World& world, const Login& login, MailAccount& account, const Place& place)
      : login_(login), place_(place), shelf_(shelf_of(world, account, place.kind)) {}

  HttpServerResponse get() const {
    for (const auto& [id, entry] : shelf_.entries) {
      if (file_of(entry) != place_.entry || !is_in(entry)) continue;
      HttpServerResponse out;
      out.content_type =
          is_calendar() ? "text/calendar; charset=utf-8" : "text/vcard; charset=utf-8";
      out.body = text_of(entry);
      out.headers.emplace_back("etag", etag_of(entry));
      return out;
    }
    return only(404);
  }

  HttpServerResponse list(bool is_deep) const {
    std::string rows;
    if (place_.folder.empty()) {
      rows = row(place_.home, "<D:resourcetype><D:collection/></D:resourcetype>");
      if (is_deep)
        for (const auto& [id, folder] : shelf_.folders) rows += folder_row(folder);
    } else {
      const Folder* folder = find_folder();
      if (folder == nullptr) return only(404);
      rows = folder_row(*folder);
      if (is_deep)
        for (const auto& [id, entry] : shelf_.entries)
          if (is_in(entry))
            rows += row(place_.home + place_.folder + "/" + file_of(entry),
                        "<D:resourcetype/><D:getetag>" + xml_text(etag_of(entry)) + "</D:getetag>");
    }
    HttpServerResponse out;
    out.status = 207;
    out.content_type = "application/xml; charset=utf-8";
    out.body =
        R"(<?xml version="1.0" encoding="UTF-8"?><D:multistatus xmlns:D="DAV:" xmlns:A="urn:ietf:params:xml:ns:caldav" xmlns:B="urn:ietf:params:xml:ns:carddav">)" +
        rows + "</D:multistatus>";
    return out;
  }

 private:
  [[nodiscard]] bool is_calendar() const { return place_.kind == ShelfKind::calendars; }
  [[nodiscard]] const Folder* find_folder() const {
    for (const auto& [id, folder] : shelf_.folders)
      if (segment(shelf_, id) == place_.folder) return &folder;
    return nullptr;
  }
  [[nodiscard]] bool is_in(const Entry& entry) const {
    const Folder* folder = find_folder();
    return folder != nullptr && entry.folders.contains(folder->id);
  }
  [[nodiscard]] std::string file_of(const Entry& entry) const {
    return encode_id(entry.id) + (is_calendar() ? ".ics" : ".vcf");
  }
  [[nodiscard]] std::string text_of(const Entry& entry) const {
    return is_calendar() ? icalendar_of_event(entry.body) : vcard_of_card(entry.body);
  }
  [[nodiscard]] static std::string etag_of(const Entry& entry) {
    return "\"" + ir::sha256(ir::canonical_json(entry.body)).hex().substr(0, 16) + "\"";
  }
  static std::string row(const std::string& href, const std::string& properties) {
    return "<D:response><D:href>" + xml_text(href) + "</D:href><D:propstat><D:prop>" + properties +
           "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>";
  }
  [[nodiscard]] std::string folder_row(const Folder& folder) const {
    // The name is the login's own (reference/stalwart-admin.md 8.1).
    const auto shown = folder.shown.find(login_.account);
    const std::string name(shown == folder.shown.end() ? std::string_view{}
                                                       : shown->second["name"].string_or(""));
    return row(place_.home + segment(shelf_, folder.id) + "/",
               std::string("<D:resourcetype><D:collection/>") +
                   (is_calendar() ? "<A:calendar/>" : "<B:addressbook/>") +
                   "</D:resourcetype><D:displayname>" + xml_text(name) + "</D:displayname>");
  }

  const Login& login_;
  const Place& place_;
  const Shelf& shelf_;
};

}  // namespace

bool is_dav_path(std::string_view path) {
  return path.starts_with(kCalendars) || path.starts_with(kContacts);
}

HttpServerResponse answer_dav(World& world, const Login& login, const HttpServerRequest& request) {
  const auto place = place_of(request.path);
  if (!place) return only(404);
  const std::lock_guard lock(world.mutex);
  const auto account = account_by_login(world, place->account);
  if (!account) return only(404);
  if (*account != login.account && !login.may("impersonate")) return only(403);
  const Answer answer(world, login, world.account(*account), *place);
  if (request.method == "GET" && !place->entry.empty()) return answer.get();
  if (request.method == "PROPFIND" && place->entry.empty())
    return answer.list(request.header("depth") != "0");
  return only(405);
}

}  // namespace plan::rehearsal
