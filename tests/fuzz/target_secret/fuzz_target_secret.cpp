// links: server
// A password hash of any form: what is sent to the target is always one that it keeps and verifies.
#include <cstddef>
#include <cstdint>
#include <string>

#include "compiler/source/check.h"
#include "runtime/server/stalwart/password.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::server::stalwart;
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(secret_form(text));
  // A clear text costs a tenth of a second; its way is covered by the unit tests.
  if (text.starts_with("{PL") || text.starts_with("{pl") || text.starts_with("{C") ||
      text.starts_with("{c"))
    return 0;
  const auto sent = secret_for_target(plan::secret::Secret(text), "SHA512-CRYPT", "a@b");
  if (sent)
    PLAN_CHECK(secret_form(sent->reveal_for("the check")) == SecretForm::usable,
               "only usable forms are sent");
  return 0;
}
