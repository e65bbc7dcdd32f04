#pragma once
// An account of a test's Dovecot as the drivers see it: the master user's login, IMAP, ManageSieve.
#include <gtest/gtest.h>

#include <string>

#include "runtime/archive/source_block.h"
#include "tests/support/dovecot.h"

namespace plan::archive {

/// Whatever is asked for, it is the master user's password.
class MasterPassword final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef&) override {
    return secret::Secret("master-secret");
  }
  Result<ir::SecretRef> seal(const secret::Secret&) override { return ir::SecretRef(); }
};

/// `secrets` outlives the result.
inline AccountSource dovecot_source(const test::Dovecot& dovecot, const std::string& account,
                                    secret::SecretSource& secrets) {
  using ir::Value;
  const Value block = Value::map(
      {{"address", "127.0.0.1"},
       {"imap", Value::map({{"port", std::int64_t{dovecot.imap_port()}}, {"security", "none"}})},
       {"sieve", Value::map({{"port", std::int64_t{dovecot.sieve_port()}}, {"security", "none"}})},
       {"master_user",
        Value::map(
            {{"name", "master"}, {"separator", "%"}, {"password", ir::SecretRef{"env", "X"}}})}});
  auto source = account_source(block, {.address = account}, secrets);
  EXPECT_TRUE(source) << source.error().to_line();
  return source ? *source : AccountSource();
}

}  // namespace plan::archive
