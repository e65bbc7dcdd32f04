#include "runtime/server/stalwart15/write_rights.h"

#include <algorithm>
#include <iterator>

namespace plan::server::stalwart15 {
namespace {

void sort_once(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

bool is_of_writing(const std::string& name) {
  const auto& all = write_permissions();
  return std::binary_search(all.begin(), all.end(), std::string_view(name));
}

}  // namespace

const std::vector<std::string_view>& write_permissions() {
  static const std::vector<std::string_view> kSorted = {
      "calendar-scheduling-receive",
      "dav-cal-acl",
      "dav-cal-copy",
      "dav-cal-delete",
      "dav-cal-mk-col",
      "dav-cal-move",
      "dav-cal-prop-patch",
      "dav-cal-put",
      "dav-card-acl",
      "dav-card-copy",
      "dav-card-delete",
      "dav-card-mk-col",
      "dav-card-move",
      "dav-card-prop-patch",
      "dav-card-put",
      "dav-file-acl",
      "dav-file-copy",
      "dav-file-delete",
      "dav-file-mk-col",
      "dav-file-move",
      "dav-file-prop-patch",
      "dav-file-put",
      "email-send",
      "imap-acl-set",
      "imap-append",
      "imap-copy",
      "imap-create",
      "imap-delete",
      "imap-expunge",
      "imap-move",
      "imap-rename",
      "imap-store",
      "imap-subscribe",
      "jmap-address-book-set",
      "jmap-blob-upload",
      "jmap-calendar-event-copy",
      "jmap-calendar-event-set",
      "jmap-calendar-set",
      "jmap-contact-card-copy",
      "jmap-contact-card-set",
      "jmap-email-copy",
      "jmap-email-import",
      "jmap-email-set",
      "jmap-email-submission-set",
      "jmap-file-node-set",
      "jmap-identity-set",
      "jmap-mailbox-set",
      "jmap-participant-identity-set",
      "jmap-sieve-script-set",
      "jmap-vacation-response-set",
      "manage-encryption",
      "manage-passwords",
      "pop3-dele",
      "sieve-delete-script",
      "sieve-put-script",
      "sieve-rename-script",
      "sieve-set-active",
  };
  return kSorted;
}

std::vector<std::string> disabled_of(const ir::Value& principal) {
  std::vector<std::string> names;
  for (const ir::Value& item : principal["disabledPermissions"].items()) {
    if (item.is_string()) names.push_back(item.as_string());
  }
  sort_once(names);
  return names;
}

std::vector<std::string> with_writing_taken(const std::vector<std::string>& disabled) {
  std::vector<std::string> all(write_permissions().begin(), write_permissions().end());
  all.insert(all.end(), disabled.begin(), disabled.end());
  sort_once(all);
  return all;
}

std::vector<std::string> with_writing_given(const std::vector<std::string>& disabled) {
  std::vector<std::string> rest = disabled;
  std::erase_if(rest, is_of_writing);
  return rest;
}

std::vector<std::string> with_writing_as(const std::vector<std::string>& now,
                                         const std::vector<std::string>& before) {
  std::vector<std::string> all = with_writing_given(now);
  std::copy_if(before.begin(), before.end(), std::back_inserter(all), is_of_writing);
  sort_once(all);
  return all;
}

}  // namespace plan::server::stalwart15
