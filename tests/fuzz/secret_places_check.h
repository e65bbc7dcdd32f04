#pragma once
#include <string_view>

#include "compiler/source/check.h"
#include "compiler/source/secret_places.h"

namespace plan::test {

/// Places are in the text, in order, and none is empty or reaches into the next one.
inline void check_secret_places(std::string_view text, bool is_language) {
  std::size_t behind = 0;
  for (const SecretPlace& place : secret_places(text, is_language)) {
    PLAN_CHECK(place.begin >= behind && place.begin < place.end && place.end <= text.size(),
               "places are in order");
    behind = place.end;
  }
}

}  // namespace plan::test
