// links: secret
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/secret/seal.h"

namespace {

/// A key of this process.
const plan::secret::SealKey& key() {
  static const plan::secret::SealKey made = [] {
    char folder[] = "/tmp/plan-fuzz-XXXXXX";
    PLAN_CHECK(mkdtemp(folder) != nullptr, "a folder can be made");
    const std::string path = std::string(folder) + "/seal.key";
    auto loaded = plan::secret::SealKey::load_or_make(path);
    PLAN_CHECK(loaded.has_value(), "a key can be made");
    unlink(path.c_str());
    rmdir(folder);
    return std::move(*loaded);
  }();
  return made;
}

}  // namespace

/// A sealed prior state out of an altered journal: the seal opens only what this key sealed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  PLAN_CHECK(!key().open(text), "nobody guesses a seal");
  const auto sealed = key().seal(plan::secret::Secret(text));
  PLAN_CHECK(sealed.has_value(), "anything can be sealed");
  const auto opened = key().open(*sealed);
  PLAN_CHECK(opened && opened->reveal_for("the check") == text, "what was sealed opens");
  std::string altered = *sealed;
  const std::size_t at = 3 + size % (altered.size() - 3);
  altered[at] = altered[at] == 'A' ? 'B' : 'A';
  // The last letter of the text may carry bits that no byte has.
  if (at + 1 < altered.size()) PLAN_CHECK(!key().open(altered), "an altered seal does not open");
  return 0;
}
