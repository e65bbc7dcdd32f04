#include "compiler/flow/trial.h"

#include <algorithm>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/source/text.h"

namespace plan::flow {

Trial::Trial(const Moment& moment, const World& world, std::string_view tag_delimiters,
             Findings& findings)
    : moment_(moment),
      world_(world),
      tag_delimiters_(tag_delimiters),
      findings_(findings),
      domain_(domain_of(moment.account())),
      not_moved_(colleague("a-colleague-not-moved")) {}

Trial Trial::sent_on_in(const World& world) const {
  Trial trial(moment_, world, tag_delimiters_, findings_);
  trial.is_sent_on_ = true;
  return trial;
}

std::string Trial::colleague(std::string_view name) const {
  return fmt::format("{}@{}", name, domain_);
}

std::vector<std::string> Trial::sub_addresses() const {
  std::vector<std::string> all;
  for (const char delimiter : tag_delimiters_) {
    std::string one = with_tag(account(), delimiter);
    if (lower_ascii(without_tag(parse_address(one), tag_delimiters_)) == account())
      all.push_back(std::move(one));
  }
  return all;
}

Letter Trial::letter_to(Entry entry, std::string recipient, bool has_null_sender) const {
  Letter letter{entry, std::move(recipient), has_null_sender};
  const bool is_inside = entry == Entry::target_submission || entry == Entry::source_submission ||
                         entry == Entry::target_local || entry == Entry::source_local;
  if (is_inside && !has_null_sender) letter.sender = not_moved_;
  return letter;
}

Judged Trial::judged_letter(const Letter& letter, const std::vector<Delivery>& deliveries,
                            std::span<const Reader> readers, bool is_alone) const {
  Expected expected{account(), moment_.is_settled(), is_alone};
  Judged judged = judge_letter(letter, deliveries, readers, expected);
  if (is_alone || !judged || judged->what != "twice") return judged;
  expected.copies_before = copies_before(letter, readers);
  return judge_letter(letter, deliveries, readers, expected);
}

/// What the source does with it as long as nothing is done.
std::map<std::string, std::size_t, std::less<>> Trial::copies_before(
    const Letter& letter, std::span<const Reader> readers) const {
  std::map<std::string, std::size_t, std::less<>> copies;
  std::string problem;
  const auto before = states().world_with(0, &problem);
  if (!before) return copies;
  Letter there = letter;
  there.entry = Entry::source_25;
  for (const Delivery& delivery : deliver(*before, there, false)) {
    const bool is_reader = std::any_of(readers.begin(), readers.end(), [&](const Reader& reader) {
      return reader.address == delivery.mailbox;
    });
    if (is_reader) ++copies[delivery.mailbox];
  }
  return copies;
}

bool Trial::check_letter(const Letter& letter, std::span<const Reader> readers, bool is_alone) {
  return check(letter, [&](const std::vector<Delivery>& deliveries) {
    Judged judged = judged_letter(letter, deliveries, readers, is_alone);
    if (judged && is_tag_of_source(letter.recipient)) judged->what = "tag";
    if (judged && judged->what == "lost" && is_dropped(letter.recipient)) judged->what = "alias";
    if (judged && judged->what == "waits" && moment_.way != Way::there)
      judged->claim =
          fmt::format("mail for {} still waits when the account is given back", letter.recipient);
    return judged;
  });
}

bool Trial::is_right_in(const World& world, const Letter& letter, const Reader& reader,
                        bool is_alone) const {
  Trial other(moment_, world, tag_delimiters_, findings_);
  const auto judge = [&](const std::vector<Delivery>& deliveries) {
    return judged_letter(letter, deliveries, std::span(&reader, 1), is_alone);
  };
  return !other.follow(letter, judge, false).first;
}

/// Is it a name that the step which made the account has left out?
bool Trial::is_dropped(const std::string& recipient) const {
  return states().subject().dropped.contains(lower_ascii(recipient)) &&
         world_.target.accounts.contains(account());
}

/// Has it a tag that only the source knows as one?
bool Trial::is_tag_of_source(const std::string& recipient) const {
  return std::any_of(tag_delimiters_.begin(), tag_delimiters_.end(), [&](char delimiter) {
    return delimiter != '+' && recipient == with_tag(account(), delimiter);
  });
}

}  // namespace plan::flow
