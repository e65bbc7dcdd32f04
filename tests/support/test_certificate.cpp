#include "tests/support/test_certificate.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

#include "compiler/source/check.h"

namespace plan::test {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

std::string make_certificate(const std::string& certificate_file, const std::string& key_file,
                             const std::string& name, std::int64_t from_seconds,
                             std::int64_t to_seconds) {
  const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Free> certificate(X509_new());
  PLAN_CHECK(key && certificate, "OpenSSL makes keys");
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), to_seconds);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  const std::string names = fmt::format("DNS:{},IP:127.0.0.1", name);
  const std::unique_ptr<X509_EXTENSION, Free> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
  X509_add_ext(certificate.get(), extension.get(), -1);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<std::FILE, Free> certificate_out(std::fopen(certificate_file.c_str(), "w"));
  const std::unique_ptr<std::FILE, Free> key_out(std::fopen(key_file.c_str(), "w"));
  PLAN_CHECK(certificate_out && key_out, "the test's folder can be written");
  PEM_write_X509(certificate_out.get(), certificate.get());
  PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  unsigned size = 0;
  X509_digest(certificate.get(), EVP_sha256(), digest, &size);
  std::string hex;
  for (unsigned index = 0; index < size; ++index) hex += fmt::format("{:02x}", digest[index]);
  return hex;
}

}  // namespace plan::test
