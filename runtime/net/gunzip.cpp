#include "runtime/net/gunzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::net {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10U;
constexpr int kGzipOnly = 16 + MAX_WBITS;

struct Inflater {
  z_stream stream = {};
  bool is_ready = false;
  Inflater() { is_ready = inflateInit2(&stream, kGzipOnly) == Z_OK; }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (is_ready) inflateEnd(&stream);
  }
};

}  // namespace

bool is_gzip(std::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
}

Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max) {
  const auto damaged = [] {
    return Error(errors::protocol_violation, "gzip data is damaged or ends early");
  };
  Inflater inflater;
  if (!inflater.is_ready || bytes.size() > UINT32_MAX) return damaged();
  std::string input(bytes);  // zlib's input is not const
  inflater.stream.next_in = reinterpret_cast<Bytef*>(input.data());
  inflater.stream.avail_in = static_cast<uInt>(input.size());
  std::string output;
  std::array<char, kChunkBytes> chunk = {};
  for (;;) {
    inflater.stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    inflater.stream.avail_out = static_cast<uInt>(chunk.size());
    const int status = inflate(&inflater.stream, Z_NO_FLUSH);
    const std::size_t made = chunk.size() - inflater.stream.avail_out;
    if (output.size() + made > bytes_max) {
      return Error(errors::answer_too_large,
                   fmt::format("gzip data unpacks to more than {}", show_bytes(bytes_max)));
    }
    output.append(chunk.data(), made);
    if (status == Z_STREAM_END) {
      if (inflater.stream.avail_in == 0) return output;
      if (inflateReset(&inflater.stream) != Z_OK) return damaged();
      continue;
    }
    if (status != Z_OK || (made == 0 && inflater.stream.avail_in == 0)) return damaged();
  }
}

}  // namespace plan::net
