#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

// Every bound of the proxy that is not a key of its configuration.
namespace plan::proxy {

// --- before login: client side ---
inline constexpr std::size_t kFrontLineBytesMax =
    16 * 1024;  ///< one line before login (a SASL response is the longest)
inline constexpr std::size_t kFrontLiteralBytesMax = 4 * 1024;   ///< one literal before login
inline constexpr std::size_t kFrontCommandBytesMax = 32 * 1024;  ///< one command with its literals
inline constexpr std::size_t kTagBytesMax = 64;
inline constexpr std::size_t kCredentialBytesMax =
    4 * 1024;  ///< login name, authorization name and password, each
inline constexpr std::size_t kNameBytesMax = 512;  ///< a login name that is routed
inline constexpr int kFrontBadCommandsMax = 20;  ///< unknown or broken commands before the goodbye
inline constexpr int kFrontCommandsMax = 200;    ///< commands of any kind before login

// --- before login: backend side ---
inline constexpr std::size_t kBackLineBytesMax = 64 * 1024;
inline constexpr std::size_t kBackReplyBytesMax =
    256 * 1024;  ///< everything that is shown to the client as the verdict
inline constexpr int kBackLinesMax = 512;  ///< lines of a backend until its verdict

// --- relay ---
inline constexpr std::size_t kRelayChunkBytes =
    64 * 1024;  ///< the one scratch buffer of the thread
inline constexpr std::chrono::seconds kHalfClosedMax{
    60};  ///< silence of the other direction after one has ended
inline constexpr std::chrono::milliseconds kGoodbyeQuiet{
    40};  ///< no byte for so long: nothing is on its way

// --- control ---
inline constexpr std::size_t kControlRequestBytesMax = 1024 * 1024;
inline constexpr std::size_t kControlHeadBytesMax = 16 * 1024;
inline constexpr std::size_t kControlNamesMax = 10'000;
inline constexpr int kControlConnectionsMax = 64;
inline constexpr std::chrono::seconds kControlIdle{300};
inline constexpr std::chrono::seconds kControlHello{10};  ///< until the token must have come
inline constexpr std::size_t kTokenBytesMin = 16;
inline constexpr std::size_t kTokenBytesMax = 1024;

// --- map ---
inline constexpr std::size_t kMapRecordBytesMax = 8 * 1024 * 1024;
inline constexpr std::size_t kMapCompactBytes =
    4 * 1024 * 1024;  ///< a log below this is never compacted
inline constexpr std::int64_t kHoldBoundMsMax = 10 * 60 * 1000;

}  // namespace plan::proxy
