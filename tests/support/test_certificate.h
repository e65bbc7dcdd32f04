#pragma once
#include <cstdint>
#include <string>

namespace plan::test {

/// Writes a self-signed certificate (P-256) for `name` and 127.0.0.1 with its key as PEM files; it
/// is valid from `from_seconds` to `to_seconds` relative to now. Returns its SHA-256 (hex).
std::string make_certificate(const std::string& certificate_file, const std::string& key_file,
                             const std::string& name, std::int64_t from_seconds = -3600,
                             std::int64_t to_seconds = 86400);

}  // namespace plan::test
