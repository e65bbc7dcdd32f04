#include "compiler/syntax/source_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"

namespace plan::syntax {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

std::optional<SourceText> readable_text(const SourceSet& sources, FileId file, Kind syntax_kind,
                                        Sink& sink, const TreeLimits& limits) {
  std::string_view text = sources.text(file);
  const std::size_t bytes_max = std::min(limits.bytes_max, kSourceBytesMax);
  if (text.size() > bytes_max) {
    sink.report(Kind::file_too_large, Span{file, 0, 0},
                fmt::format("file has {}, at most {} are read", show_bytes(text.size()),
                            show_bytes(bytes_max)))
        .help(
            "put long lists of accounts into a csv file and name it under "
            "`accounts: {from: ...}`");
    return std::nullopt;
  }
  std::uint32_t skipped = 0;
  if (text.starts_with(kByteOrderMark)) {
    skipped = static_cast<std::uint32_t>(kByteOrderMark.size());
    text.remove_prefix(skipped);
  }
  if (const auto bad = first_invalid_utf8(text)) {
    const auto begin = static_cast<std::uint32_t>(*bad) + skipped;
    sink.report(Kind::not_utf8, Span{file, begin, begin + 1},
                fmt::format("byte {} of the file is not UTF-8", *bad + skipped))
        .help("save the file as UTF-8, without a byte-order mark of another encoding");
    return std::nullopt;
  }
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7F;
  };
  if (const auto found = std::find_if(text.begin(), text.end(), is_control); found != text.end()) {
    const auto begin = static_cast<std::uint32_t>(found - text.begin()) + skipped;
    sink.report(syntax_kind, Span{file, begin, begin + 1},
                fmt::format("a control character (0x{:02X}) stands here",
                            static_cast<unsigned>(static_cast<unsigned char>(*found))))
        .help("remove it; a plan is plain text");
    return std::nullopt;
  }
  return SourceText{text, skipped};
}

}  // namespace plan::syntax
