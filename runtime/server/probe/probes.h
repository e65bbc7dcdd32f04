#pragma once
#include <memory>

#include "runtime/server/probe/drivers.h"

namespace plan::server::probe {

[[nodiscard]] std::shared_ptr<step::StepDriver> make_login_probe(
    std::shared_ptr<source::LiveSources> sources, std::shared_ptr<stalwart::TargetPool> targets);
[[nodiscard]] std::shared_ptr<step::StepDriver> make_mail_probe(
    std::shared_ptr<source::LiveSources> sources, std::shared_ptr<stalwart::TargetPool> targets);

}  // namespace plan::server::probe
