#include "runtime/archive/source_block.h"

#include <fmt/format.h>

#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

namespace imap = net::imap;

/// A source of this kind (runtime/server/source) has one server for everything.
constexpr std::string_view kOldStalwart = "stalwart-0.15";
/// The mailboxes of groups are listed there, among those of each member.
constexpr std::string_view kSharedFolders = "Shared Folders/";

bool is_old_stalwart(const ir::Value& block) { return block["kind"].string_or("") == kOldStalwart; }

/// Stands for the account's address in `dav.path` (percent-encoded) and `dav.login.user`.
constexpr std::string_view kAccountMark = "{account}";

Error missing(std::string_view name) {
  return Error(step::errors::argument_missing,
               fmt::format("the step's source block has no `{}`", name))
      .with_blame(Blame::plan);
}

imap::Endpoint endpoint_of(const ir::Value& block, std::string_view service, std::uint16_t port) {
  const ir::Value& one = block[service];
  imap::Endpoint endpoint;
  endpoint.host = std::string(block["address"].string_or(""));
  endpoint.port = static_cast<std::uint16_t>(one["port"].integer_or(port) & 0xFFFF);
  endpoint.security = imap::security_by_name(one["security"].string_or("starttls"))
                          .value_or(imap::Security::starttls);
  endpoint.tls.server_name = endpoint.host;
  endpoint.tls.pinned_sha256_hex = std::string(block["certificate_sha256"].string_or(""));
  return endpoint;
}

std::string url_of(const imap::Endpoint& endpoint, std::string_view scheme) {
  return fmt::format("{}{}://{}:{}", scheme, endpoint.security == imap::Security::tls ? "s" : "",
                     endpoint.host, endpoint.port);
}

/// Where the servers that we know have a user's principal.
std::string_view usual_path(std::string_view server) {
  if (server == "sogo") return "/SOGo/dav/{account}/";
  if (server == "nextcloud") return "/remote.php/dav/principals/users/{account}/";
  if (server == "baikal") return "/dav.php/principals/{account}/";
  if (server == "davical") return "/caldav.php/{account}/";
  return "/{account}/";
}

/// Scheme, host and port of a URL, and its path without a `/` at the end: where a server is one
/// of several behind a host, what it has lies below that.
struct BaseUrl {
  std::string origin = {};
  std::string path = {};
};

BaseUrl split_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t slash = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  BaseUrl base{.origin = std::string(url.substr(0, slash))};
  if (slash == std::string_view::npos) return base;
  std::string_view path = url.substr(slash);
  path = path.substr(0, path.find_first_of("?#"));
  while (path.ends_with('/')) path.remove_suffix(1);
  base.path = std::string(path);
  return base;
}

/// What the plan's author writes as `path` counts from the host on.
std::string principal_path(std::string_view server, std::string_view given,
                           const std::string& base) {
  if (!given.empty()) return std::string(given);
  const std::string_view usual = usual_path(server);
  // https://mail.example.org/SOGo/dav is where SOGo is anyway.
  return usual.starts_with(base + "/") ? std::string(usual) : base + std::string(usual);
}

std::string with_account(std::string_view pattern, std::string_view account) {
  std::string text(pattern);
  for (std::size_t at = text.find(kAccountMark); at != std::string::npos;
       at = text.find(kAccountMark, at + account.size()))
    text.replace(at, kAccountMark.size(), account);
  return text;
}

struct DavLogin {
  std::string url = {};
  std::string user = {};
  ir::SecretRef password = {};
  std::string certificate_sha256 = {};
};

void connect_by(DavSource& source, DavLogin login, secret::SecretSource& secrets,
                const std::shared_ptr<MasterLogins>& logins) {
  source.url = login.url;
  source.connect = [login = std::move(login), path = source.path, logins,
                    &secrets]() -> Result<net::dav::Client> {
    PLAN_TRY(password, secrets.read(login.password));
    net::HttpOptions http;
    http.url = login.url;
    http.user = login.user;
    http.password = std::move(password);
    http.pinned_sha256_hex = login.certificate_sha256;
    http.blame = Blame::source;
    PLAN_TRY(client, net::make_http_client(std::move(http)));
    net::dav::Client dav(std::shared_ptr<net::HttpClient>(std::move(client)), Blame::source);
    PLAN_TRY_VOID(logins->attempt([&] { return dav.check_login(path); }));
    return dav;
  };
}

Result<DavSource> dav_source(const ir::Value& block, std::string_view account,
                             secret::SecretSource& secrets,
                             const std::shared_ptr<MasterLogins>& logins) {
  const ir::Value& login = block["login"];
  if (login["user"].string_or("").empty() || !login["password"].is_secret())
    return missing("dav.login");
  const std::string given(block["path"].string_or(""));
  const BaseUrl base = split_url(block["url"].string_or(""));
  DavSource source{.server = std::string(block["server"].string_or("")),
                   .account = std::string(account),
                   .is_principal_asked =
                       given.empty() &&
                       login["user"].string_or("").find(kAccountMark) != std::string_view::npos};
  source.path =
      with_account(principal_path(source.server, given, base.path), net::percent_encode(account));
  connect_by(source,
             {.url = base.origin,
              .user = with_account(login["user"].string_or(""), account),
              .password = login["password"].as_secret(),
              .certificate_sha256 = std::string(block["certificate_sha256"].string_or(""))},
             secrets, logins);
  return source;
}

/// Where an old Stalwart has them: two homes by the account's name, with the master user's login.
DavSource own_dav(const ir::Value& stalwart, const AccountName& account, const std::string& login,
                  const ir::SecretRef& password, secret::SecretSource& secrets,
                  const std::shared_ptr<MasterLogins>& logins) {
  DavSource source{.server = "stalwart", .account = account.address};
  const std::string name = net::percent_encode(account.login);
  source.homes = {.calendars = fmt::format("/dav/cal/{}/", name),
                  .address_books = fmt::format("/dav/card/{}/", name)};
  source.path = source.homes.calendars;
  connect_by(source,
             {.url = split_url(stalwart["url"].string_or("")).origin,
              .user = login,
              .password = password,
              .certificate_sha256 = std::string(stalwart["certificate_sha256"].string_or(""))},
             secrets, logins);
  return source;
}

}  // namespace

Result<AccountSource> account_source(const ir::Value& block, const AccountName& name,
                                     secret::SecretSource& secrets,
                                     const std::shared_ptr<MasterLogins>& logins,
                                     const std::shared_ptr<MasterLogins>& dav_logins) {
  if (block["address"].string_or("").empty()) return missing("address");
  const ir::Value& master = block["master_user"];
  if (master["name"].string_or("").empty() || !master["password"].is_secret())
    return missing("master_user");
  const ir::SecretRef password_ref = master["password"].as_secret();
  const bool is_stalwart = is_old_stalwart(block);
  const AccountName account{.address = name.address,
                            .login = name.login.empty() ? name.address : name.login};
  const std::string login =
      fmt::format("{}{}{}", account.login,
                  is_stalwart ? std::string_view("%") : master["separator"].string_or("*"),
                  master["name"].string_or(""));
  const imap::Endpoint mail = endpoint_of(block, "imap", 143);
  const imap::Endpoint scripts = endpoint_of(block, "sieve", 4190);

  AccountSource source;
  source.imap.identity = {.kind = "imap",
                          .session_url = url_of(mail, "imap"),
                          .account_id = login,
                          .account_name = login,
                          .username = login};
  if (is_stalwart) source.imap.shared_prefix = kSharedFolders;
  source.imap.connect = [mail, login, password_ref, &secrets,
                         logins]() -> Result<std::unique_ptr<imap::Client>> {
    PLAN_TRY(password, secrets.read(password_ref));
    PLAN_TRY(client, imap::Client::connect(mail));
    PLAN_TRY_VOID(logins->attempt([&] {
      return client->has("AUTH=PLAIN") ? client->authenticate_plain("", login, password)
                                       : client->login(login, password);
    }));
    return std::move(client);
  };
  source.has_sieve = block["sieve"].is_map() && scripts.port != 0;
  source.sieve.identity = {.kind = "managesieve",
                           .session_url = url_of(scripts, "sieve"),
                           .account_id = login,
                           .account_name = login,
                           .username = login};
  source.sieve.connect = [scripts, login, password_ref, &secrets,
                          logins]() -> Result<std::unique_ptr<net::sieve::Client>> {
    PLAN_TRY(password, secrets.read(password_ref));
    PLAN_TRY(client, net::sieve::Client::connect(scripts));
    PLAN_TRY_VOID(logins->attempt([&] { return client->authenticate_plain("", login, password); }));
    return std::move(client);
  };
  source.dav_server = block["dav"]["server"].string_or("");
  source.is_dav_left = block["dav"]["stays_behind"].bool_or(false);
  if (!source.is_dav_left && !block["dav"]["url"].string_or("").empty()) {
    PLAN_TRY(dav, dav_source(block["dav"], account.address, secrets, dav_logins));
    source.dav = std::move(dav);
  } else if (is_stalwart && !source.is_dav_left && source.dav_server.empty()) {
    source.dav = own_dav(block["stalwart"], account, login, password_ref, secrets, dav_logins);
    source.dav_server = source.dav->server;
  }
  return source;
}

}  // namespace plan::archive
