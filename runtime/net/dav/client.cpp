#include "runtime/net/dav/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::net::dav {
namespace {

constexpr std::string_view kHead = R"(<?xml version="1.0" encoding="utf-8"?>)";
constexpr std::string_view kSpaces =
    R"( xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:R="urn:ietf:params:xml:ns:carddav" xmlns:A="http://apple.com/ns/ical/" xmlns:S="http://calendarserver.org/ns/" xmlns:O="http://owncloud.org/ns")";
constexpr std::size_t kNameBytesMax = 1000;
constexpr int kRedirectsMax = 5;

std::string propfind(std::string_view properties) {
  return fmt::format("{}<D:propfind{}><D:prop>{}</D:prop></D:propfind>", kHead, kSpaces,
                     properties);
}

std::string_view media_type(Kind kind) {
  return kind == Kind::calendar ? "text/calendar; charset=utf-8" : "text/vcard; charset=utf-8";
}

std::string last_segment(std::string_view href) {
  while (href.ends_with('/')) href.remove_suffix(1);
  return std::string(href.substr(href.rfind('/') + 1));
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Where a redirect leads on the same server (another one is refused by HttpClient); nothing: to no
/// path.
std::optional<std::string> place_of_redirect(std::string_view location, const std::string& origin) {
  const std::string_view port = origin.starts_with("https://") ? ":443" : ":80";
  if (location.substr(0, origin.size()) == origin &&
      location.substr(origin.size()).starts_with(std::string(port) + "/"))
    location.remove_prefix(origin.size() + port.size());
  auto place = normal_href(location, origin);
  if (!place) return std::nullopt;
  return std::move(*place);
}

bool is_missing(int status) { return status == 404 || status == 410; }

/// The server's answer is of no use, and another question may be better answered.
bool is_useless(const Error& error) {
  return error.is(errors::http_status) || error.is(errors::protocol_violation) ||
         error.is(errors::answer_too_large);
}

/// Users that an `invite` property names (CalendarServer's, and the one of ownCloud).
std::size_t invited(const MultistatusRow& row, std::string_view space) {
  const XmlElement* invite = row.property(space, "invite");
  if (invite == nullptr) return 0;
  return static_cast<std::size_t>(
      std::count_if(invite->children.begin(), invite->children.end(),
                    [space](const XmlElement& one) { return one.is(space, "user"); }));
}

/// Principals besides its owner to whom the ACL of a collection itself grants something (RFC 3744).
std::size_t granted(const MultistatusRow& row) {
  const XmlElement* acl = row.property(kDav, "acl");
  if (acl == nullptr) return 0;
  std::string_view owner;
  if (const XmlElement* of = row.property(kDav, "owner"); of != nullptr)
    if (const XmlElement* href = of->child(kDav, "href"); href != nullptr) owner = trim(href->text);
  std::set<std::string_view> others;
  for (const XmlElement& ace : acl->children) {
    const XmlElement* principal = ace.child(kDav, "principal");
    const bool is_its_own = ace.child(kDav, "protected") == nullptr &&
                            ace.child(kDav, "inherited") == nullptr &&
                            ace.child(kDav, "grant") != nullptr;
    if (!is_its_own || principal == nullptr) continue;
    for (const XmlElement& who : principal->children) {
      if (who.is(kDav, "href") && trim(who.text) != owner)
        others.insert(trim(who.text));
      else if (who.is(kDav, "all") || who.is(kDav, "authenticated"))
        others.insert(who.name);
    }
  }
  return others.size();
}

}  // namespace

std::string_view to_string(Kind kind) {
  return kind == Kind::calendar ? "calendar" : "address book";
}

std::string with_crlf(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 32 + 2);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\n') out += '\r';
    out += text[i];
  }
  if (!out.empty() && !out.ends_with('\n')) out += "\r\n";
  return out;
}

Client::Client(std::shared_ptr<HttpClient> http, Blame blame, ClientLimits limits)
    : http_(std::move(http)), blame_(blame), limits_(limits) {}

Result<HttpResponse> Client::ask(std::string_view method, std::string_view target,
                                 std::string_view depth, std::string_view body) const {
  HttpRequest request;
  request.method = std::string(method);
  request.target = std::string(target);
  request.body = body;
  request.content_type = "application/xml; charset=utf-8";
  request.headers.emplace_back("Depth", depth);
  request.is_repeatable = true;  // PROPFIND and REPORT change nothing
  request.body_bytes_max = limits_.xml.bytes_max;
  return http_->send(request);
}

Result<std::vector<MultistatusRow>> Client::rows_of(const HttpResponse& response) const {
  if (response.status != 207) return http_error(response, blame_);
  auto rows = read_multistatus(response.body, http_->origin(), limits_.xml);
  if (!rows) return std::move(rows.error()).with_blame(blame_);
  return rows;
}

Outcome Client::check_login(std::string_view path) const {
  PLAN_TRY(place, normal_href(path, http_->origin()));
  PLAN_TRY(response, ask("PROPFIND", place, "0", propfind("<D:resourcetype/>")));
  if (response.status == 401) return http_error(response, blame_);
  return {};
}

Result<std::optional<std::string>> Client::principal_at(std::string_view path) const {
  const std::optional<std::string> none;
  std::string place(path);
  for (int redirects = 0; redirects <= kRedirectsMax; ++redirects) {
    PLAN_TRY(response, ask("PROPFIND", place, "0", propfind("<D:current-user-principal/>")));
    if (response.status == 401) return http_error(response, blame_);
    if (is_redirect(response.status) && !response.header("location").empty()) {
      auto next = place_of_redirect(response.header("location"), http_->origin());
      if (!next)
        return Error(errors::protocol_violation,
                     fmt::format("{}{} points to what is no path: {}", http_->origin(), place,
                                 printable(response.header("location"), 200)))
            .with_blame(blame_);
      place = std::move(*next);
      continue;
    }
    if (response.status != 207) return none;
    PLAN_TRY(rows, rows_of(response));
    for (const MultistatusRow& row : rows) {
      const XmlElement* principal = row.property(kDav, "current-user-principal");
      const XmlElement* href = principal == nullptr ? nullptr : principal->child(kDav, "href");
      if (href == nullptr) continue;
      auto found = normal_href(href->text, http_->origin());
      if (!found) return std::move(found.error()).with_blame(blame_);
      if (!found->ends_with('/')) *found += '/';
      return std::optional<std::string>(std::move(*found));
    }
    return none;
  }
  return Error(errors::protocol_violation, fmt::format("more than {} redirects from {}{}",
                                                       kRedirectsMax, http_->origin(), path))
      .with_blame(blame_);
}

Result<std::optional<std::string>> Client::principal() const {
  std::optional<Error> failed;
  for (const std::string_view path : {"/.well-known/caldav", "/.well-known/carddav", "/"}) {
    auto found = principal_at(path);
    if (found && *found) return found;
    if (found || failed) continue;
    if (!is_useless(found.error()) && !found.error().is(errors::redirected_elsewhere))
      return std::move(found.error());
    failed = std::move(found.error());
  }
  if (failed) return std::move(*failed);
  return std::optional<std::string>();
}

Result<Homes> Client::homes(std::string_view path) const {
  Homes homes;
  PLAN_TRY(place, normal_href(path, http_->origin()));
  PLAN_TRY(response, ask("PROPFIND", place, "0",
                         propfind("<D:resourcetype/><C:calendar-home-set/><R:addressbook-home-set/>"
                                  "<C:calendar-user-address-set/>")));
  if (is_missing(response.status)) return homes;
  PLAN_TRY(rows, rows_of(response));
  if (rows.empty()) return homes;
  homes.is_there = true;
  if (const XmlElement* set = rows.front().property(kCalDav, "calendar-user-address-set");
      set != nullptr)
    for (const XmlElement& one : set->children)
      homes.addresses.push_back(lower_ascii(trim(one.text)));
  const auto read = [&](std::string_view space, std::string_view name,
                        std::vector<std::string>& out) -> Outcome {
    for (const MultistatusRow& row : rows) {
      const XmlElement* set = row.property(space, name);
      if (set == nullptr) continue;
      for (const XmlElement& one : set->children) {
        if (!one.is(kDav, "href")) continue;
        PLAN_TRY(home, normal_href(one.text, http_->origin()));
        if (!home.ends_with('/')) home += '/';
        if (std::find(out.begin(), out.end(), home) == out.end()) out.push_back(home);
      }
    }
    if (out.empty()) out.push_back(place.ends_with('/') ? place : place + "/");
    return {};
  };
  PLAN_TRY_VOID(read(kCalDav, "calendar-home-set", homes.calendar_homes));
  PLAN_TRY_VOID(read(kCardDav, "addressbook-home-set", homes.address_book_homes));
  std::set<std::string> all(homes.calendar_homes.begin(), homes.calendar_homes.end());
  all.insert(homes.address_book_homes.begin(), homes.address_book_homes.end());
  for (const std::string& home : all) PLAN_TRY_VOID(add_collections(home, homes));
  std::sort(homes.collections.begin(), homes.collections.end(),
            [](const Collection& left, const Collection& right) { return left.href < right.href; });
  return homes;
}

Result<Homes> Client::homes_at(const HomePaths& paths) const {
  Homes homes;
  for (const auto& [path, list] : {std::pair{&paths.calendars, &homes.calendar_homes},
                                   std::pair{&paths.address_books, &homes.address_book_homes}}) {
    PLAN_TRY(place, normal_href(*path, http_->origin()));
    PLAN_TRY(response, ask("PROPFIND", place, "0", propfind("<D:resourcetype/>")));
    if (is_missing(response.status)) continue;
    PLAN_TRY(rows, rows_of(response));
    if (rows.empty()) continue;
    homes.is_there = true;
    list->push_back(place);
    PLAN_TRY_VOID(add_collections(place, homes));
  }
  std::sort(homes.collections.begin(), homes.collections.end(),
            [](const Collection& left, const Collection& right) { return left.href < right.href; });
  return homes;
}

Outcome Client::add_collections(const std::string& home, Homes& homes) const {
  PLAN_TRY(response, ask("PROPFIND", home, "1",
                         propfind("<D:resourcetype/><D:displayname/><C:calendar-description/>"
                                  "<R:addressbook-description/><A:calendar-color/><D:owner/>"
                                  "<D:acl/><S:invite/><O:invite/>")));
  if (is_missing(response.status)) return {};
  PLAN_TRY(rows, rows_of(response));
  for (const MultistatusRow& row : rows) {
    const XmlElement* type = row.property(kDav, "resourcetype");
    if (type == nullptr) continue;
    const bool is_calendar = type->child(kCalDav, "calendar") != nullptr;
    const bool is_book = type->child(kCardDav, "addressbook") != nullptr;
    if (!is_calendar && !is_book) {
      if (type->child(kCalendarServer, "subscribed") != nullptr) ++homes.subscriptions;
      continue;
    }
    Collection one{.kind = is_calendar ? Kind::calendar : Kind::address_book, .href = row.href};
    if (!one.href.ends_with('/')) one.href += '/';
    if (one.href != home && !is_directly_below(one.href, home))
      return Error(errors::protocol_violation,
                   fmt::format("the listing of {} names {}", printable(home, 200),
                               printable(one.href, 200)))
          .with_blame(blame_);
    const bool is_known =
        std::any_of(homes.collections.begin(), homes.collections.end(),
                    [&](const Collection& other) { return other.href == one.href; });
    if (is_known) continue;
    const std::string_view name = row.text(kDav, "displayname");
    one.name = name.empty() ? last_segment(one.href) : std::string(name.substr(0, kNameBytesMax));
    one.description = is_calendar ? row.text(kCalDav, "calendar-description")
                                  : row.text(kCardDav, "addressbook-description");
    if (is_calendar) one.color = row.text(kAppleCalendar, "calendar-color");
    one.shared_with =
        std::max({granted(row), invited(row, kCalendarServer), invited(row, kOwnCloud)});
    one.is_of_another = type->child(kCalendarServer, "shared") != nullptr;
    homes.collections.push_back(std::move(one));
    if (homes.collections.size() > limits_.collections_max)
      return Error(errors::answer_too_large,
                   fmt::format("more than {} calendars and address books of one user",
                               limits_.collections_max))
          .with_blame(blame_);
  }
  return {};
}

Result<std::vector<ItemState>> Client::list(const Collection& collection) const {
  PLAN_TRY(response,
           ask("PROPFIND", collection.href, "1", propfind("<D:getetag/><D:resourcetype/>")));
  PLAN_TRY(rows, rows_of(response));
  std::vector<ItemState> items;
  for (const MultistatusRow& row : rows) {
    if (row.href == collection.href || row.href + "/" == collection.href) continue;
    const XmlElement* type = row.property(kDav, "resourcetype");
    if (type != nullptr && type->child(kDav, "collection") != nullptr) continue;
    if (row.status != 0 && is_missing(row.status)) continue;
    if (!is_directly_below(row.href, collection.href))
      return Error(errors::protocol_violation,
                   fmt::format("the listing of {} names {}", printable(collection.href, 200),
                               printable(row.href, 200)))
          .with_blame(blame_);
    items.push_back({.href = row.href, .etag = std::string(row.text(kDav, "getetag"))});
    if (items.size() > limits_.items_max)
      return Error(errors::answer_too_large,
                   fmt::format("more than {} items in {}", limits_.items_max,
                               printable(collection.href, 200)))
          .with_blame(blame_);
  }
  return items;
}

Result<std::string> Client::sync_token(const Collection& collection) const {
  PLAN_TRY(response, ask("PROPFIND", collection.href, "0", propfind("<D:sync-token/>")));
  if (response.status == 401) return http_error(response, blame_);
  const auto rows = rows_of(response);
  if (!rows || rows->empty()) return std::string();
  return std::string(rows->front().text(kDav, "sync-token"));
}

Result<std::optional<CollectionChanges>> Client::changes(const Collection& collection,
                                                         std::string_view token) const {
  const std::optional<CollectionChanges> nothing;
  CollectionChanges all{.token = std::string(token)};
  std::set<std::string> gone;
  std::map<std::string, std::string> changed;
  for (int page = 0; page < limits_.sync_pages_max; ++page) {
    const std::string body = fmt::format(
        "{}<D:sync-collection{}><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getetag/><D:resourcetype/></D:prop></D:sync-collection>",
        kHead, kSpaces, xml_text(all.token));
    PLAN_TRY(response, ask("REPORT", collection.href, "0", body));
    if (response.status == 401) return http_error(response, blame_);
    if (response.status != 207) return nothing;
    const auto report = read_sync_report(response.body, http_->origin(), limits_.xml);
    if (!report || report->token.empty()) return nothing;
    bool has_more = false;
    for (const MultistatusRow& row : report->rows) {
      if (row.href == collection.href || row.href + "/" == collection.href) {
        has_more = has_more || row.status == 507;
        continue;
      }
      if (!is_directly_below(row.href, collection.href)) return nothing;
      const XmlElement* type = row.property(kDav, "resourcetype");
      if (type != nullptr && type->child(kDav, "collection") != nullptr) continue;
      // The last word of an item counts; a later page may take it back.
      changed.erase(row.href);
      gone.erase(row.href);
      if (is_missing(row.status))
        gone.insert(row.href);
      else
        changed[row.href] = row.text(kDav, "getetag");
      if (changed.size() + gone.size() > limits_.items_max) return nothing;
    }
    const bool is_further = all.token != report->token;
    all.token = report->token;
    if (has_more && !is_further) return nothing;
    if (has_more) continue;
    for (auto& [href, etag] : changed) all.changed.push_back({.href = href, .etag = etag});
    all.gone.assign(gone.begin(), gone.end());
    return std::optional<CollectionChanges>(std::move(all));
  }
  return nothing;
}

Result<std::optional<std::uint64_t>> Client::count(const Collection& calendar,
                                                   std::string_view component) const {
  const std::string body = fmt::format(
      "{}<C:calendar-query{}><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter "
      "name=\"VCALENDAR\"><C:comp-filter name=\"{}\"/></C:comp-filter></C:filter>"
      "</C:calendar-query>",
      kHead, kSpaces, component);
  PLAN_TRY(response, ask("REPORT", calendar.href, "1", body));
  if (response.status == 401) return http_error(response, blame_);
  const auto rows = rows_of(response);
  if (!rows) {
    if (!is_useless(rows.error())) return rows.error();
    return std::optional<std::uint64_t>();
  }
  const auto is_item = [&](const MultistatusRow& row) {
    return row.status == 0 && is_directly_below(row.href, calendar.href);
  };
  return std::optional<std::uint64_t>(
      static_cast<std::uint64_t>(std::count_if(rows->begin(), rows->end(), is_item)));
}

Result<Fetched> Client::multiget(const Collection& collection,
                                 const std::vector<std::string>& hrefs) const {
  const bool is_calendar = collection.kind == Kind::calendar;
  const std::string_view prefix = is_calendar ? "C" : "R";
  const std::string_view word = is_calendar ? "calendar" : "addressbook";
  const std::string_view data = is_calendar ? "calendar-data" : "address-data";
  std::string wanted;
  for (const std::string& href : hrefs) wanted += "<D:href>" + xml_text(href) + "</D:href>";
  const std::string body = fmt::format(
      "{0}<{1}:{2}-multiget{3}><D:prop><D:getetag/><{1}:{4}/></D:prop>{5}</{1}:{2}-multiget>",
      kHead, prefix, word, kSpaces, data, wanted);
  PLAN_TRY(response, ask("REPORT", collection.href, "1", body));
  PLAN_TRY(rows, rows_of(response));
  Fetched fetched;
  std::set<std::string_view> left(hrefs.begin(), hrefs.end());
  for (const MultistatusRow& row : rows) {
    if (left.erase(row.href) == 0) continue;  // not asked for
    const XmlElement* text = row.property(is_calendar ? kCalDav : kCardDav, data);
    if (text != nullptr) {
      fetched.items.push_back({.href = row.href,
                               .etag = std::string(row.text(kDav, "getetag")),
                               .text = with_crlf(text->text)});
    } else if (is_missing(row.status)) {
      fetched.gone.push_back(row.href);
    } else {
      left.insert(*std::find(hrefs.begin(), hrefs.end(), row.href));
    }
  }
  // Those that the answer does not speak of are asked for by name: silence is no proof.
  for (const std::string_view href : left) {
    PLAN_TRY(one, get(href));
    for (Item& item : one.items) fetched.items.push_back(std::move(item));
    for (std::string& gone : one.gone) fetched.gone.push_back(std::move(gone));
  }
  return fetched;
}

Result<Fetched> Client::fetch(const Collection& collection,
                              const std::vector<std::string>& hrefs) const {
  Fetched all;
  const auto take = [&all](Fetched part) {
    for (Item& item : part.items) all.items.push_back(std::move(item));
    for (std::string& gone : part.gone) all.gone.push_back(std::move(gone));
  };
  bool is_multiget_refused = false;
  for (std::size_t begin = 0; begin < hrefs.size(); begin += limits_.multiget_items) {
    const std::size_t end = std::min(hrefs.size(), begin + limits_.multiget_items);
    const std::vector<std::string> batch(hrefs.begin() + static_cast<std::ptrdiff_t>(begin),
                                         hrefs.begin() + static_cast<std::ptrdiff_t>(end));
    if (!is_multiget_refused) {
      auto part = multiget(collection, batch);
      if (part) {
        take(std::move(*part));
        continue;
      }
      // A server without the report, or one item that makes the whole answer unreadable.
      if (!is_useless(part.error())) return std::move(part.error());
      is_multiget_refused = part.error().is(errors::http_status);
    }
    for (const std::string& href : batch) {
      PLAN_TRY(one, get(href));
      take(std::move(one));
    }
  }
  return all;
}

Result<Fetched> Client::get(std::string_view href) const {
  HttpRequest request;
  request.target = std::string(href);
  request.is_repeatable = true;
  request.body_bytes_max = limits_.item_bytes_max;
  PLAN_TRY(response, http_->send(request));
  Fetched fetched;
  if (is_missing(response.status)) {
    fetched.gone.emplace_back(href);
    return fetched;
  }
  if (!response.is_success()) return http_error(response, blame_);
  fetched.items.push_back({.href = std::string(href),
                           .etag = std::string(response.header("etag")),
                           .text = with_crlf(response.body)});
  return fetched;
}

Result<WriteAnswer> Client::write_answer(Result<HttpResponse> response) const {
  if (!response) return std::move(response.error());
  WriteAnswer answer;
  if (response->is_success()) {
    answer.etag = response->header("etag");
    return answer;
  }
  // 403 and 405 of these methods, like 409, say something of the one item; 401 of us.
  if (response->status == 401 || response->status == 429 || response->status >= 500 ||
      response->status < 400)
    return http_error(*response, blame_);
  answer.outcome = response->status == 412        ? Written::changed_meanwhile
                   : is_missing(response->status) ? Written::gone
                                                  : Written::refused;
  answer.words = fmt::format("HTTP {} {}", response->status, printable(response->body, 200));
  return answer;
}

Result<WriteAnswer> Client::put(Kind kind, std::string_view href, std::string_view text,
                                std::string_view etag) const {
  HttpRequest request;
  request.method = "PUT";
  request.target = std::string(href);
  request.body = text;
  request.content_type = std::string(media_type(kind));
  if (etag.empty())
    request.headers.emplace_back("If-None-Match", "*");
  else
    request.headers.emplace_back("If-Match", etag);
  return write_answer(http_->send(request));
}

Result<WriteAnswer> Client::remove(std::string_view href, std::string_view etag) const {
  HttpRequest request;
  request.method = "DELETE";
  request.target = std::string(href);
  if (!etag.empty()) request.headers.emplace_back("If-Match", etag);
  return write_answer(http_->send(request));
}

Result<WriteAnswer> Client::make(const Collection& collection) const {
  const std::string name = "<D:displayname>" + xml_text(collection.name) + "</D:displayname>";
  HttpRequest request;
  request.target = collection.href;
  request.content_type = "application/xml; charset=utf-8";
  std::string body;
  if (collection.kind == Kind::calendar) {
    request.method = "MKCALENDAR";
    body = fmt::format("{0}<C:mkcalendar{1}><D:set><D:prop>{2}</D:prop></D:set></C:mkcalendar>",
                       kHead, kSpaces, name);
  } else {
    request.method = "MKCOL";
    body = fmt::format(
        "{0}<D:mkcol{1}><D:set><D:prop><D:resourcetype><D:collection/><R:addressbook/>"
        "</D:resourcetype>{2}</D:prop></D:set></D:mkcol>",
        kHead, kSpaces, name);
  }
  request.body = body;
  PLAN_TRY(answer, write_answer(http_->send(request)));
  // 405: something is there (RFC 4918, 9.3.1); Radicale says 409 of a calendar that is there.
  if (answer.outcome == Written::refused &&
      (answer.words.starts_with("HTTP 405") || answer.words.starts_with("HTTP 409")))
    answer.outcome = Written::changed_meanwhile;
  return answer;
}

}  // namespace plan::net::dav
