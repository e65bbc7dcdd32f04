#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "player.h"
#include "runtime/net/gunzip.h"
#include "runtime/net/stream.h"
#include "tests/support/shared_data.h"

namespace plan::replay {

using net::Deadline;

namespace {

std::vector<std::pair<std::string, std::string>> admin_headers() {
  return {{"authorization", "Basic " + ir::to_base64("admin:adminpw")}};
}

}  // namespace

HttpAnswer send_http(std::uint16_t port, const std::string& method, const std::string& path,
                     const std::vector<std::pair<std::string, std::string>>& headers,
                     const std::string& body) {
  HttpAnswer answer;
  const Deadline deadline = Deadline::after(std::chrono::seconds(30));
  auto stream = net::connect_tcp("127.0.0.1", port, deadline);
  if (!stream) return answer;
  std::string request = method + " " + path + " HTTP/1.1\r\nconnection: close\r\n";
  const bool has_host = std::any_of(headers.begin(), headers.end(), [](const auto& each) {
    return lower_ascii(each.first) == "host";
  });
  if (!has_host) request += "host: localhost\r\n";
  for (const auto& [name, value] : headers) request += name + ": " + value + "\r\n";
  if (!body.empty() || method == "POST" || method == "PUT")
    request += "content-length: " + std::to_string(body.size()) + "\r\n";
  request += "\r\n" + body;
  if (!(*stream)->write_all(request, deadline)) return answer;
  std::string bytes;
  std::string buffer(65536, '\0');
  for (;;) {
    auto got = (*stream)->read_some(buffer.data(), buffer.size(), deadline);
    if (!got || *got == 0) break;
    bytes.append(buffer, 0, *got);
  }
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return answer;
  std::from_chars(bytes.data() + 9, bytes.data() + 12, answer.status);
  for (const std::string_view line : split(std::string_view(bytes).substr(0, end), '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos)
      answer.headers[lower_ascii(line.substr(0, colon))] =
          std::string(trim(line.substr(colon + 1)));
  }
  answer.body = bytes.substr(end + 4);
  return answer;
}

net::TlsServerOptions certificate(const std::filesystem::path& directory) {
  net::TlsServerOptions out{(directory / "certificate.pem").string(),
                            (directory / "key.pem").string()};
  if (std::filesystem::exists(out.key_file)) return out;
  EVP_PKEY* key = EVP_RSA_gen(2048);
  X509* made = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
  X509_gmtime_adj(X509_getm_notBefore(made), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made), 86'400);
  X509_set_pubkey(made, key);
  X509_NAME* name = X509_get_subject_name(made);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("mail.new.test"), -1, -1, 0);
  X509_set_issuer_name(made, name);
  X509_sign(made, key, EVP_sha256());
  std::FILE* file = std::fopen(out.certificate_file.c_str(), "w");
  PEM_write_X509(file, made);
  std::fclose(file);
  file = std::fopen(out.key_file.c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  X509_free(made);
  EVP_PKEY_free(key);
  return out;
}

void Stage::start(bool is_fresh, bool is_recovery) {
  target_.reset();
  std::filesystem::create_directories(directory_);
  if (is_fresh) std::filesystem::remove_all(directory_ / "data");
  rehearsal::EmbeddedTargetOptions options;
  options.data_directory = (directory_ / "data").string();
  options.admin_user = "admin";
  options.admin_password = "adminpw";
  options.hostname = "vm";
  options.is_recovery_mode = is_recovery || is_bootstrap;
  options.is_bootstrap_mode = is_bootstrap;
  options.public_url = public_url;
  options.outside_mx = outside_mx;
  options.schedule_speed = schedule_speed;
  options.clock = &clock;
  options.http = rehearsal::ListenAt{};
  options.smtp = rehearsal::ListenAt{};
  options.submission = rehearsal::ListenAt{};
  options.submissions = rehearsal::ListenAt{};
  options.imap = rehearsal::ListenAt{};
  options.imaps = rehearsal::ListenAt{};
  options.sieve = rehearsal::ListenAt{};
  options.pop3 = rehearsal::ListenAt{};
  options.pop3s = rehearsal::ListenAt{};
  options.lmtp = rehearsal::ListenAt{};
  options.smtp_behind_proxy = rehearsal::ListenAt{};
  options.imap_behind_proxy = rehearsal::ListenAt{};
  options.proxy_networks = {"127.0.0.60"};
  options.tls = certificate(directory_);
  auto started = rehearsal::EmbeddedTarget::start(std::move(options));
  ASSERT_TRUE(started) << started.error().to_line();
  target_ = std::move(*started);
}

const schema::Schema& Stage::schema() {
  if (!schema_) {
    const HttpAnswer answer = send_http(target_->port(rehearsal::Service::http), "GET",
                                        "/api/schema", admin_headers(), "");
    const HttpAnswer document = send_http(target_->port(rehearsal::Service::http), "GET",
                                          answer.headers.at("location"), admin_headers(), "");
    auto text = net::gunzip(document.body, std::size_t{64} << 20U);
    if (text)
      if (auto read = schema::Schema::read(*text)) schema_ = std::move(*read);
  }
  EXPECT_TRUE(schema_.has_value());
  return *schema_;
}

}  // namespace plan::replay
