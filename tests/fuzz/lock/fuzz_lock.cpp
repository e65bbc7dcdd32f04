// links: facts
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "compiler/facts/lock.h"
#include "compiler/ir/digest.h"

/// Any bytes as a lock, once as they are and once with the digest that they need; what is read is
/// written back as it was.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const std::string& lock_text :
       {text, "plan-lock 1 x\n" + text + "digest " +
                  plan::ir::sha256("plan-lock 1 x\n" + text).hex() + "\n"}) {
    plan::SourceSet sources;
    plan::Sink sink;
    const auto lock = plan::facts::read_lock(sources, sources.add("lock", lock_text), sink);
    if (lock.has_value() == sink.has_errors()) std::abort();
  }
  return 0;
}
