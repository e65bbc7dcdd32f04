// What single types check beyond the schema: passwords, roles, keys, certificates, scripts
// (reference 5.3, 5.6, 5.7, 5.15).
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/password.h"
#include "runtime/rehearsal/registry_methods.h"
#include "runtime/rehearsal/sieve_check.h"

namespace plan::rehearsal {
namespace {

int strength_of(std::string_view name) {
  constexpr std::string_view kNames[] = {"zero", "one", "two", "three", "four"};
  for (int i = 0; i < 5; ++i)
    if (kNames[i] == name) return i;
  return 3;
}

std::optional<ir::Value> hash_secret(const World& world, ir::Value& credential) {
  const std::string secret(credential["secret"].string_or(""));
  if (classify_secret(secret) == SecretForm::hash) return std::nullopt;
  const ir::Value rules = singleton_of(world, "x:Authentication");
  const std::int64_t min = rules["passwordMinLength"].integer_or(8);
  const std::int64_t max = rules["passwordMaxLength"].integer_or(128);
  const auto size = static_cast<std::int64_t>(character_count(secret));
  if (size < min)
    return set_error("invalidProperties",
                     "Password must be at least " + std::to_string(min) + " characters long.",
                     "secret");
  if (size > max)
    return set_error("invalidProperties",
                     "Password must be at most " + std::to_string(max) + " characters long.",
                     "secret");
  if (password_strength(secret) < strength_of(rules["passwordMinStrength"].string_or("three")))
    return set_error("invalidProperties", "Password is too weak.", "secret");
  credential.set("secret", hash_password(secret));
  return std::nullopt;
}

std::optional<ir::Value> check_credentials(const World& world, const ir::Value* before,
                                           ir::Value& account) {
  ir::Value* credentials = account.as_map().find("credentials");
  if (credentials == nullptr || !credentials->is_map()) return std::nullopt;
  const ir::Value& old = before == nullptr ? account["nothing"] : (*before)["credentials"];
  if (old == *credentials) return std::nullopt;
  const bool is_external = world.live->singleton("x:Authentication")["directoryId"].is_string();
  int passwords = 0;
  std::uint64_t next_id = 0;
  for (const auto& [position, credential] : old.members())
    next_id =
        std::max(next_id, parse_id(credential["credentialId"].string_or("a")).value_or(0) + 1);
  for (auto& [position, credential] : credentials->as_map()) {
    if (credential["@type"].string_or("") != "Password") {
      if (credential["credentialId"].string_or("").empty())
        return set_error("invalidProperties", "Only password credentials can be created here.",
                         "credentials");
      continue;
    }
    if (++passwords > 1)
      return set_error("invalidProperties", "Only one password credential is allowed.",
                       "credentials");
    const ir::Value* same = nullptr;
    for (const auto& [number, each] : old.members())
      if (!credential["credentialId"].string_or("").empty() &&
          each["credentialId"] == credential["credentialId"])
        same = &each;
    if (same != nullptr && (credential["secret"] == (*same)["secret"] ||
                            credential["secret"].string_or("") == "****")) {
      credential.set("secret", (*same)["secret"]);
      continue;
    }
    if (is_external)
      return set_error("forbidden", "Passwords of this account are kept in an external directory.");
    if (credential["secret"].string_or("").empty())
      continue;  // the check for required members says so
    if (auto failed = hash_secret(world, credential)) return failed;
    if (credential["credentialId"].string_or("").empty())
      credential.set("credentialId", encode_id(next_id++));
  }
  return std::nullopt;
}

std::optional<ir::Value> check_account(JmapContext& context, const ir::Value* before,
                                       ir::Value& account) {
  if (account["roles"]["@type"].string_or("") == "Custom")
    for (const auto& [id, is_in] : account["roles"]["roleIds"].members())
      if (context.world.registry.find("x:Role", parse_id(id).value_or(0)) == nullptr)
        return ir::Value::map({{"type", "serverUnavailable"}});
  const bool has_rights_changed = before == nullptr || (*before)["roles"] != account["roles"] ||
                                  (*before)["permissions"] != account["permissions"];
  if (!context.login.is_administrator && has_rights_changed)
    for (const std::string& permission : permissions_of(context.world, account))
      if (!context.login.may(permission))
        return set_error("forbidden", "You do not have enough permissions to grant: " + permission);
  if (account["@type"].string_or("") != "User") return std::nullopt;
  return check_credentials(context.world, before, account);
}

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

std::unique_ptr<BIO, Free> reader_of(std::string_view text) {
  return std::unique_ptr<BIO, Free>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::optional<ir::Value> check_key(ir::Value& signature) {
  const ir::Value& key = signature["privateKey"];
  const std::string_view source = key["@type"].string_or("");
  const std::string name(key[source == "File" ? "filePath" : "variableName"].string_or(""));
  // The server reads them where it runs; a rehearsal has none of its files and variables.
  if (source == "File" && !std::filesystem::exists(name))
    return set_error("invalidProperties", "Failed to read secret from file '" + name + "'");
  if (source == "EnvironmentVariable" && std::getenv(name.c_str()) == nullptr)
    return set_error("invalidProperties", "Environment variable '" + name + "' not found");
  if (source != "Text") return std::nullopt;
  const auto reader = reader_of(key["secret"].string_or(""));
  // No pass phrase is ever asked for: an encrypted key is refused.
  const std::unique_ptr<EVP_PKEY, Free> parsed(PEM_read_bio_PrivateKey(
      reader.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
  const auto refuse = [](std::string_view why) {
    return ir::Value::map({{"type", "invalidProperties"}, {"description", why}});
  };
  if (!parsed) return refuse("Failed to load the private key.");
  const bool wants_rsa = signature["@type"].string_or("").find("Rsa") != std::string_view::npos;
  const int kind = EVP_PKEY_base_id(parsed.get());
  if (kind != (wants_rsa ? EVP_PKEY_RSA : EVP_PKEY_ED25519))
    return refuse("The key does not fit the algorithm.");
  if (wants_rsa && EVP_PKEY_bits(parsed.get()) < 2048) return refuse("The RSA key is too short.");
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(parsed.get(), &der);
  if (size > 0)
    signature.set("publicKey", ir::to_base64({reinterpret_cast<const char*>(der),
                                              static_cast<std::size_t>(size)}));
  OPENSSL_free(der);
  return std::nullopt;
}

// Registering an account needs the provider's server.
std::optional<ir::Value> check_acme(const World& world) {
  if (world.options.has_dns) return std::nullopt;
  return set_error("invalidProperties", "Failed to create ACME account: no network.", "directory");
}

std::string time_of(const ASN1_TIME* time) {
  std::tm broken{};
  if (ASN1_TIME_to_tm(time, &broken) != 1) return show_rfc3339(0);
  return show_rfc3339(timegm(&broken));
}

// "CN=mail.example.org, O=Example"
std::string name_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, Free> out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_SEP_CPLUS_SPC);
  std::string text(512, '\0');
  const int size = BIO_read(out.get(), text.data(), static_cast<int>(text.size()));
  text.resize(static_cast<std::size_t>(std::max(size, 0)));
  return text;
}

std::optional<ir::Value> check_certificate(ir::Value& object) {
  if (object["certificate"]["@type"].string_or("") != "Text") return std::nullopt;
  const auto reader = reader_of(object["certificate"]["value"].string_or(""));
  const std::unique_ptr<X509, Free> parsed(
      PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
  if (!parsed)
    return set_error("invalidProperties", "Failed to parse the certificate.", "certificate");
  object.set("notValidBefore", time_of(X509_get0_notBefore(parsed.get())));
  object.set("notValidAfter", time_of(X509_get0_notAfter(parsed.get())));
  object.set("issuer", name_of(X509_get_issuer_name(parsed.get())));
  ir::Value names = ir::Value::map();
  auto* list = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(parsed.get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; list != nullptr && i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type != GEN_DNS) continue;
    names.set(std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                          static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))),
              true);
  }
  GENERAL_NAMES_free(list);
  // A certificate of the old kind has its name in the subject alone.
  const X509_NAME* subject = X509_get_subject_name(parsed.get());
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (names.size() == 0 && at >= 0) {
    const ASN1_STRING* name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    names.set(std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name)),
                          static_cast<std::size_t>(ASN1_STRING_length(name))),
              true);
  }
  object.set("subjectAlternativeNames", std::move(names));
  return std::nullopt;
}

}  // namespace

std::optional<ir::Value> apply_type_rules(JmapContext& context, const ObjectType& type,
                                          const ir::Value* before, ir::Value& object) {
  if (type.name == "x:Account") return check_account(context, before, object);
  if (type.name == "x:AcmeProvider" && before == nullptr)
    if (auto failed = check_acme(context.world)) return failed;
  if (type.name == "x:DkimSignature" &&
      (before == nullptr || (*before)["privateKey"] != object["privateKey"]))
    return check_key(object);
  if (type.name == "x:Certificate" &&
      (before == nullptr || (*before)["certificate"] != object["certificate"]))
    return check_certificate(object);
  if (type.name == "x:SieveSystemScript" || type.name == "x:SieveUserScript") {
    std::string contents(object["contents"].string_or(""));
    if (const auto complaint = sieve_complaint(contents))
      return set_error("invalidProperties", *complaint, "contents");
    while (contents.ends_with('\n') || contents.ends_with('\r')) contents.pop_back();
    object.set("contents", contents);
  }
  if (type.name == "x:OAuthClient" && object["secret"].is_string() &&
      (before == nullptr || (*before)["secret"] != object["secret"]) &&
      classify_secret(object["secret"].string_or("")) == SecretForm::plain)
    object.set("secret", hash_password(object["secret"].string_or("")));
  return std::nullopt;
}

MethodResult secondary_method(JmapContext& context, const ObjectType& type, std::string_view verb,
                              std::uint64_t account, const ir::Value& arguments) {
  RegistryStore& registry = context.world.registry;
  const std::string store = type.name + "/" + encode_id(account);
  const std::string shown = encode_id(account);
  const Objects existing = registry.all(store);
  const auto show = [&](std::uint64_t id, const ir::Value& object) {
    ir::Value out = object;
    out.set("secret", "****");
    out.as_map().erase("@type");
    out.set("id", encode_id(id));
    return out;
  };
  if (verb == "query") {
    ir::Value ids = ir::Value::list();
    for (auto it = existing.rbegin(); it != existing.rend(); ++it)
      ids.push_back(encode_id(it->first));
    return MethodResult::answer(ir::Value::map({{"accountId", shown},
                                                {"queryState", "n"},
                                                {"canCalculateChanges", true},
                                                {"position", 0},
                                                {"ids", std::move(ids)}}));
  }
  if (verb == "get") {
    ir::Value list = ir::Value::list();
    ir::Value missing = ir::Value::list();
    if (arguments["ids"].is_list()) {
      for (const ir::Value& each : arguments["ids"].items()) {
        const auto id = parse_id(each.string_or("!"));
        const auto found = id ? existing.find(*id) : existing.end();
        if (found == existing.end())
          missing.push_back(each);
        else
          list.push_back(show(found->first, found->second));
      }
    } else {
      for (const auto& [id, object] : existing) list.push_back(show(id, object));
    }
    return MethodResult::answer(ir::Value::map(
        {{"accountId", shown}, {"list", std::move(list)}, {"notFound", std::move(missing)}}));
  }
  ir::Value out = ir::Value::map({{"accountId", shown}});
  ir::Value created = ir::Value::map();
  ir::Value not_created = ir::Value::map();
  const bool has_account = registry.find("x:Account", account) != nullptr;
  for (const auto& [name, body] : arguments["create"].members()) {
    if (!has_account) {
      not_created.set(name, set_error("notFound"));
      continue;
    }
    if (body["description"].string_or("").empty()) {
      not_created.set(
          name, ir::Value::map({{"type", "validationFailed"},
                                {"validationErrors",
                                 ir::Value::list({ir::Value::map(
                                     {{"type", "Required"}, {"property", "description"}})})}}));
      continue;
    }
    const char* limit = type.name == "x:ApiKey" ? "maxApiKeys" : "maxAppPasswords";
    if (static_cast<std::int64_t>(registry.all(store).size()) >=
        singleton_of(context.world, "x:Authentication")[limit].integer_or(5)) {
      not_created.set(name, set_error("overQuota", "The maximum number is reached."));
      continue;
    }
    const std::uint64_t id = registry.next_id(store);
    const std::string secret = (type.name == "x:ApiKey" ? "API_" : "app_") + random_text(32);
    registry.put(store, id,
                 ir::Value::map({{"@type", type.name == "x:ApiKey" ? "ApiKey" : "AppPassword"},
                                 {"description", body["description"]},
                                 {"secret", ir::sha256(secret).hex()},
                                 {"createdAt", show_rfc3339(context.world.now_seconds())},
                                 {"expiresAt", body["expiresAt"]},
                                 {"allowedIps", body["allowedIps"].is_map() ? body["allowedIps"]
                                                                            : ir::Value::map()},
                                 {"permissions", body["permissions"].is_map()
                                                     ? body["permissions"]
                                                     : ir::Value::map({{"@type", "Inherit"}})}}));
    created.set(name, ir::Value::map({{"id", encode_id(id)}, {"secret", secret}}));
  }
  ir::Value destroyed = ir::Value::list();
  ir::Value not_destroyed = ir::Value::map();
  for (const ir::Value& each : arguments["destroy"].items()) {
    const auto id = parse_id(each.string_or("!"));
    if (!id) continue;
    if (!existing.contains(*id)) {
      not_destroyed.set(encode_id(*id), set_error("notFound"));
      continue;
    }
    registry.remove(store, *id);
    destroyed.push_back(each);
  }
  if (created.size() > 0) out.set("created", std::move(created));
  if (destroyed.size() > 0) out.set("destroyed", std::move(destroyed));
  if (not_created.size() > 0) out.set("notCreated", std::move(not_created));
  if (not_destroyed.size() > 0) out.set("notDestroyed", std::move(not_destroyed));
  return MethodResult::answer(std::move(out));
}

std::optional<std::string> certificate_complaint(const ir::Value& object) {
  if (object["certificate"]["@type"].string_or("") != "Text" ||
      object["privateKey"]["@type"].string_or("") != "Text")
    return std::nullopt;
  const auto chain = reader_of(object["certificate"]["value"].string_or(""));
  const std::unique_ptr<X509, Free> certificate(
      PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  const auto reader = reader_of(object["privateKey"]["secret"].string_or(""));
  const std::unique_ptr<EVP_PKEY, Free> key(PEM_read_bio_PrivateKey(
      reader.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
  if (!key) return "Invalid certificate: No private keys found.";
  if (!certificate || X509_check_private_key(certificate.get(), key.get()) != 1)
    return "Invalid certificate: the key does not fit.";
  return std::nullopt;
}

}  // namespace plan::rehearsal
