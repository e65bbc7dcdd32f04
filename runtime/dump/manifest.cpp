#include "runtime/dump/manifest.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "compiler/ir/json.h"
#include "runtime/dump/byte_source.h"
#include "runtime/dump/errors.h"

namespace plan::dump {
namespace {

constexpr std::string_view kFormat = "plan-dump-manifest";
constexpr std::int64_t kVersion = 1;
constexpr std::uint64_t kManifestBytesMax = std::uint64_t{16} << 20U;
constexpr std::string_view kSuffix = ".manifest.json";

ir::Value to_value(const Manifest& manifest) {
  ir::Value files = ir::Value::list();
  for (const Manifest::File& file : manifest.files)
    files.push_back(ir::Value::map({{"name", file.name},
                                    {"letter", std::string(1, file.header.letter)},
                                    {"schema", std::int64_t{file.header.schema}},
                                    {"records", file.records},
                                    {"key_bytes", file.key_bytes},
                                    {"value_bytes", file.value_bytes},
                                    {"file_bytes", file.file_bytes},
                                    {"sha256", file.sha256},
                                    {"record_stream_sha256", file.record_stream_sha256}}));
  return ir::Value::map({{"format", kFormat}, {"version", kVersion}, {"files", std::move(files)}});
}

Result<std::string> read_whole(const std::string& path) {
  FileSource source(path);
  const auto unusable = [&] {
    return Error(errors::manifest_unusable,
                 fmt::format("the manifest {}: {}", path,
                             source.fault()->text.empty() ? to_error(*source.fault()).message()
                                                          : source.fault()->text));
  };
  if (source.fault()) return unusable();
  if (source.bytes() > kManifestBytesMax)
    return Error(errors::manifest_unusable,
                 fmt::format("{} has {} bytes; no manifest is that long", path, source.bytes()));
  std::string text(source.bytes(), '\0');
  text.resize(source.read(text.data(), text.size()));
  if (source.fault()) return unusable();
  return text;
}

Error unwritable(const std::string& path) {
  return Error(errors::dump_unwritable, fmt::format("{}: {}", path, std::strerror(errno)));
}

}  // namespace

const Manifest::File* Manifest::find(std::string_view name) const {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const File& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

std::string manifest_path_of(const std::string& dump_path) {
  std::error_code code;
  std::filesystem::path path = std::filesystem::absolute(dump_path, code).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  if (!std::filesystem::is_directory(path, code)) path = path.parent_path();
  return path.string() + std::string(kSuffix);
}

Manifest manifest_of(const std::vector<WrittenFile>& files) {
  Manifest manifest;
  for (const WrittenFile& file : files)
    manifest.files.push_back({.name = std::filesystem::path(file.path).filename(),
                              .header = file.header,
                              .records = file.records,
                              .key_bytes = file.key_bytes,
                              .value_bytes = file.value_bytes,
                              .file_bytes = file.file_bytes,
                              .sha256 = file.file_digest.hex(),
                              .record_stream_sha256 = file.stream_digest.hex()});
  std::sort(manifest.files.begin(), manifest.files.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  return manifest;
}

Outcome write_manifest(const Manifest& manifest, const std::string& path) {
  ir::Value value = to_value(manifest);
  value.set("sha256", ir::sha256(ir::canonical_json(value)).hex());
  const std::string text = ir::write_json(value, 2) + "\n";
  const std::string partial = path + ".new";
  ::unlink(partial.c_str());
  const int descriptor =
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (descriptor < 0) return unwritable(partial);
  std::string_view rest = text;
  bool is_written = true;
  while (!rest.empty() && is_written) {
    const ssize_t count = ::write(descriptor, rest.data(), rest.size());
    if (count >= 0)
      rest.remove_prefix(static_cast<std::size_t>(count));
    else
      is_written = errno == EINTR;
  }
  is_written = is_written && ::fsync(descriptor) == 0;
  is_written = ::close(descriptor) == 0 && is_written;
  if (is_written && ::rename(partial.c_str(), path.c_str()) == 0) return {};
  const Error error = unwritable(path);
  ::unlink(partial.c_str());
  return error;
}

Result<Manifest> read_manifest(const std::string& path) {
  PLAN_TRY(text, read_whole(path));
  auto parsed = ir::parse_json(text);
  const auto damaged = [&](std::string_view why) {
    return Error(errors::manifest_unusable, fmt::format("the manifest {}: {}", path, why));
  };
  if (!parsed || !parsed->is_map()) return damaged("no JSON");
  if ((*parsed)["format"].string_or("") != kFormat) return damaged("no manifest of a dump");
  if ((*parsed)["version"].integer_or(0) != kVersion) return damaged("of a version not known here");
  const std::string digest((*parsed)["sha256"].string_or(""));
  parsed->as_map().erase("sha256");
  if (ir::sha256(ir::canonical_json(*parsed)).hex() != digest)
    return damaged("its digest is not that of its text");
  Manifest manifest;
  for (const ir::Value& item : (*parsed)["files"].items()) {
    const auto number = [&](const char* key) {
      return static_cast<std::uint64_t>(std::max<std::int64_t>(0, item[key].integer_or(0)));
    };
    const std::string_view letter = item["letter"].string_or("");
    manifest.files.push_back(
        {.name = std::string(item["name"].string_or("")),
         .header = {.letter = letter.empty() ? char{0} : letter[0],
                    .schema = static_cast<std::uint32_t>(number("schema"))},
         .records = number("records"),
         .key_bytes = number("key_bytes"),
         .value_bytes = number("value_bytes"),
         .file_bytes = number("file_bytes"),
         .sha256 = std::string(item["sha256"].string_or("")),
         .record_stream_sha256 = std::string(item["record_stream_sha256"].string_or(""))});
  }
  return manifest;
}

}  // namespace plan::dump
