#pragma once
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/dump/store/store_address.h"
#include "tests/support/database_server.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace plan::test {

/// One store of ../shared/data/stores, unpacked into a folder of its own, with its expectations.
struct RealStore {
  std::string name;
  ir::Value expected;
  std::string path;
  dump::StoreAddress address;
};

/// `name` as in ../shared/data/stores, without `.sqlite` or `.tar.gz`.
inline RealStore unpack_store(const std::filesystem::path& stores, const std::string& name,
                              const TempDir& folder) {
  RealStore store;
  store.name = name;
  const auto expected = ir::parse_json(read_all(stores / (name + ".expected.json")));
  EXPECT_TRUE(expected);
  if (expected) store.expected = *expected;
  if (name.find("sqlite") != std::string::npos) {
    store.path = folder.file(name + ".sqlite");
    std::filesystem::copy_file(stores / (name + ".sqlite"), store.path);
    store.address.kind = dump::StoreKind::sqlite;
  } else {
    store.path = folder.file(name);
    const std::string command = "tar -xzf '" + (stores / (name + ".tar.gz")).string() + "' -C '" +
                                folder.path().string() + "'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    store.address.kind = dump::StoreKind::rocksdb;
    std::string why;
    store.address.rocksdb_library = rocksdb_library(why);
  }
  store.address.path = store.path;
  return store;
}

/// Every file below a folder with its bytes' digest: two of them are equal when not one byte
/// changed.
inline std::map<std::string, std::string> digests_below(const std::filesystem::path& folder) {
  std::map<std::string, std::string> digests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    digests[entry.path().string()] = ir::sha256(read_all(entry.path())).hex();
  }
  return digests;
}

}  // namespace plan::test
