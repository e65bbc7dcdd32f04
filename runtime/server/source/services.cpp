#include "runtime/server/source/services.h"

#include <fmt/format.h>

#include <utility>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/imap/errors.h"
#include "runtime/net/sieve/client.h"
#include "runtime/net/smtp/client.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/population.h"

namespace plan::server::source {
namespace {

using ir::Value;

/// Of a service that is told no secret here: what it shows is what is reported.
net::imap::Endpoint endpoint_to_look_at(const Block& block, const Service& service) {
  net::imap::Endpoint endpoint = block.endpoint(service);
  endpoint.tls.pinned_sha256_hex.clear();
  endpoint.tls.is_unverified_allowed = true;
  return endpoint;
}

/// How files begin that Dovecot's mail_crypt, LZ4, zstd and gzip write. Who reads them without the
/// plugin gets them as they are, for mail (reference/sources.md section 1.6).
constexpr std::string_view kFileFrames[] = {"CRYPTED\x03\x07", "Dovecot-LZ4", "\x28\xb5\x2f\xfd",
                                            "\x1f\x8b"};

Error unreadable(std::string_view login_name, std::string message, std::string_view detail) {
  return Error(errors::mail_unreadable,
               fmt::format("the newest message in INBOX of {} {}", login_name, message))
      .with_blame(Blame::source)
      .with_argument("source.master_user")
      .with_detail(detail);
}

/// Reads the beginning of a message: keys of mail_crypt that only the user's password opens, and a
/// plugin that is missing, are not seen in front of that.
Outcome check_readable(const std::string& login_name, net::imap::Client& imap) {
  std::string body;
  const Outcome read = imap.fetch("*", "(UID BODY.PEEK[]<0.64>)",
                                  [&](net::imap::FetchedMessage&& message) -> Outcome {
                                    body = std::move(message.body).value_or(std::string());
                                    return {};
                                  });
  // Dovecot answers no, or ends the connection, where it cannot open a file.
  if (!read && !read.error().is(net::imap::errors::imap_refused) &&
      !read.error().is(net::errors::connection_lost))
    return read;
  if (!read) return unreadable(login_name, "cannot be read", read.error().to_line());
  for (const std::string_view frame : kFileFrames) {
    if (std::string_view(body).starts_with(frame))
      return unreadable(login_name, "comes as a compressed or encrypted file", {});
  }
  return {};
}

/// Logs in as the master user and opens a mailbox: with the acl plugin the login alone may
/// succeed and every SELECT fail (reference/real-components.md section 2).
Outcome check_master(const Block& block, const std::string& login_name, net::imap::Client& imap,
                     const secret::Secret& password) {
  auto login = imap.login(block.master_login(login_name), password);
  if (!login && login.error().is(net::errors::login_refused)) {
    return Error(errors::master_login_refused,
                 fmt::format("the master user {} is refused for {}", block.master_name, login_name))
        .with_blame(Blame::source)
        .with_argument("source.master_user")
        .with_detail(login.error().detail());
  }
  if (!login) return login;
  const auto in_front = [&](Error error) {
    return std::move(error).while_doing(
        fmt::format("opening INBOX of {} as {}", login_name, block.master_name));
  };
  const auto inbox = imap.select("INBOX");
  if (!inbox) return in_front(inbox.error());
  if (inbox->exists == 0) return {};
  return check_readable(login_name, imap).map_error(in_front);
}

std::string smtp_certificate(const Block& block, const Service& service) {
  net::smtp::ConnectOptions options;
  options.host = block.address;
  options.port = service.port;
  options.ehlo_name = "fetch.plan.invalid";
  options.security = service.security == net::imap::Security::tls ? net::smtp::Security::tls
                                                                  : net::smtp::Security::starttls;
  options.tls.server_name = options.host;
  options.tls.is_unverified_allowed = true;  // nothing secret crosses
  const net::Deadline deadline = net::Deadline::after(std::chrono::seconds(10));
  auto client = net::smtp::Client::connect(options, deadline);
  if (!client) return {};
  std::string shown = (*client)->stream().peer_certificate_sha256();
  (*client)->quit(deadline);
  return shown;
}

}  // namespace

net::imap::Endpoint imap_of_survey(const Block& block) {
  net::imap::Endpoint endpoint = block.endpoint(block.imap);
  endpoint.tls.is_unverified_allowed = endpoint.tls.pinned_sha256_hex.empty();
  return endpoint;
}

Outcome survey_services(const Block& block, const std::string& login, secret::SecretSource& secrets,
                        Value& document) {
  Value certificates = Value::map();
  Value capabilities = Value::map();
  PLAN_TRY(imap, net::imap::Client::connect(imap_of_survey(block)));
  if (!imap->peer_certificate_sha256().empty())
    certificates.set("imap", imap->peer_certificate_sha256());
  if (!login.empty() && block.master_password.is_secret()) {
    PLAN_TRY(password, secrets.read(block.master_password.as_secret()));
    PLAN_TRY_VOID(check_master(block, login, *imap, password));
    Value words = Value::list();
    for (const std::string& word : imap->capabilities()) words.push_back(word);
    capabilities.set("imap", std::move(words));
  }
  imap->logout();
  // A source may have no ManageSieve or no submission: then they are not there, which is no error
  // here.
  if (auto sieve = net::sieve::Client::connect(endpoint_to_look_at(block, block.sieve))) {
    if (!(*sieve)->peer_certificate_sha256().empty())
      certificates.set("sieve", (*sieve)->peer_certificate_sha256());
    Value words = Value::list();
    const auto found = (*sieve)->capabilities().find("SIEVE");
    if (found != (*sieve)->capabilities().end()) {
      for (const std::string& word : list_words(found->second)) words.push_back(word);
    }
    capabilities.set("sieve", std::move(words));
    (*sieve)->logout();
  }
  for (const auto& [name, service] :
       {std::pair{"smtp", &block.smtp}, std::pair{"submission", &block.submission}}) {
    if (std::string shown = smtp_certificate(block, *service); !shown.empty())
      certificates.set(name, shown);
  }
  document.set("certificates", std::move(certificates));
  document.set("capabilities", std::move(capabilities));
  return {};
}

}  // namespace plan::server::source
