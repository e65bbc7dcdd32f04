// links: dump
// A folder of a few files as a dump: verified with all relations between them, and each of them
// salvaged. A file is told as: which name, how it is framed, length (2 bytes, little-endian),
// bytes.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/dump/key_shape.h"
#include "runtime/dump/salvage.h"
#include "runtime/dump/verify.h"
#include "tests/fuzz/temporary_folder.h"

namespace {

using namespace plan::dump;

constexpr std::size_t kFilesMax = 6;
constexpr std::string_view kOtherNames[] = {"README", ".hidden", "property",
                                            "blob",   "log",     "subspace_"};

std::string name_of(std::uint8_t byte) {
  constexpr std::uint8_t kLetters = 26;
  if (byte % 32 < kLetters) return file_name_of(static_cast<char>('a' + byte % 32));
  return std::string(kOtherNames[byte % 32 - kLetters]);
}

/// Raw; or as the one block of a frame; or with a header of the name's letter too, so that records
/// are reached without guessing.
std::string framed(std::uint8_t how, const std::string& name, std::string_view bytes) {
  if (how % 4 == 0) return std::string(bytes);
  std::string content;
  if (how % 4 > 1)
    content = {'\x7B', name.back(), how % 4 == 2 ? '\x06' : '\x05', '\0', '\0', '\0'};
  content += bytes;
  std::string file("\x04\x22\x4D\x18\x60\x40\x82", 7);
  file += static_cast<char>(content.size() & 0xFFU);
  file += static_cast<char>(content.size() >> 8U);
  file += std::string("\x00\x80", 2);
  return file + content;
}

void salvage(const FileReport& report) {
  std::uint64_t taken = 0;
  const auto found = salvage_file(
      report.path, {.letter = report.header ? report.header->letter : 'l', .schema = 6},
      [&](const FileHeader& header, const Record& record) -> plan::Outcome {
        const Subspace* subspace = find_subspace(header.letter, header.schema);
        PLAN_CHECK(subspace != nullptr, "records are of a subspace");
        PLAN_CHECK(key_shape_fault(*subspace, record.key).empty(), "keys have their shape");
        ++taken;
        return {};
      });
  if (!found) return;
  PLAN_CHECK(found->records == taken, "all that is counted is handed out");
  PLAN_CHECK(found->gaps.size() <= kGapsListed && found->gaps.size() <= found->gaps_count,
             "gaps are bounded");
  // Blobs under names are never exported, and not taken for records among damage.
  if (report.header && report.header->letter != 't' && report.faults.empty()) {
    PLAN_CHECK(taken == report.records, "of a sound file every record is found");
    PLAN_CHECK(found->gaps_count == 0 && found->dropped_count == 0, "and nothing is missed");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const plan::fuzz::TemporaryFolder folder;
  const std::string dump = folder.path() + "/dump";
  std::filesystem::remove_all(dump);
  std::filesystem::create_directory(dump);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  for (std::size_t i = 0; i < kFilesMax && rest.size() > 4; ++i) {
    const auto byte = [&rest](std::size_t at) { return static_cast<std::uint8_t>(rest[at]); };
    const std::size_t length =
        std::min(std::size_t{byte(2)} | std::size_t{byte(3)} << 8U, rest.size() - 4);
    const std::string name = name_of(byte(0));
    const std::string bytes =
        framed(byte(1), name, rest.substr(4, std::min<std::size_t>(length, 60'000)));
    std::ofstream(dump + "/" + name, std::ios::binary | std::ios::trunc) << bytes;
    rest.remove_prefix(4 + length);
  }
  const auto report = verify_dump(dump, {.manifest = "-"});
  PLAN_CHECK(report.has_value() != std::filesystem::is_empty(dump),
             "a folder of files is always reported on");
  if (!report) return 0;
  PLAN_CHECK(report->grade != Grade::proved, "nothing is proved without a manifest");
  for (const FileReport& file : report->files) {
    PLAN_CHECK(file.grade <= report->grade, "a dump is no better than its files");
    salvage(file);
  }
  (void)report->to_value(true);
  return 0;
}
