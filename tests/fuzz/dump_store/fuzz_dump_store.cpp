// links: dump
// What the store readers interpret themselves: stored blobs, the log of a RocksDB folder, and the
// words that name a store. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/dump/store/blob_encoding.h"
#include "runtime/dump/store/store_address.h"
#include "runtime/store/rocks_loaded.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string room;
  switch (data[0] % 3) {
    case 0: {
      // A name has no digest to compare with, so that content gets through.
      const auto content =
          plan::dump::decode_blob(data[0] % 2 == 0 ? 6 : 5, "STALWART_WEBADMIN", bytes, room);
      if (content) {
        PLAN_CHECK(content->size() <= bytes.size() * 255 + 1, "an LZ4 block grows no further");
        std::string packed_room;
        const std::string packed(plan::dump::encode_blob(6, {}, *content, packed_room));
        std::string again_room;
        const auto again = plan::dump::decode_blob(6, "STALWART_WEBADMIN", packed, again_room);
        PLAN_CHECK(again && *again == *content, "what is packed is unpacked");
      }
      break;
    }
    case 1:
      static_cast<void>(plan::store::last_change_of_log(bytes));
      break;
    default:
      // `config:` would open files.
      if (!bytes.starts_with("config:")) {
        const auto address = plan::dump::parse_store_address(bytes);
        if (address) PLAN_CHECK(!address->name().empty(), "a store has a name");
      }
      break;
  }
  return 0;
}
