#pragma once
// The exchanges of push.jsonl: answers that go on, and frames of a WebSocket.
#include <optional>

#include "player.h"

namespace plan::replay {

/// Is the exchange one whose answer does not end by itself?
[[nodiscard]] bool goes_on(const ir::Value& record);

/// An event stream: what comes until the server ends it, or a moment of silence. A note that says
/// so has a message imported meanwhile. The events of the body as JSON, on both sides.
[[nodiscard]] HttpAnswer play_stream(
    Stage& stage, const std::vector<std::pair<std::string, std::string>>& headers,
    ir::Value& record, const std::string& account);

/// The frames behind a handshake: all that the server sent, recorded and here.
struct Frames {
  ir::Value recorded = ir::Value::list();
  ir::Value ours = ir::Value::list();
};
[[nodiscard]] Frames play_frames(Stage& stage, const ir::Value& record, const std::string& user,
                                 const std::string& password, const std::string& account);

}  // namespace plan::replay
