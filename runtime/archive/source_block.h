#pragma once
#include <memory>
#include <optional>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/archive/import_dav.h"
#include "runtime/archive/import_imap.h"
#include "runtime/archive/import_sieve.h"
#include "runtime/archive/master_logins.h"
#include "runtime/secret/secret.h"

namespace plan::archive {

/// Both doors of an account of the source, through its master user; `has_sieve` false where the
/// block names no ManageSieve.
struct AccountSource {
  ImapSource imap = {};
  SieveSource sieve = {};
  bool has_sieve = false;
  std::string dav_server = {};        ///< calendars and contacts beside it; empty: it has none
  bool is_dav_left = false;           ///< the plan says that they stay behind
  std::optional<DavSource> dav = {};  ///< how they are read; nothing: they are not carried
};

/// An account as the source knows it.
struct AccountName {
  std::string address = {};
  std::string login = {};  ///< what its user types to log in; empty: the address
};

/// From the connection block `source` of a step. An old Stalwart has its calendars and contacts
/// itself; they are carried unless the block says otherwise. `secrets` must outlive the result; the
/// master password is read for each login. `logins` and `dav_logins` are shared by all accounts of
/// the source. Errors: argument-missing.
[[nodiscard]] Result<AccountSource> account_source(
    const ir::Value& block, const AccountName& account, secret::SecretSource& secrets,
    const std::shared_ptr<MasterLogins>& logins = std::make_shared<MasterLogins>(),
    const std::shared_ptr<MasterLogins>& dav_logins = std::make_shared<MasterLogins>());

}  // namespace plan::archive
