#pragma once
#include <chrono>
#include <cstddef>

namespace plan::server::stalwart {

/// One reload a second at most, shared by all that are ready (design.md section 6, "Scale").
inline constexpr std::chrono::milliseconds kReloadApart{1000};
/// How long the list of keys, or of lists, that was read from the target is believed. Only one run
/// writes them (lease).
inline constexpr std::chrono::milliseconds kIndexAge{30'000};
/// Of one administrative call.
inline constexpr std::chrono::milliseconds kCallTime{60'000};
/// Objects of one type that plan is willing to list.
inline constexpr std::size_t kListedMax = 2'000'000;
/// Objects in one page of a registry query (reference/stalwart-admin.md 3.6: the server caps at
/// 5000).
inline constexpr std::size_t kQueryPage = 1000;
/// Nesting of values in a plan.
inline constexpr std::size_t kValueDepthMax = 32;
/// Of the schema document: as sent, and unpacked (the real ones: 150 KB and 2 MB).
inline constexpr std::size_t kSchemaPackedBytesMax = std::size_t{4} << 20U;
inline constexpr std::size_t kSchemaBytesMax = std::size_t{32} << 20U;

}  // namespace plan::server::stalwart
