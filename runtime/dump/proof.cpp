#include "runtime/dump/proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/source/text.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/output_folder.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDifferencesNamed = 3;

/// The first thing in which a file is not what it was; empty when its bytes are the same.
std::string difference(const FileReport& file, const Manifest::File& known) {
  std::string differs;
  const auto compare = [&](std::string_view what, const auto& is, const auto& was) {
    if (is != was && differs.empty()) differs = fmt::format("{} is {}, it was {}", what, is, was);
  };
  if (file.header) {
    compare("the letter", file.header->letter, known.header.letter);
    compare("the schema", file.header->schema, known.header.schema);
  }
  compare("the number of records", file.records, known.records);
  compare("the length of the file", file.frame.file_bytes, known.file_bytes);
  compare("the digest of the records", file.record_stream_sha256, known.record_stream_sha256);
  compare("the digest of the file", file.sha256, known.sha256);
  if (!differs.empty() && file.record_stream_sha256 == known.record_stream_sha256)
    differs += "; the records are the same";
  return differs;
}

std::string missing_text(const Manifest::File& known) {
  return fmt::format("{}, which the manifest has", printable(known.name, 255));
}

bool has_file(const DumpReport& report, const std::string& name) {
  return std::any_of(report.files.begin(), report.files.end(),
                     [&](const FileReport& file) { return file.name == name; });
}

Manifest manifest_of(const DumpReport& report) {
  Manifest manifest;
  for (const FileReport& file : report.files)
    manifest.files.push_back({.name = file.name,
                              .header = file.header.value_or(FileHeader{}),
                              .records = file.records,
                              .key_bytes = file.key_bytes,
                              .value_bytes = file.value_bytes,
                              .file_bytes = file.frame.file_bytes,
                              .sha256 = file.sha256,
                              .record_stream_sha256 = file.record_stream_sha256});
  return manifest;
}

/// Whether there is a manifest at `path` that the dump fits; an error when there is another thing.
Result<bool> fits(const DumpReport& report, const std::string& path) {
  std::error_code code;
  if (!fs::exists(fs::symlink_status(path, code))) return false;
  const auto manifest = read_manifest(path);
  if (!manifest)
    return Error(errors::dump_exists, fmt::format("{} is there, and no manifest can be read from "
                                                  "it ({}); --replace writes over it",
                                                  path, manifest.error().message()));
  const std::vector<std::string> lines = differences(report, *manifest);
  if (lines.empty()) return true;
  std::string named;
  for (std::size_t i = 0; i < std::min(lines.size(), kDifferencesNamed); ++i)
    named += (i == 0 ? "" : "; ") + lines[i];
  if (lines.size() > kDifferencesNamed)
    named += fmt::format("; and {} more", lines.size() - kDifferencesNamed);
  return Error(errors::manifest_differs,
               fmt::format("{} is not what {} says: {}", report.path, path, named));
}

}  // namespace

std::string manifest_for(const std::string& dump, const std::string& named) {
  if (named == "-") return {};
  if (!named.empty()) return named;
  std::string beside = manifest_path_of(dump);
  std::error_code code;
  return fs::exists(beside, code) ? beside : std::string();
}

void hold_against(FileReport& file, const Manifest::File& known) {
  const std::string differs = difference(file, known);
  if (!differs.empty()) {
    file.faults.add({.kind = FaultKind::wrong_manifest, .text = differs});
    file.grade = Grade::damaged;
  } else if (!file.faults.is_damaged()) {
    file.grade = Grade::proved;
    file.unprovable.clear();
  }
}

void hold_against(DumpReport& report, const Manifest& manifest) {
  for (FileReport& file : report.files) {
    if (const Manifest::File* known = manifest.find(file.name); known != nullptr) {
      hold_against(file, *known);
    } else {
      file.faults.add({.kind = FaultKind::wrong_manifest, .text = "it is not in the manifest"});
      file.grade = Grade::damaged;
    }
  }
  if (report.is_single_file) return;
  for (const Manifest::File& known : manifest.files)
    if (!has_file(report, known.name))
      report.faults.add({.kind = FaultKind::missing_file, .text = missing_text(known)});
}

std::vector<std::string> differences(const DumpReport& report, const Manifest& manifest) {
  std::vector<std::string> lines;
  for (const FileReport& file : report.files) {
    const Manifest::File* known = manifest.find(file.name);
    const std::string differs =
        known != nullptr ? difference(file, *known) : "it is not in the manifest";
    if (!differs.empty())
      lines.push_back(fmt::format("{}: {}", printable(file.name, 255), differs));
  }
  if (report.is_single_file) return lines;
  for (const Manifest::File& known : manifest.files)
    if (!has_file(report, known.name)) lines.push_back("there is no " + missing_text(known));
  return lines;
}

Result<ir::Value> make_manifest(const std::string& path, const std::string& output, OldManifest old,
                                OnProgress on_progress) {
  const std::string beside = manifest_path_of(path);
  const std::string target = output.empty() ? beside : output;
  PLAN_TRY_VOID(must_be_outside(target, {path}));
  PLAN_TRY(report, verify_dump(path, {.manifest = "-", .on_progress = std::move(on_progress)}));
  if (report.is_single_file && output.empty())
    return Error(errors::dump_foreign,
                 fmt::format("{} is one file, and {} is the manifest of a whole folder: give the "
                             "folder, or another place with --output",
                             path, beside));
  std::error_code code;
  if (fs::is_directory(target, code))
    return Error(errors::dump_exists, fmt::format("{} is a folder", target));
  bool is_there = false;
  if (old == OldManifest::must_fit) {
    PLAN_TRY(fits_there, fits(report, target));
    is_there = fits_there;
    // A second one elsewhere would prove what the first one denies.
    if (target != beside) PLAN_TRY_VOID(fits(report, beside));
  }
  const Manifest manifest = manifest_of(report);
  std::uint64_t records = 0;
  for (const Manifest::File& file : manifest.files) records += file.records;
  if (!is_there) {
    if (report.grade == Grade::damaged)
      return Error(errors::dump_damaged,
                   fmt::format("{} is damaged; a manifest of it would prove the damage", path));
    PLAN_TRY_VOID(write_manifest(manifest, target));
  }
  return ir::Value::map({{"manifest", target},
                         {"files", std::uint64_t{manifest.files.size()}},
                         {"records", records},
                         {"grade", to_string(is_there ? Grade::proved : report.grade)},
                         {"is_written", !is_there}});
}

}  // namespace plan::dump
