#include "observer.h"

#include <algorithm>
#include <chrono>
#include <regex>

#include <gtest/gtest.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::replay {
namespace {

using ir::Value;
using net::Deadline;
using rehearsal::Service;

constexpr std::chrono::seconds kPatience{20};      // for an answer
constexpr std::chrono::milliseconds kPause{20};    // between two looks
constexpr const char* kNobody = "alice@ext.test";  // who sends when nothing else is recorded
constexpr std::string_view kOutside = "OUT@mx.ext.test:";

std::string user_of(std::string_view address) {
  const std::string local = lower_ascii(address.substr(0, address.find('@')));
  return local.substr(0, local.find('+'));
}

// "['a@b', 'c@d']" or "a@b".
std::vector<std::string> texts_of(std::string_view written) {
  std::vector<std::string> out;
  static const std::regex kQuoted("'([^']*)'");
  const std::string text(written);
  for (std::sregex_iterator at(text.begin(), text.end(), kQuoted), end; at != end; ++at)
    out.push_back((*at)[1]);
  if (out.empty()) out.push_back(text);
  return out;
}

std::string code_of(const Value& answer) {
  if (answer.is_string()) return code_of_recorded(answer.as_string());
  return code_of_recorded(std::to_string(answer.item(0).integer_or(0)) + " " +
                          std::string(answer.item(1).string_or("")));
}

// An entry of `where` as it is compared: of a waiting message its state, without the words.
std::string normal_where(const std::string& entry) {
  static const std::regex kQueued(R"re(TQ:([^>]*)->\{'([^']+)': \('(\w+)', '(\w+)'.*)re");
  std::smatch match;
  if (std::regex_match(entry, match, kQueued))
    return "TQ:" + match[1].str() + "->" + match[2].str() + " " + match[3].str() + " " +
           match[4].str();
  return entry;
}

std::vector<std::string> sorted(std::vector<std::string> texts) {
  for (std::string& each : texts) each = normal_where(each);
  std::sort(texts.begin(), texts.end());
  return texts;
}

std::string subject_of(const std::string& bytes) {
  const std::size_t at = bytes.find("\nSubject: ");
  if (at == std::string::npos) return {};
  const std::size_t begin = at + 10;
  return std::string(trim(std::string_view(bytes).substr(begin, bytes.find('\n', begin) - begin)));
}

std::string outside_line(const TakenMail& mail) {
  std::string out = std::string(kOutside) + "<" + mail.sender + ">->[";
  for (const std::string& recipient : mail.recipients)
    out += (out.ends_with('[') ? "'<" : ", '<") + recipient + ">'";
  return out + "]";
}

std::vector<std::pair<std::string, std::string>> login_headers(const std::string& login) {
  return {{"authorization", "Basic " + ir::to_base64(login)}, {"content-type", "application/json"}};
}

// A login over implicit TLS: "OK", "NO", or "closed".
std::string imap_login(Stage& stage, const std::string& user, const std::string& password) {
  auto stream = net::connect_tcp("127.0.0.1", stage.target().port(Service::imaps),
                                 Deadline::after(kPatience));
  if (!stream) return "closed";
  net::TlsClientOptions tls;
  tls.is_unverified_allowed = true;
  if (!(*stream)->start_tls(tls, Deadline::after(kPatience))) return "closed";
  net::LineReader reader(**stream, 1U << 16U);
  const std::string command = "a LOGIN " + user + " " + password + "\r\n";
  if (!reader.line(Deadline::after(kPatience)) ||
      !(*stream)->write_all(command, Deadline::after(kPatience)))
    return "closed";
  for (;;) {
    auto line = reader.line(Deadline::after(kPatience));
    if (!line) return "closed";
    if (line->starts_with("a ")) return line->substr(2, 2);
  }
}

}  // namespace

std::optional<std::string> difference(const Observed& observed) {
  const auto left = sorted(observed.recorded);
  const auto right = sorted(observed.ours);
  if (left == right) return std::nullopt;
  std::string out = "recorded";
  for (const std::string& each : left) out += " | " + each;
  out += ", here";
  for (const std::string& each : right) out += " | " + each;
  return out;
}

void alter_observed(const Observed& observed, const std::string& where, Score& score) {
  const std::size_t number = score.altered++;
  Observed other{observed.recorded, observed.recorded};
  if (other.recorded.empty()) {
    other.recorded.emplace_back("something");
  } else {
    std::string& text = other.recorded[number % other.recorded.size()];
    text.insert(std::min<std::size_t>(text.size(), 5), "7");
  }
  if (!difference(other)) score.deaf.push_back(where);
}

Observer::Observer(Stage& stage) : stage_(stage) {
  source.refusal = [this](const std::string& recipient) { return source_answer(recipient); };
  source.on_mail = [this](const TakenMail& mail) { deliver_at_source(mail); };
}

std::string Observer::source_answer(const std::string& recipient) const {
  static const std::regex kKnown("user0[1-9]|team");
  if (std::regex_match(user_of(recipient), kKnown)) return {};
  return "550 5.1.1 <" + recipient + ">: Recipient address rejected: User unknown";
}

// The source's own tables: team@ are user01 and user02, and who has moved is handed on.
void Observer::deliver_at_source(const TakenMail& mail) {
  std::vector<std::string> users;
  for (const std::string& recipient : mail.recipients) {
    const std::string user = user_of(recipient);
    if (user == "team")
      users.insert(users.end(), {"user01", "user02"});
    else
      users.push_back(user);
  }
  for (const std::string& user : users) {
    if (forwarded.contains(user)) {
      Envelope on;
      on.client_address = "127.0.0.77";
      on.sender = mail.sender;
      on.recipients = {user + "@legacy.test"};
      on.bytes = mail.bytes;
      static_cast<void>(send_mail(stage_, on, 3));
      continue;
    }
    const std::lock_guard lock(mutex_);
    at_source_.push_back({"SRC:" + user, mail.bytes});
  }
}

std::vector<std::string> Observer::queue() {
  std::vector<std::string> out;
  const Value answer = administer(stage_, R"([["x:QueuedMessage/get",{"ids":null},"0"]])");
  for (const Value& message : answer.item(0).item(1)["list"].items())
    for (const auto& [address, recipient] : message["recipients"].members())
      out.push_back("TQ:" + std::string(message["returnPath"].string_or("")) + "->" + address +
                    " " + std::string(recipient["status"]["@type"].string_or("")) + " " +
                    std::string(recipient["queueName"].string_or("")));
  return out;
}

void Observer::wait_for_empty_queue() {
  const Deadline deadline = Deadline::after(kPatience);
  while (!queue().empty() && !deadline.is_over()) std::this_thread::sleep_for(kPause);
}

// "TGT:user01(a)" for each message that was not there at the last call.
std::vector<std::string> Observer::new_emails() {
  std::vector<std::string> out;
  const Value accounts =
      administer(stage_, R"([["x:Account/get",{"ids":null,"properties":["name"]},"0"]])");
  for (const Value& account : accounts.item(0).item(1)["list"].items()) {
    const std::string id(account["id"].string_or(""));
    const Value answer = administer(
        stage_,
        R"([["Email/query",{"accountId":")" + id + R"("},"0"],["Email/get",{"accountId":")" + id +
            R"(","#ids":{"resultOf":"0","name":"Email/query","path":"/ids"},"properties":["mailboxIds"]},"1"]])");
    for (const Value& email : answer.item(1).item(1)["list"].items()) {
      if (!emails_[id].insert(std::string(email["id"].string_or(""))).second) continue;
      for (const auto& [mailbox, is_in] : email["mailboxIds"].members())
        out.push_back("TGT:" + std::string(account["name"].string_or("")) + "(" + mailbox + ")");
    }
  }
  return out;
}

Envelope Observer::envelope_of(const Value& arguments) {
  Envelope out;
  ++number_;
  // Each mail from an address of its own: what the throttles count is not what is observed here.
  // A sender that is greylisted comes again from the same one.
  out.client_address = arguments["frm"].string_or("").starts_with("grey")
                           ? "127.0.2.1"
                           : "127.0.1." + std::to_string(1 + number_ % 250);
  out.sender = arguments["frm"].string_or(kNobody);
  out.recipients = texts_of(arguments["to"].string_or("team@legacy.test"));
  if (arguments["port"].string_or("") == "587") out.service = Service::submission;
  out.has_starttls = arguments["starttls"].string_or("") == "True";
  if (arguments["auth"].is_string()) {
    const auto login = texts_of(arguments["auth"].as_string());
    out.user = login.front();
    out.password = login.back();
  }
  const std::string token = "observation-" + std::to_string(number_);
  out.bytes = "From: " + out.sender + "\r\nTo: " + out.recipients.front() +
              "\r\nSubject: " + token + "\r\nMessage-ID: <" + token +
              "@replay.test>\r\nDate: Mon, 23 Nov 2026 09:15:25 +0000\r\n\r\nhello";
  return out;
}

Observed Observer::play_mail(const Value& record) {
  Observed out;
  for (const Value& answer : record["smtp"].items()) out.recorded.push_back(code_of(answer));
  std::vector<std::string> wanted;
  for (const Value& entry : record["where"].items())
    // What waits at the source is the source's affair.
    if (!entry.string_or("").starts_with("SQ:")) wanted.emplace_back(entry.string_or(""));
  out.recorded.insert(out.recorded.end(), wanted.begin(), wanted.end());
  wanted = sorted(std::move(wanted));
  static_cast<void>(new_emails());
  const std::size_t outside_before = outside.taken().size();
  std::size_t source_before = 0;
  {
    const std::lock_guard lock(mutex_);
    source_before = at_source_.size();
  }
  out.ours = send_mail(stage_, envelope_of(record["args"]), record["smtp"].size());
  const Deadline deadline = Deadline::after(patience);
  std::vector<std::string> delivered;
  for (;;) {
    // The queue first: what has left it is where it belongs.
    std::vector<std::string> found = queue();
    const auto fresh = new_emails();
    delivered.insert(delivered.end(), fresh.begin(), fresh.end());
    found.insert(found.end(), delivered.begin(), delivered.end());
    const auto outside_now = outside.taken();
    for (std::size_t i = outside_before; i < outside_now.size(); ++i)
      found.push_back(outside_line(outside_now[i]));
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = source_before; i < at_source_.size(); ++i)
        found.push_back(at_source_[i].where);
    }
    if (sorted(found) == wanted || deadline.is_over()) {
      out.ours.insert(out.ours.end(), found.begin(), found.end());
      return out;
    }
    std::this_thread::sleep_for(kPause);
  }
}

Observed Observer::play_login(const Value& record) {
  Observed out;
  const std::string login(record["args"]["login"].string_or("user07@legacy.test"));
  const std::string password = "Corr3ct-horse-" + user_of(login);
  const Value& answers = record["answers"];
  const std::string_view imap =
      answers.is_list() ? answers.item(0).string_or("") : answers["imap"].string_or("");
  const bool is_ok = imap.starts_with("OK") || imap.starts_with("a OK");
  out.recorded.push_back(is_ok ? "imap OK" : "imap closed");
  out.ours.push_back("imap " + imap_login(stage_, login, password));
  if (answers.is_list()) return out;
  out.recorded.push_back("jmap " + std::to_string(answers["jmap"].integer_or(0)));
  out.ours.push_back(
      "jmap " + std::to_string(send_http(stage_.target().port(Service::http), "GET",
                                         "/jmap/session", login_headers(login + ":" + password), "")
                                   .status));
  const std::string submission = code_of_recorded(answers["submission"].string_or(""));
  out.recorded.push_back("submission " + (submission.starts_with("235") ? "235" : submission));
  Envelope envelope;
  envelope.service = Service::submission;
  envelope.has_starttls = true;
  envelope.user = login;
  envelope.password = password;
  const auto refused = send_mail(stage_, envelope, 0);
  out.ours.push_back("submission " + (refused.empty() ? std::string("235") : refused.front()));
  return out;
}

Observed Observer::play_content(const Value& record) {
  Observed out;
  const std::string_view text = record["case"].string_or("");
  std::string login = text.find("recovery admin") != std::string_view::npos
                          ? "admin:adminpw"
                          : "boss@new.test:Corr3ct-horse-boss";
  if (text.find("target%admin") != std::string_view::npos) login = "user07@legacy.test%" + login;
  for (const auto& [what, recorded] : record["answers"].members()) {
    const std::string status = recorded.is_integer()
                                   ? std::to_string(recorded.integer_or(0))
                                   : std::string(recorded.string_or("").substr(1, 3));
    out.recorded.push_back(what + " " + status);
    const bool is_upload = what == "upload";
    const bool is_session = what == "session";
    const HttpAnswer answer = send_http(
        stage_.target().port(Service::http), is_session ? "GET" : "POST",
        is_session ? "/jmap/session" : (is_upload ? "/jmap/upload/h/" : "/jmap/"),
        login_headers(login),
        is_session
            ? ""
            : R"({"using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{},"0"]]})");
    out.ours.push_back(what + " " + std::to_string(answer.status));
  }
  return out;
}

Observed Observer::play_scheduling(const Value& record) {
  Observed out;
  const Value& where = record["where"];
  // Four items for each mail: the sender's line, the recipients' lines, the subject, null.
  const Value& outside_items = where["outside"];
  for (std::size_t i = 0; i + 2 < outside_items.size(); i += 4)
    out.recorded.push_back("outside " +
                           std::string(outside_items.item(i).string_or("").substr(10)) + " " +
                           std::string(trim(outside_items.item(i + 2).string_or(""))));
  for (const Value& subject : where["user06 at the source"].items())
    out.recorded.push_back("SRC:user06 " + std::string(subject.string_or("")));
  for (const Value& entry : where.items()) out.recorded.emplace_back(entry.string_or(""));
  const auto wanted = sorted(out.recorded);
  const Deadline deadline = Deadline::after(out.recorded.empty() ? kPause : patience);
  for (;;) {
    out.ours = queue();
    const auto outside_now = outside.taken();
    for (std::size_t i = outside_seen_; i < outside_now.size(); ++i)
      out.ours.push_back("outside <" + outside_now[i].sender + "> " +
                         subject_of(outside_now[i].bytes));
    const std::lock_guard lock(mutex_);
    for (std::size_t i = source_seen_; i < at_source_.size(); ++i)
      out.ours.push_back(at_source_[i].where + " " + subject_of(at_source_[i].bytes));
    if (sorted(out.ours) == wanted || deadline.is_over()) {
      outside_seen_ = outside_now.size();
      source_seen_ = at_source_.size();
      return out;
    }
    std::this_thread::sleep_for(kPause);
  }
}

Observed Observer::play_throttle(const Value& record) {
  Observed out;
  constexpr int kMessages = 30;
  for (const auto& [answer, count] : record["answers"].members())
    out.recorded.push_back(code_of_recorded(answer) + ": " + std::to_string(count.integer_or(0)) +
                           " times");
  std::string refusal;
  for (const Value& each : record["first_refused"].item(1).items()) refusal += " " + code_of(each);
  out.recorded.push_back("first refused " +
                         std::to_string(record["first_refused"].item(0).integer_or(0)) + refusal);
  std::map<std::string, int> counts;
  std::string first;
  const bool is_null = record["case"].string_or("").find("null sender") != std::string_view::npos;
  for (int i = 0; i < kMessages; ++i) {
    Envelope envelope =
        envelope_of(Value::map({{"to", "user09@legacy.test"}, {"frm", is_null ? "" : kNobody}}));
    envelope.client_address = "127.0.0.99";
    const auto answers = send_mail(stage_, envelope, 3);
    ++counts[answers.back()];
    if (!first.empty() || answers.back().starts_with("2")) continue;
    first = "first refused " + std::to_string(i);
    for (const std::string& each : answers) first += " " + each;
  }
  for (const auto& [answer, count] : counts)
    out.ours.push_back(answer + ": " + std::to_string(count) + " times");
  out.ours.push_back(first);
  return out;
}

Observed Observer::play_full_source(const Value& record) {
  Observed out;
  source.refuse_all("452 4.3.1 Insufficient system storage");
  for (const Value& answer : record["smtp target:25"].items())
    out.recorded.push_back(code_of(answer));
  const auto show = [](const Value& recipients, std::vector<std::string>& texts) {
    for (const auto& [address, recipient] : recipients.members()) {
      for (const char* member : {"retryCount", "notifyCount", "queueName"})
        texts.push_back(std::string(member) + " " + ir::write_json(recipient[member]));
      for (const auto& [member, value] : recipient["status"].members())
        texts.push_back("status/" + member + " " + ir::write_json(value));
    }
  };
  for (const Value& recipients : record["target queue"].items()) show(recipients, out.recorded);
  out.ours = send_mail(stage_, envelope_of(Value::map({{"to", "user09@legacy.test"}})), 3);
  const Deadline deadline = Deadline::after(kPatience);
  Value message;
  do {
    const Value answer = administer(stage_, R"([["x:QueuedMessage/get",{"ids":null},"0"]])");
    message = answer.item(0).item(1)["list"].item(0);
    std::this_thread::sleep_for(kPause);
  } while (message["recipients"]["user09@legacy.test"]["retryCount"].integer_or(0) == 0 &&
           !deadline.is_over());
  show(message["recipients"], out.ours);
  source.refuse_all("");
  administer(stage_, R"([["x:QueuedMessage/set",{"destroy":[")" +
                         std::string(message["id"].string_or("")) + R"("]},"0"]])");
  return out;
}

std::string Observer::send_probe(const std::string& where, const std::string& account_id) {
  struct Probe {
    const char* exchange;
    const char* what;
    bool has_sender;
    bool is_automatic;
  };
  static constexpr Probe kProbes[] = {{"probe/2", "null sender, Auto-Submitted", false, true},
                                      {"probe/3", "null sender, no Auto-Submitted", false, false},
                                      {"probe/4", "sender, Auto-Submitted", true, true},
                                      {"probe/5", "sender, plain", true, false}};
  for (const Probe& probe : kProbes) {
    if (where != probe.exchange) continue;
    static_cast<void>(new_emails());
    const std::set<std::string> before = emails_[account_id];
    Envelope envelope = envelope_of(
        Value::map({{"to", "user06@legacy.test"}, {"frm", probe.has_sender ? kNobody : ""}}));
    if (probe.is_automatic) envelope.bytes = "Auto-Submitted: auto-generated\r\n" + envelope.bytes;
    probes_[probe.what] = send_mail(stage_, envelope, 3);
    const Deadline deadline = Deadline::after(kPatience);
    while (!deadline.is_over()) {
      static_cast<void>(new_emails());
      for (const std::string& id : emails_[account_id])
        if (!before.contains(id)) return id;
      std::this_thread::sleep_for(kPause);
    }
  }
  return {};
}

Observed Observer::play(const Value& record) {
  const std::string_view text = record["case"].string_or("");
  if (text.starts_with("probe: ")) {
    Observed out;
    for (const Value& answer : record["smtp"].items()) out.recorded.push_back(code_of(answer));
    out.ours = probes_[std::string(text.substr(7))];
    return out;
  }
  if (text.starts_with("30 messages")) return play_throttle(record);
  if (record["smtp target:25"].is_list()) return play_full_source(record);
  if (text.find("content by") != std::string_view::npos) return play_content(record);
  if (text.starts_with("authenticate ")) return play_login(record);
  if (!record["smtp"].is_list()) return play_scheduling(record);
  Observed out = play_mail(record);
  // What comes by itself is looked for from here on.
  outside_seen_ = outside.taken().size();
  const std::lock_guard lock(mutex_);
  source_seen_ = at_source_.size();
  return out;
}

}  // namespace plan::replay
