#pragma once
#include <string>
#include <vector>

#include "compiler/flow/judgement.h"
#include "compiler/flow/outsiders.h"
#include "compiler/flow/resident.h"
#include "compiler/flow/senders.h"
#include "compiler/flow/spellings.h"
#include "compiler/flow/trial.h"

namespace plan::flow {

/// What route expressions tell apart.
struct ToldApart {
  Senders senders = {};          ///< whoever the message is for
  ToldSpellings spellings = {};  ///< of the account's names
  SenderQuestions& for_one;      ///< senders for a single recipient
  std::vector<Outsider> outsiders = {};
  /// Somebody who lives on the target alone and sends there, prepared or not; empty: nobody does.
  std::string user_of_target = {};
};

/// Tries what comes for one account at each entry that is open: its names and lists, who lives
/// beside it on the target alone, strangers, addresses that nobody has, and its login on the
/// target. `own`: where its mail belongs. Before the target is set up only its own users send
/// there.
void try_account_mail(Trial& trial, const ToldApart& told_apart, const Reader& own,
                      const std::vector<Resident>& residents);

}  // namespace plan::flow
