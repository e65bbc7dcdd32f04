#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace plan::ir {

/// One cycle among those of `count` that are left when whoever waits for nobody has been taken away
/// again and again: each of the result waits for the one behind it, the last for the first.
/// `after(i)` are those that `i` waits for. Somebody has to be left.
template <class IsLeft, class After>
[[nodiscard]] std::vector<std::size_t> cycle_among(std::size_t count, const IsLeft& is_left,
                                                   const After& after) {
  std::size_t at = 0;
  while (!is_left(at)) ++at;
  std::vector<std::size_t> way;
  std::vector<bool> is_seen(count);
  // Whoever is left waits for somebody who is left, so this comes to one for the second time.
  while (!is_seen[at]) {
    is_seen[at] = true;
    way.push_back(at);
    for (const auto earlier : after(at)) {
      if (!is_left(static_cast<std::size_t>(earlier))) continue;
      at = static_cast<std::size_t>(earlier);
      break;
    }
  }
  way.erase(way.begin(), std::find(way.begin(), way.end(), at));
  return way;
}

}  // namespace plan::ir
