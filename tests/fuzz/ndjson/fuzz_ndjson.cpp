// links: compile
#include <cstddef>
#include <cstdint>
#include <string>

#include "compiler/admin_plan.h"
#include "compiler/compile.h"
#include "compiler/source/check.h"

/// Any bytes as a plan of stalwart-cli: a module or a problem, and a plan that uses it compiles to
/// steps or to diagnostics that can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  plan::SourceSet sources;
  plan::Sink sink;
  const plan::FileId file = sources.add("server.ndjson", text);
  const auto module = plan::read_admin_plan(sources, file, sink);
  PLAN_CHECK(module.has_value() != sink.has_errors(), "a module, or what is wrong with it");
  static_cast<void>(plan::render_terminal(sink.sorted(), sources, {}));

  plan::CompileInput input;
  input.plan_text =
      "plan: 1\nname: x\nuse: ./server.ndjson\ndomains: [a.test]\n"
      "addresses: {public: mail.a.test, proxy: 203.0.113.1, source: 203.0.113.2, target: "
      "203.0.113.3}\n"
      "source: {master_user: {name: m, password: !secret env:M}}\n"
      "target: {url: 'https://new.a.test', login: {user: admin, password: !secret env:A}}\n"
      "accounts: [x@a.test]\nwaves: [{name: all}]\ncutover: {address: operator}\n";
  input.lock_text = "plan-lock 1 x\n";
  input.file_text = [&text](const std::string&) -> plan::Result<std::string> { return text; };
  const plan::CompileResult result = plan::compile(std::move(input));
  static_cast<void>(plan::render_terminal(result.diagnostics, *result.sources, {}));
  return 0;
}
