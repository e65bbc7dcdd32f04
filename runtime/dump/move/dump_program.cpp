#include "runtime/dump/move/dump_program.h"

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/service.h"
#include "runtime/dump/proof.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/verify.h"

namespace plan::dump {
namespace {

using ir::Value;

constexpr std::chrono::hours kTransferTime{72};
constexpr unsigned kParallel = 2;

TransferSize size_of(const Value& report) {
  TransferSize size;
  size.records = static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, report["records"].integer_or(report["totals"]["records"].integer_or(0))));
  std::int64_t bytes = report["bytes"].integer_or(-1);
  if (bytes < 0) {
    bytes =
        report["totals"]["key_bytes"].integer_or(0) + report["totals"]["value_bytes"].integer_or(0);
  }
  size.bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, bytes));
  return size;
}

Result<TransferSize> proved(const Value& report, const std::string& folder) {
  const std::string_view grade = report["grade"].string_or("");
  if (grade == "proved") return size_of(report);
  return Error(
      errors::dump_not_proved,
      fmt::format("{} is graded {}, not proved: `plan dump verify` says why", folder, grade));
}

Result<secret::Secret> password_of(const StorePlace& place, secret::SecretSource& secrets) {
  if (!place.password.is_secret()) return secret::Secret();
  return secrets.read(place.password.as_secret());
}

class LocalProgram final : public DumpProgram {
 public:
  LocalProgram(const ServerBlock& block, step::StepContext& context,
               std::function<void()> kill_point)
      : block_(block), context_(context), kill_point_(std::move(kill_point)) {}

  Result<StoreLook> look(const StorePlace& place) override {
    PLAN_TRY(address, address_of(place));
    return look_at_store(address);
  }

  Result<TransferSize> export_store(const StorePlace& place, const std::string& folder,
                                    const std::vector<std::string>& subspaces) override {
    PLAN_TRY(address, address_of(place));
    PLAN_TRY(report, dump::export_store(address, transfer<ExportOptions>(folder, subspaces)));
    return size_of(to_value(report));
  }

  Result<TransferSize> import_store(const StorePlace& place, const std::string& folder,
                                    const std::vector<std::string>& subspaces) override {
    PLAN_TRY(address, address_of(place));
    PLAN_TRY(report, dump::import_store(address, transfer<ImportOptions>(folder, subspaces)));
    return size_of(to_value(report));
  }

  Outcome compare(const StorePlace& place, const std::string& folder,
                  const std::vector<std::string>& subspaces) override {
    PLAN_TRY(address, address_of(place));
    return compare_with_store(address, folder, subspaces, kParallel, NodeLeases::ignored);
  }

  Result<TakenBack> take_back(const StorePlace& place, const std::string& folder,
                              const std::vector<std::string>& subspaces) override {
    PLAN_TRY(address, address_of(place));
    return take_back_import(address, folder, subspaces);
  }

  Outcome empty(const StorePlace& place) override {
    PLAN_TRY(address, address_of(place));
    return empty_store(address);
  }

  Result<TransferSize> prove(const std::string& folder) override {
    PLAN_TRY(report, verify_dump(folder, {.is_checked = false}));
    return proved(report.to_value(true), folder);
  }

  Outcome make_manifest(const std::string& folder) override {
    PLAN_TRY_VOID(dump::make_manifest(folder, {}));
    return {};
  }

  Outcome check_installed() override { return {}; }

 private:
  /// What an export and an import are told alike.
  template <class Options>
  [[nodiscard]] Options transfer(const std::string& folder,
                                 const std::vector<std::string>& subspaces) {
    Options options;
    options.folder = folder;
    options.subspaces = subspaces;
    options.parallel = kParallel;
    options.ports = block_.ports;
    options.progress = progress();
    options.is_stopped = [this] { return context_.stop.is_requested(); };
    options.after_durable = kill_point_;
    return options;
  }

  Result<StoreAddress> address_of(const StorePlace& place) {
    PLAN_TRY(address, parse_store_address(place.address));
    if (place.password.is_secret()) {
      PLAN_TRY(password, password_of(place, context_.secrets));
      address.password = std::move(password);
    }
    address.rocksdb_library = block_.rocksdb_library;
    address.blob_folder = block_.blob_folder;
    address.blob_depth = block_.blob_depth;
    return std::move(address);
  }

  std::function<void(const TransferProgress&)> progress() {
    return [this](const TransferProgress& now) {
      if (!context_.progress) return;
      context_.progress({.done = now.bytes, .total = 0, .unit = "bytes", .remark = {}});
    };
  }

  const ServerBlock& block_;
  step::StepContext& context_;
  std::function<void()> kill_point_;
};

/// `plan dump ... --format json` on the other machine. Passwords go by its standard input.
class RemoteProgram final : public DumpProgram {
 public:
  RemoteProgram(net::Host& host, const ServerBlock& block, step::StepContext& context)
      : host_(host), block_(block), context_(context) {}

  Result<StoreLook> look(const StorePlace& place) override {
    PLAN_TRY(value, ask({"inspect", place.address}, &place));
    return store_look_from(value);
  }

  Result<TransferSize> export_store(const StorePlace& place, const std::string& folder,
                                    const std::vector<std::string>& subspaces) override {
    PLAN_TRY(value, ask(with_ports(with({"export", place.address, folder}, subspaces)), &place));
    return size_of(value);
  }

  Result<TransferSize> import_store(const StorePlace& place, const std::string& folder,
                                    const std::vector<std::string>& subspaces) override {
    PLAN_TRY(value, ask(with_ports(with({"import", place.address, folder}, subspaces)), &place));
    return size_of(value);
  }

  Outcome compare(const StorePlace& place, const std::string& folder,
                  const std::vector<std::string>& subspaces) override {
    PLAN_TRY_VOID(ask(with({"import", place.address, folder, "--compare"}, subspaces), &place));
    return {};
  }

  Result<TakenBack> take_back(const StorePlace& place, const std::string& folder,
                              const std::vector<std::string>& subspaces) override {
    PLAN_TRY(value, ask(with({"import", place.address, folder, "--take-back"}, subspaces), &place));
    return value["is_emptied"].bool_or(false) ? TakenBack::emptied : TakenBack::kept;
  }

  Outcome empty(const StorePlace& place) override {
    PLAN_TRY_VOID(ask({"import", place.address, "-", "--empty", "--yes"}, &place));
    return {};
  }

  Result<TransferSize> prove(const std::string& folder) override {
    PLAN_TRY(value, ask({"verify", folder}, nullptr));
    return proved(value, folder);
  }

  Outcome make_manifest(const std::string& folder) override {
    PLAN_TRY_VOID(ask({"manifest", folder}, nullptr));
    return {};
  }

  Outcome check_installed() override {
    PLAN_TRY_VOID(run_there(host_, {block_.program, "version"}));
    return {};
  }

 private:
  std::vector<std::string> with(std::vector<std::string> arguments,
                                const std::vector<std::string>& subspaces) const {
    for (const std::string& name : subspaces) {
      arguments.emplace_back("--subspaces");
      arguments.push_back(name);
    }
    return arguments;
  }

  std::vector<std::string> with_ports(std::vector<std::string> arguments) const {
    for (const std::uint16_t port : block_.ports) {
      arguments.emplace_back("--port");
      arguments.push_back(std::to_string(port));
    }
    return arguments;
  }

  Result<Value> ask(std::vector<std::string> arguments, const StorePlace* place) {
    std::vector<std::string> command = {block_.program, "dump"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    command.insert(command.end(), {"--format", "json"});
    net::CommandOptions options;
    if (place != nullptr) {
      PLAN_TRY(password, password_of(*place, context_.secrets));
      if (!password.empty()) {
        command.insert(command.end(), {"--password-file", "-"});
        options.input = password.reveal_for("the database of a store, by standard input");
      }
      if (!block_.blob_folder.empty()) {
        command.insert(command.end(), {"--blobs", block_.blob_folder, "--blob-depth",
                                       std::to_string(block_.blob_depth)});
      }
      if (!block_.rocksdb_library.empty())
        command.insert(command.end(), {"--rocksdb-library", block_.rocksdb_library});
    }
    PLAN_TRY(result, host_.run(command, net::Deadline::after(kTransferTime), options));
    auto value = ir::parse_json(result.output);
    if (value && result.exit_code == 0) return std::move(*value);
    if (value && (*value)["error"].is_map()) {
      const Value& error = (*value)["error"];
      const bool is_unknown_kind = error["code"] == Value(errors::store_not_supported.name);
      return Error(is_unknown_kind ? errors::store_not_supported : errors::server_command_failed,
                   fmt::format("`{} dump {}` on {}: {}", block_.program, arguments.front(),
                               host_.name(), printable(error["message"].string_or(""), 400)))
          .with_blame(Blame::target)
          .with_detail(error["remedy"].string_or(""));
    }
    if (value && result.exit_code != 0 && (*value)["grade"].is_string()) return std::move(*value);
    return Error(errors::server_command_failed,
                 fmt::format("`{} dump {}` on {} ended with {}", block_.program, arguments.front(),
                             host_.name(), result.exit_code))
        .with_blame(Blame::target)
        .with_detail(trim(result.errors));
  }

  net::Host& host_;
  const ServerBlock& block_;
  step::StepContext& context_;
};

}  // namespace

std::unique_ptr<DumpProgram> make_dump_program(net::Host& host, const ServerBlock& block,
                                               step::StepContext& context,
                                               std::function<void()> kill_point) {
  if (block.is_remote()) return std::make_unique<RemoteProgram>(host, block, context);
  return std::make_unique<LocalProgram>(block, context, std::move(kill_point));
}

}  // namespace plan::dump
