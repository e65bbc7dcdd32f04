#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/digest.h"
#include "runtime/server/source/source.h"
#include "tests/support/fake_host.h"

namespace plan::server::postfix {

/// A Postfix as far as the map's script and the listing of its queue go: the database and the
/// running service take the text.
class FakePostfix {
 public:
  static constexpr const char* kMapPath = "/etc/postfix/plan_transport";

  FakePostfix() {
    host.program = [this](const std::vector<std::string>& arguments, const std::string& input) {
      return run(arguments, input);
    };
  }
  std::shared_ptr<source::Source> source(std::uint16_t smtp_port = 25,
                                         net::Clock& clock = net::system_clock()) {
    source::Block block;
    block.address = smtp_port == 25 ? "10.9.0.2" : "127.0.0.1";
    block.smtp.port = smtp_port;
    return std::make_shared<source::Source>(block, host, clock);
  }

  test::FakeHost host;
  std::string running;  ///< the text that deliveries go by
  int reloads = 0;
  int fail_next = 0;
  std::string queue;                 ///< what `postqueue -j` prints
  std::vector<std::string> removed;  ///< what postsuper was given, one text a call

 private:
  Result<net::CommandResult> run(const std::vector<std::string>& arguments,
                                 const std::string& input) {
    net::CommandResult result;
    if (arguments.front() == "postconf") result.output = "hash\n";
    if (arguments.front() == "date") result.output = "1000\n";
    if (arguments.front() == "postqueue") result.output = queue;
    if (arguments.front() == "postsuper") removed.push_back(input);
    if (arguments.front() == "sh") {
      if (fail_next > 0 && fail_next-- > 0) {
        result.exit_code = 1;
        result.errors = "postmap: fatal: no space left";
        return result;
      }
      const std::string& text = host.files[kMapPath];
      if (arguments.back() == "yes") {
        running = text;
        ++reloads;
        host.files[std::string(kMapPath) + ".live"] = ir::sha256(text).hex() + "\n";
      }
      result.output = "1000\n";
    }
    return result;
  }
};

}  // namespace plan::server::postfix
