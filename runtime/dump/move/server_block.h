#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::dump {

/// A store as a plan names it.
struct StorePlace {
  std::string address = {};  ///< for parse_store_address; empty: the plan names none
  ir::Value password = {};   ///< a SecretRef, or null
  ir::Value config = {};     ///< what the configuration of a 0.16 server says about it, or null
};

/// The connection block `target` of a step of a store plan (kind `stalwart-store`): one server, its
/// machine, its program, its stores.
struct ServerBlock {
  ir::Value host = {};  ///< how the machine is reached (net::HostPool)
  std::string config = {};
  std::string binary = {};
  std::string user = {};       ///< empty: files stay as they are, programs run as plan does
  std::string unit = {};       ///< of systemd
  std::string container = {};  ///< of docker
  std::vector<std::string> stop = {};
  std::vector<std::string> start = {};
  std::vector<std::string> running = {};
  std::vector<std::string> ready = {};  ///< ends with 0 when the server serves
  std::chrono::milliseconds stop_within{60'000};
  std::chrono::milliseconds start_within{120'000};
  std::vector<std::uint16_t> ports = {};
  std::string blob_folder = {};
  unsigned blob_depth = 2;
  std::string rocksdb_library = {};
  std::string program = "plan";  ///< on that machine, when it is another
  StorePlace from = {};
  StorePlace to = {};
  std::string new_config = {};  ///< file that becomes the configuration; empty: made from `to`
  std::string lease_file = {};

  [[nodiscard]] bool is_remote() const { return !host["ssh"].is_null(); }
  [[nodiscard]] bool is_moved() const { return !to.address.empty() || !new_config.empty(); }
};

/// What a block says about stopping and starting its server, also of the target of a plan that
/// moves accounts: `host`, `service`, `ready`, `stop_within`, `start_within`.
[[nodiscard]] ServerBlock read_service_words(const ir::Value& value);

/// Error: argument-missing.
[[nodiscard]] Result<ServerBlock> read_server_block(const ir::Value& value);

}  // namespace plan::dump
