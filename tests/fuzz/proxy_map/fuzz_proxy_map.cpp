// links: proxy
#include <cstdlib>
#include <string_view>

#include "runtime/proxy/map_log.h"

// The first byte chooses: the bytes as a whole map, or a good map with the rest written over it at
// some place.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace plan;
  if (size < 4) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 4, size - 4);
  std::string bytes(rest);
  std::size_t whole_records = 0;
  if ((data[0] & 1U) != 0) {
    std::vector<ir::Value> records;
    for (int i = 0; i < 4; ++i)
      records.push_back(ir::Value::map(
          {{"op", "abort"}, {"names", ir::Value::list({"a@x"})}, {"generation", i + 1}}));
    bytes = proxy::write_map_image(std::string(32, 'a'), records);
    whole_records = records.size();
    const std::size_t at = (std::size_t{data[1]} | std::size_t{data[2]} << 8U) % bytes.size();
    bytes.replace(at, std::min(rest.size(), bytes.size() - at), rest);
  }
  const auto image = proxy::read_map_image(bytes);
  if (!image) return 0;
  if (image->valid_bytes > bytes.size()) std::abort();
  if (whole_records > 0 && image->records.size() > whole_records) std::abort();
  const auto again = proxy::read_map_image(std::string_view(bytes).substr(0, image->valid_bytes));
  if (!again || again->records.size() != image->records.size() || again->chain != image->chain)
    std::abort();
  return 0;
}
