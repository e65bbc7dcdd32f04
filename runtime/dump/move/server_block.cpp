#include "runtime/dump/move/server_block.h"

#include "runtime/step/errors.h"

namespace plan::dump {
namespace {

std::vector<std::string> words_of(const ir::Value& value) {
  std::vector<std::string> words;
  for (const ir::Value& word : value.items()) words.emplace_back(word.string_or(""));
  return words;
}

StorePlace place_of(const ir::Value& value) {
  return {std::string(value["address"].string_or("")), value["password"], value["config"]};
}

}  // namespace

ServerBlock read_service_words(const ir::Value& value) {
  ServerBlock block;
  block.host = value["host"];
  const ir::Value& service = value["service"];
  block.unit = service["unit"].string_or("");
  block.container = service["container"].string_or("");
  block.stop = words_of(service["stop"]);
  block.start = words_of(service["start"]);
  block.running = words_of(service["running"]);
  block.ready = words_of(value["ready"]);
  block.stop_within = std::chrono::milliseconds(value["stop_within"].integer_or(60'000));
  block.start_within = std::chrono::milliseconds(value["start_within"].integer_or(120'000));
  return block;
}

Result<ServerBlock> read_server_block(const ir::Value& value) {
  ServerBlock block = read_service_words(value);
  block.config = value["config"].string_or("");
  if (block.config.empty()) {
    return Error(step::errors::argument_missing, "the server has no configuration file")
        .with_blame(Blame::plan)
        .with_argument("target.config");
  }
  block.binary = value["binary"].string_or("");
  block.user = value["user"].string_or("");
  for (const ir::Value& port : value["ports"].items())
    block.ports.push_back(static_cast<std::uint16_t>(port.integer_or(0)));
  block.blob_folder = value["blobs"]["folder"].string_or("");
  block.blob_depth = static_cast<unsigned>(value["blobs"]["depth"].integer_or(2));
  block.rocksdb_library = value["rocksdb_library"].string_or("");
  block.program = value["plan"].string_or("plan");
  block.from = place_of(value["from"]);
  block.to = place_of(value["to"]);
  // The server's own program alone opens it, as its new configuration says.
  if (block.to.address.starts_with("foundationdb:")) block.to = {};
  block.new_config = value["new_config"].string_or("");
  block.lease_file = value["lease_file"].string_or("");
  return block;
}

}  // namespace plan::dump
