#include "compiler/flow/model.h"

#include <optional>
#include <utility>

#include "compiler/flow/at_source.h"
#include "compiler/flow/at_target.h"
#include "compiler/flow/journey.h"

namespace plan::flow {

namespace {

constexpr std::size_t kSupposedMax = 4;  // conditions: sixteen ways

/// From server to server until every copy has ended.
class Walk {
 public:
  Walk(const World& world, const Letter& letter, const Supposed* supposed, bool tells,
       bool* asks_sender = nullptr)
      : journey_(world, letter, tells, asks_sender),
        target_(journey_, supposed),
        source_(journey_) {}

  /// The first condition that was asked for and nothing is supposed of.
  [[nodiscard]] std::optional<std::size_t> asked() const { return target_.asked(); }

  std::vector<Delivery> run() {
    Copy first = journey_.first();
    follow(first);
    while (std::optional<Copy> copy = journey_.next()) follow(*copy);
    return journey_.take_deliveries();
  }

 private:
  void follow(Copy& copy) {
    // The same server with the same recipient again: nothing has changed, so it goes round for
    // ever.
    // (What waited in a queue was not asked at RCPT, where a tag is taken off.)
    if (!copy.comes_to(copy.is_queued      ? "queue "
                       : copy.is_at_target ? "T "
                                           : "S ",
                       copy.recipient)) {
      return journey_.end(copy, Fate::loop, "",
                          {"it goes round until both servers count too many hops", "", {}});
    }
    if (copy.is_at_target) {
      target_.take(copy);
    } else {
      source_.take(copy);
    }
  }

  Journey journey_;
  AtTarget target_;
  AtSource source_;
};

}  // namespace

std::vector<Delivery> deliver(const World& world, const Letter& letter, bool tells) {
  return Walk(world, letter, nullptr, tells).run();
}

std::vector<std::vector<Delivery>> deliver_either_way(const World& world, const Letter& letter,
                                                      bool tells, bool* asks_sender) {
  std::vector<std::vector<Delivery>> ways;
  std::vector<Supposed> open;
  for (Supposed supposed;;) {
    Walk walk(world, letter, &supposed, tells, asks_sender);
    std::vector<Delivery> deliveries = walk.run();
    const auto asked = walk.asked();
    if (!asked || supposed.size() >= kSupposedMax) {
      ways.push_back(std::move(deliveries));
    } else {
      for (const bool is_true : {true, false}) {
        open.push_back(supposed);
        open.back().emplace(*asked, is_true);
      }
    }
    if (open.empty()) return ways;
    supposed = std::move(open.back());
    open.pop_back();
  }
}

}  // namespace plan::flow
