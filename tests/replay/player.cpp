#include "player.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <charconv>
#include <fstream>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/stream.h"
#include "tests/support/shared_data.h"

namespace plan::replay {
namespace {

using ir::Value;
using net::Deadline;

// `${name}` by what our server gave, `${repeat:x:5000}` by that many characters.
std::string substitute(std::string text, const Captures& captures) {
  std::size_t at = 0;
  while ((at = text.find("${", at)) != std::string::npos) {
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) break;
    const std::string name = text.substr(at + 2, end - at - 2);
    std::string value;
    if (name.starts_with("repeat:") && name.size() > 9) {
      value = std::string(static_cast<std::size_t>(std::stoul(name.substr(9))), name[7]);
    } else if (const auto found = captures.find(name); found != captures.end()) {
      value = found->second;
    } else {
      at = end;
      continue;
    }
    text.replace(at, end - at + 1, value);
    at += value.size();
  }
  return text;
}

Value substitute(const Value& value, const Captures& captures) {
  if (value.is_string()) return substitute(value.as_string(), captures);
  if (value.is_list()) {
    Value out = Value::list();
    for (const Value& item : value.items()) out.push_back(substitute(item, captures));
    return out;
  }
  if (!value.is_map()) return value;
  Value out = Value::map();
  for (const auto& [name, member] : value.members())
    out.set(substitute(name, captures), substitute(member, captures));
  return out;
}

std::optional<std::string> body_of(const Value& body, const Captures& captures) {
  if (body.is_null()) return std::string{};
  if (body.is_string()) return substitute(body.as_string(), captures);
  if (body["$text"].is_string()) return substitute(body["$text"].as_string(), captures);
  if (body["$base64"].is_string()) {
    bool is_valid = false;
    return ir::from_base64(body["$base64"].as_string(), &is_valid);
  }
  if (body["$fill"].is_string()) {
    const std::string head(body["$head"].string_or(""));
    const std::string tail(body["$tail"].string_or(""));
    const auto size = static_cast<std::size_t>(body["$size"].integer_or(0));
    return head + std::string(size - head.size() - tail.size(), body["$fill"].as_string()[0]) +
           tail;
  }
  if (body.is_map() && body.members().contains("$size")) return std::nullopt;
  return ir::write_json(substitute(body, captures));
}

const Value* follow(const Value& value, std::string_view pointer) {
  const Value* at = &value;
  for (const std::string_view segment :
       split(pointer.substr(pointer.starts_with('/') ? 1 : 0), '/')) {
    std::string key(segment);
    for (std::size_t i = 0; (i = key.find('~', i)) != std::string::npos; ++i)
      key.replace(i, 2, key[i + 1] == '1' ? "/" : "~");
    if (at->is_list()) {
      std::size_t index = 0;
      std::from_chars(key.data(), key.data() + key.size(), index);
      at = &at->item(index);
    } else {
      at = &(*at)[key];
    }
  }
  return at->is_null() ? nullptr : at;
}

std::vector<std::pair<std::string, std::string>> headers_of(const Value& request,
                                                            const Captures& captures) {
  std::vector<std::pair<std::string, std::string>> out;
  const Value& headers =
      request["headersTemplate"].is_map() ? request["headersTemplate"] : request["headers"];
  for (const auto& [name, value] : headers.members()) {
    std::string text = substitute(std::string(value.string_or("")), captures);
    if (lower_ascii(name) == "authorization") {
      if (request["loginTemplate"].is_string())
        text = "Basic " + ir::to_base64(substitute(request["loginTemplate"].as_string(), captures));
      else if (text.starts_with("Basic ") && text.find(':') != std::string::npos)
        text = "Basic " + ir::to_base64(text.substr(6));
    }
    out.emplace_back(name, std::move(text));
  }
  return out;
}

Value answer_value(const HttpAnswer& answer) {
  if (answer.body.empty()) return {};
  if (auto parsed = ir::parse_json(answer.body)) return std::move(*parsed);
  return answer.body;
}

// A recorded session is cut down to the members of interest: so is ours before they are compared.
// Its state is a hash of the running process.
Value only_named(const Value& recorded, const Value& ours) {
  if (!recorded.is_map() || !ours.is_map()) return ours;
  Value out = Value::map();
  for (const auto& [name, value] : recorded.members()) {
    if (name == "state" || name == "sieveExtensions")
      out.set(name, value);
    else if (const Value* here = ours.members().find(name))
      out.set(name, only_named(value, *here));
  }
  return out;
}

// The recorded body in the form answer_value gives.
Value recorded_value(const Value& body) {
  if (body["$text"].is_string()) return body["$text"];
  return body;
}

}  // namespace

HttpAnswer send_http(std::uint16_t port, const std::string& method, const std::string& path,
                     const std::vector<std::pair<std::string, std::string>>& headers,
                     const std::string& body) {
  HttpAnswer answer;
  const Deadline deadline = Deadline::after(std::chrono::seconds(30));
  auto stream = net::connect_tcp("127.0.0.1", port, deadline);
  if (!stream) return answer;
  std::string request =
      method + " " + path + " HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
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

void Stage::start(bool is_fresh, bool is_recovery, bool has_dns) {
  target_.reset();
  std::filesystem::create_directories(directory_);
  if (is_fresh) std::filesystem::remove_all(directory_ / "data");
  rehearsal::EmbeddedTargetOptions options;
  options.data_directory = (directory_ / "data").string();
  options.admin_user = "admin";
  options.admin_password = "adminpw";
  options.hostname = "vm";
  options.is_recovery_mode = is_recovery;
  options.has_dns = has_dns;
  options.schedule_speed = 500;  // the five seconds after a refused recipient are ten milliseconds
  options.http = rehearsal::ListenAt{};
  options.smtp = rehearsal::ListenAt{};
  options.submission = rehearsal::ListenAt{};
  options.submissions = rehearsal::ListenAt{};
  options.imap = rehearsal::ListenAt{};
  options.imaps = rehearsal::ListenAt{};
  options.sieve = rehearsal::ListenAt{};
  options.tls = certificate(directory_);
  auto started = rehearsal::EmbeddedTarget::start(std::move(options));
  ASSERT_TRUE(started) << started.error().to_line();
  target_ = std::move(*started);
}

Value administer(Stage& stage, const std::string& calls_json) {
  const std::string body =
      R"({"using":["urn:ietf:params:jmap:core","urn:stalwart:jmap"],"methodCalls":)" + calls_json +
      "}";
  const HttpAnswer answer =
      send_http(stage.target().port(rehearsal::Service::http), "POST", "/jmap/",
                {{"content-type", "application/json"},
                 {"authorization", "Basic " + ir::to_base64("admin:adminpw")}},
                body);
  return answer_value(answer)["methodResponses"];
}

Score play_file(Stage& stage, const std::filesystem::path& file, Captures& captures, NameMap& names,
                std::vector<Played>* played) {
  Score score;
  score.topic = file.stem().string();
  std::ifstream lines(file);
  std::string text;
  Value header;  // of the scenario, where the format has one
  while (std::getline(lines, text)) {
    auto parsed = ir::parse_json(text);
    if (!parsed) {
      ADD_FAILURE() << file << ": " << parsed.error().to_line();
      return score;
    }
    const Value& record = *parsed;
    if (record["header"].is_map()) {
      header = record["header"];
      continue;
    }
    const Value& request = record["request"];
    if (!request.is_map()) continue;
    const std::string where = std::string(record["scenario"].string_or("")) + "/" +
                              std::to_string(record["step"].integer_or(0)) + " " +
                              std::string(record["note"].string_or(""));
    ++score.total;
    const Value& template_body =
        request.members().contains("bodyTemplate") ? request["bodyTemplate"] : request["body"];
    const auto body = body_of(template_body, captures);
    if (!body) {
      score.disagreements.push_back(where + ": the request's body was not kept");
      continue;
    }
    const std::string path = substitute(
        std::string(request["pathTemplate"].string_or(request["path"].string_or("/"))), captures);
    const HttpAnswer answer = send_http(stage.target().port(rehearsal::Service::http),
                                        std::string(request["method"].string_or("GET")), path,
                                        headers_of(request, captures), *body);
    const Value ours = answer_value(answer);
    const Value recorded = recorded_value(record["response"]["body"]);
    // What this exchange names: in the record, or in the scenario's header.
    const auto capture = [&](const std::string& name, std::string_view pointer,
                             const Value& value) {
      std::string found;
      if (pointer.starts_with("header:")) {
        const auto known = answer.headers.find(std::string(pointer.substr(7)));
        if (known != answer.headers.end()) found = known->second;
      } else if (const Value* at = follow(ours, pointer)) {
        found = std::string(at->string_or(""));
      }
      const Value* theirs = value.is_string() ? &value : follow(recorded, pointer);
      if (!found.empty()) captures[name] = found;
      if (!found.empty() && theirs != nullptr && theirs->is_string())
        names.learn(theirs->as_string(), found);
    };
    for (const auto& [name, pointer] : record["captures"].members())
      capture(name, pointer.string_or(""), {});
    for (const auto& [name, each] : header["captures"].members())
      if (each["step"] == record["step"])
        capture(name, each["pointer"].string_or(""), each["value"]);
    std::optional<std::string> difference_found;
    const auto status = record["response"]["status"].integer_or(0);
    if (status != answer.status)
      difference_found = "status: recorded " + std::to_string(status) + ", here " +
                         std::to_string(answer.status) + " " + answer.body.substr(0, 200);
    else if (status == 0 || status == 204 || record["response"]["body"]["$encoding"].is_string())
      difference_found = std::nullopt;
    else if (record["response"]["body"]["$base64"].is_string() ||
             (recorded.is_map() && recorded.members().contains("$session")))
      difference_found = std::nullopt;
    else if (path == "/jmap/session" && recorded.is_map())
      difference_found = difference(recorded, only_named(recorded, ours), names);
    else
      difference_found = difference(recorded, ours, names);
    if (difference_found) {
      score.disagreements.push_back(where + ": " + *difference_found);
      continue;
    }
    ++score.agreed;
    if (played != nullptr && recorded.is_map()) played->push_back({recorded, ours});
  }
  return score;
}

}  // namespace plan::replay
