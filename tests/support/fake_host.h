#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/net/errors.h"
#include "runtime/net/host.h"

namespace plan::test {

/// A machine of the tests: files in memory, programs as a function. Thread-safe.
class FakeHost final : public net::Host {
 public:
  using Program = std::function<Result<net::CommandResult>(const std::vector<std::string>&,
                                                           const std::string& input)>;

  std::map<std::string, std::string> files = {};
  std::vector<std::vector<std::string>> commands = {};  ///< what was run
  Program program = {};  ///< called under the lock; none: success without output
  int writes = 0;
  /// Counted down by every call; at 0 the call has its effect, but its reply and all later calls
  /// are lost. Negative: never.
  int calls_until_cut = -1;

  Result<net::CommandResult> run(const std::vector<std::string>& arguments, net::Deadline,
                                 const net::CommandOptions& options) override {
    const std::lock_guard lock(mutex_);
    if (is_cut()) return lost();
    commands.push_back(arguments);
    auto result = program ? program(arguments, options.input)
                          : Result<net::CommandResult>(net::CommandResult{});
    return is_last() ? Result<net::CommandResult>(lost()) : result;
  }
  Result<std::string> read_file(const std::string& path, std::size_t bytes_max,
                                net::Deadline) override {
    const std::lock_guard lock(mutex_);
    if (is_cut() || is_last()) return lost();
    const auto found = files.find(path);
    if (found == files.end() || found->second.size() > bytes_max)
      return Error(net::errors::file_unreadable, path);
    return found->second;
  }
  Outcome replace_file(const std::string& path, std::string_view bytes, unsigned,
                       net::Deadline) override {
    const std::lock_guard lock(mutex_);
    if (is_cut()) return lost();
    files[path] = std::string(bytes);
    ++writes;
    if (is_last()) return lost();
    return {};
  }
  Result<bool> exists(const std::string& path, net::Deadline) override {
    const std::lock_guard lock(mutex_);
    if (is_cut() || is_last()) return lost();
    return files.contains(path);
  }
  std::string name() const override { return "the fake host"; }

 private:
  bool is_cut() const { return calls_until_cut == 0; }
  bool is_last() { return calls_until_cut > 0 && --calls_until_cut == 0; }
  static Error lost() {
    return Error(net::errors::connection_lost, "the fake host is gone")
        .with_effect(Effect::unknown);
  }

  std::mutex mutex_;
};

}  // namespace plan::test
