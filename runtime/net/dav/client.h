#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/net/dav/multistatus.h"
#include "runtime/net/http_client.h"

namespace plan::net::dav {

enum class Kind : std::uint8_t { calendar = 0, address_book = 1 };
[[nodiscard]] std::string_view to_string(Kind kind);

/// A calendar or an address book.
struct Collection {
  Kind kind = Kind::calendar;
  std::string href = {};  ///< normal, with `/` at its end
  std::string name = {};  ///< displayname, else the last segment of its path
  std::string description = {};
  std::string color = {};  ///< of a calendar, "#rrggbb..." as it was set
  /// Others who may see it: its invitations, or the principals of its ACL besides its owner;
  /// whichever the server shows more of.
  std::size_t shared_with = 0;
  bool is_of_another = false;  ///< somebody else's, shared with this user (`shared` by its type)
};

/// What a listing says of an item; the ETag as sent, with its quotes, empty where there is none.
struct ItemState {
  std::string href = {};
  std::string etag = {};
};

struct Item {
  std::string href = {};
  std::string etag = {};
  std::string text = {};  ///< iCalendar or vCard; lines end with CRLF
};

/// The homes of one user: where they lie and what is in them.
struct Homes {
  bool is_there = false;  ///< false: the server has nothing at that path (404)
  std::vector<std::string> calendar_homes = {};
  std::vector<std::string> address_book_homes = {};
  std::vector<Collection> collections = {};  ///< by href
  std::vector<std::string> addresses = {};   ///< of the user, "mailto:a@x.org", in lower case
  std::size_t subscriptions = 0;  ///< to calendars that lie elsewhere: no events are in them
};

/// Where the collections of a user lie on a server that has fixed places for them.
struct HomePaths {
  std::string calendars = {};
  std::string address_books = {};
};

/// What happened in a collection since a sync token.
struct CollectionChanges {
  std::vector<ItemState> changed = {};  ///< new, or another text
  std::vector<std::string> gone = {};   ///< hrefs
  std::string token = {};               ///< of the state that this leads to
};

struct Fetched {
  std::vector<Item> items = {};
  std::vector<std::string> gone = {};  ///< hrefs that are not there any more
};

enum class Written : std::uint8_t {
  done,
  changed_meanwhile,  ///< 412: another state than the ETag's, or there is one already
  gone,               ///< 404, 410
  refused,            ///< any other 4xx
};

struct WriteAnswer {
  Written outcome = Written::done;
  std::string etag = {};   ///< of what was written, where the server says it
  std::string words = {};  ///< of a refusal
};

struct ClientLimits {
  XmlLimits xml = {};
  std::size_t collections_max = 1'000;
  std::size_t items_max = 200'000;  ///< of one collection
  std::size_t item_bytes_max = std::size_t{8} << 20U;
  std::size_t multiget_items = 50;
  int sync_pages_max = 100;  ///< answers to one question what changed
};

/// A CalDAV and CardDAV client (RFC 4791, 6352) of one server and one login, with the bounds of
/// `limits`. What a server names is only believed below what was asked for: an item below its
/// collection, a collection below a home, all on the same host. Thread-safe as its HttpClient is.
///
/// Errors, besides those of HttpClient: login-refused (401), http-status (of another answer that is
/// no success), protocol-violation (no multistatus, hrefs elsewhere), answer-too-large.
class Client {
 public:
  explicit Client(std::shared_ptr<HttpClient> http, Blame blame = Blame::source,
                  ClientLimits limits = {});

  /// One request that shows whether the login is taken; any other answer is a success.
  [[nodiscard]] Outcome check_login(std::string_view path) const;
  /// The principal of this login, as the server itself says (RFC 6764: /.well-known/caldav and
  /// carddav, else `/`; current-user-principal there). At most five redirects each, on this scheme,
  /// host and port only. Nothing where it says none. Errors: redirected-elsewhere when it is only
  /// to be found at another server.
  [[nodiscard]] Result<std::optional<std::string>> principal() const;
  /// Looks for calendar-home-set and addressbook-home-set at `path`, the user's principal; where it
  /// names none, `path` itself is the home.
  [[nodiscard]] Result<Homes> homes(std::string_view path) const;
  /// The same where it is known that the collections lie right below these. One that is not there
  /// is passed over.
  [[nodiscard]] Result<Homes> homes_at(const HomePaths& paths) const;
  /// Every item of a collection (PROPFIND, depth 1, getetag).
  [[nodiscard]] Result<std::vector<ItemState>> list(const Collection& collection) const;
  /// Stands for what is in the collection now (RFC 6578); empty where the server has no such thing.
  [[nodiscard]] Result<std::string> sync_token(const Collection& collection) const;
  /// What changed since the token was given, by sync-collection reports. Nothing where the server
  /// cannot say (any more), or says what cannot be believed: then only a whole listing tells.
  [[nodiscard]] Result<std::optional<CollectionChanges>> changes(const Collection& collection,
                                                                 std::string_view token) const;
  /// How many items of a calendar are of that component ("VTODO"), by calendar-query. Nothing where
  /// the server does not answer that.
  [[nodiscard]] Result<std::optional<std::uint64_t>> count(const Collection& calendar,
                                                           std::string_view component) const;
  /// The items of those hrefs, by multiget; one by one where that is refused or cannot be read.
  [[nodiscard]] Result<Fetched> fetch(const Collection& collection,
                                      const std::vector<std::string>& hrefs) const;
  /// Nothing when it is not there.
  [[nodiscard]] Result<Fetched> get(std::string_view href) const;
  /// Over the state with that ETag; an empty one: only where there is nothing (If-None-Match).
  [[nodiscard]] Result<WriteAnswer> put(Kind kind, std::string_view href, std::string_view text,
                                        std::string_view etag) const;
  /// Deletes the state with that ETag; an empty one: whatever is there.
  [[nodiscard]] Result<WriteAnswer> remove(std::string_view href, std::string_view etag) const;
  /// MKCALENDAR, or the extended MKCOL of RFC 5689. `changed_meanwhile`: there is one already.
  [[nodiscard]] Result<WriteAnswer> make(const Collection& collection) const;

 private:
  [[nodiscard]] Result<std::optional<std::string>> principal_at(std::string_view path) const;
  [[nodiscard]] Result<HttpResponse> ask(std::string_view method, std::string_view target,
                                         std::string_view depth, std::string_view body) const;
  [[nodiscard]] Result<std::vector<MultistatusRow>> rows_of(const HttpResponse& response) const;
  [[nodiscard]] Outcome add_collections(const std::string& home, Homes& homes) const;
  [[nodiscard]] Result<Fetched> multiget(const Collection& collection,
                                         const std::vector<std::string>& hrefs) const;
  [[nodiscard]] Result<WriteAnswer> write_answer(Result<HttpResponse> response) const;

  std::shared_ptr<HttpClient> http_;
  Blame blame_;
  ClientLimits limits_;
};

/// `text` with CRLF at the end of each line, the last one included.
[[nodiscard]] std::string with_crlf(std::string_view text);

}  // namespace plan::net::dav
