#include "runtime/dump/move/survey.h"

#include <fmt/format.h>

#include "runtime/dump/move/move_step.h"
#include "runtime/dump/store/errors.h"

namespace plan::dump {
namespace {

using ir::Value;

Value measured(std::string what, Value value, const char* unit, std::string how) {
  return Value::map({{"what", std::move(what)},
                     {"value", std::move(value)},
                     {"unit", unit},
                     {"how", std::move(how)}});
}

}  // namespace

Result<Value> survey_store(const Value& target, const std::vector<std::string>& folders,
                           net::HostPool& hosts, secret::SecretSource& secrets) {
  Value paths = Value::list();
  for (const std::string& folder : folders) paths.push_back(folder);
  const Value arguments = Value::map({{"target", target}, {"folders", std::move(paths)}});
  const step::StopSignal never;
  step::StepContext context{.id = "fetch",
                            .arguments = arguments,
                            .secrets = secrets,
                            .clock = net::system_clock(),
                            .stop = never};
  // Not owned: the caller's pool outlives this call.
  const MoveWorld world{std::shared_ptr<net::HostPool>(std::shared_ptr<net::HostPool>(), &hosts),
                        {}};
  PLAN_TRY(move, MoveStep::open(world, context));
  const ServerBlock& block = move->block();
  Value survey = Value::map({{"host_key", block.host["host_key"]}});
  Value settings = Value::map();
  Value measurements = Value::list();

  if (auto version = move->server().version()) survey.set("version", *version);
  auto from = move->program().look(block.from);
  if (from && from->is_there) {
    settings.set("store.kind", to_string(from->kind));
    settings.set("store.schema", from->schema);
  }
  // Which the compiler leaves to the server's own program.
  if (!from && from.error().is(errors::store_not_supported))
    settings.set("store.kind", "foundationdb");
  measurements.push_back(
      measured("store/from/bytes", from && from->is_there ? Value(from->bytes) : Value(), "bytes",
               from ? "size of the store" : "cannot be told: " + from.error().to_line()));
  if (from && !block.blob_folder.empty()) {
    measurements.push_back(measured("store/from/blobs", from->blob_bytes, "bytes",
                                    "size of the files in target.blobs.folder"));
  } else if (from && from->has_blobs_elsewhere()) {
    measurements.push_back(measured("store/from/blobs", Value(), "bytes",
                                    "cannot be told: the blobs are in a store of their own"));
  }
  if (from && !from->nodes.empty()) {
    Value nodes = Value::list();
    for (const std::string& node : from->nodes) nodes.push_back(node);
    measurements.push_back(
        measured("store/from/nodes", std::move(nodes), "hosts", "node leases in subspace g"));
  }
  const auto disk = [&](const std::string& what, const std::string& path) {
    const auto seen = move->disk_of(path);
    measurements.push_back(measured(what + "/free", seen ? Value(seen->free) : Value(), "bytes",
                                    seen ? "df" : "cannot be told: " + seen.error().to_line()));
    if (seen) measurements.push_back(measured(what + "/disk", seen->mount, "mount", "df"));
  };
  for (const std::string& folder : folders) disk("dump/" + folder, folder);
  for (const std::string_view kind : {"sqlite:", "rocksdb:"}) {
    if (block.to.address.starts_with(kind)) disk("store/to", block.to.address.substr(kind.size()));
  }
  survey.set("settings", std::move(settings));
  survey.set("measurements", std::move(measurements));
  return survey;
}

}  // namespace plan::dump
