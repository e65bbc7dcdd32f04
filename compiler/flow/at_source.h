#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/journey.h"
#include "compiler/flow/mail_address.h"

namespace plan::flow {

/// The rule of a hop at which the source refuses a domain that is none of its own.
inline constexpr std::string_view kRelayRule = "mynetworks";

/// What the old server does with a copy: RCPT, aliases, the transport map and the mailbox.
class AtSource {
 public:
  explicit AtSource(Journey& journey)
      : journey_(journey),
        telling_(journey.telling()),
        world_(journey.world()),
        source_(world_.source) {}

  void take(Copy& copy);

 private:
  bool may_submit(Copy& copy);
  [[nodiscard]] bool has_tag(const Address& address) const;
  [[nodiscard]] std::string base_of(const Address& address) const;
  [[nodiscard]] bool is_name(const std::string& lower) const;
  [[nodiscard]] std::string mailbox_of(const Address& address, const std::string& recipient) const;
  [[nodiscard]] bool is_own_domain(const std::string& domain) const;

  void take_at_old_stalwart(Copy& copy);
  void expand(Copy& copy, const std::string& name, const std::vector<std::string>& members);
  void transport(Copy& copy);
  void transport(Copy& copy, const Address& address, const std::string& base);
  void take_without_mailbox(Copy& copy, const Address& address, const std::string& base);
  void hold_or_defer(Copy& copy, const std::string& base, Span place);
  void forward(Copy& copy, const Address& address, const std::string& base, Span place);
  [[nodiscard]] bool is_kept_by_script(const Copy& copy, const std::string& mailbox);

  Journey& journey_;
  const Telling& telling_;
  const World& world_;
  const Source& source_;
};

}  // namespace plan::flow
