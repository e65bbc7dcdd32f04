#include "player.h"

#include <charconv>
#include <fstream>
#include <regex>
#include <thread>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "judge.h"
#include "kinds.h"
#include "push_player.h"
#include "smtp_lines.h"
#include "tests/support/shared_data.h"

namespace plan::replay {
namespace {

using ir::Value;

const Value* follow(const Value& value, std::string_view pointer) {
  const Value* at = &value;
  for (const std::string_view segment :
       split(pointer.substr(pointer.starts_with('/') ? 1 : 0), '/')) {
    std::string key(segment);
    for (std::size_t i = 0; (i = key.find('~', i)) != std::string::npos; ++i)
      key.replace(i, 2, key[i + 1] == '1' ? "/" : "~");
    if (at->is_list()) {
      std::size_t index = 0;
      std::from_chars(key.data(), key.data() + key.size(), index);
      at = &at->item(index);
    } else {
      at = &(*at)[key];
    }
  }
  return at->is_null() ? nullptr : at;
}

std::vector<std::pair<std::string, std::string>> headers_of(const Value& request,
                                                            const Captures& captures) {
  std::vector<std::pair<std::string, std::string>> out;
  const Value& headers =
      request["headersTemplate"].is_map() ? request["headersTemplate"] : request["headers"];
  for (const auto& [name, value] : headers.members()) {
    std::string text = substitute(std::string(value.string_or("")), captures);
    if (lower_ascii(name) == "authorization") {
      if (request["loginTemplate"].is_string())
        text = "Basic " + ir::to_base64(substitute(request["loginTemplate"].as_string(), captures));
      else if (text.starts_with("Basic ") && text.find(':') != std::string::npos)
        text = "Basic " + ir::to_base64(text.substr(6));
    }
    out.emplace_back(name, std::move(text));
  }
  return out;
}

}  // namespace

Value administer(Stage& stage, const std::string& calls_json) {
  const std::string body =
      R"({"using":["urn:ietf:params:jmap:core","urn:stalwart:jmap","urn:ietf:params:jmap:mail"],"methodCalls":)" +
      calls_json + "}";
  const HttpAnswer answer =
      send_http(stage.target().port(rehearsal::Service::http), "POST", "/jmap/",
                {{"content-type", "application/json"},
                 {"authorization", "Basic " + ir::to_base64("admin:adminpw")}},
                body);
  return answer_value(answer)["methodResponses"];
}

namespace {

constexpr std::chrono::milliseconds kDelivery{400};  // what a queue needs for a message

// What the recorder of a file did between the exchanges, as its notes say.
class Recorder {
 public:
  Recorder(Stage& stage, const PlayOptions& options) : stage_(stage), options_(options) {}

  void learn_login(const Value& request) {
    // The passwords of the accounts that the file makes.
    for (const Value& call : request["body"]["methodCalls"].items())
      if (call.item(0).string_or("") == "x:Account/set")
        for (const auto& [id, account] : call.item(1)["create"].members())
          if (const Value& secret = account["credentials"]["0"]["secret"]; secret.is_string())
            password_ = secret.as_string();
  }

  // The states that a note speaks of: failed logins, many requests, a submission, time.
  void before(const Value& record, const std::string& note, const std::string& path,
              const std::vector<std::pair<std::string, std::string>>& headers) {
    std::smatch match;
    static const std::regex kMany(R"(after more than (\d+) (?:requests )?in a minute)");
    static const std::regex kRefusal(R"(first refusal at request (\d+))");
    static const std::regex kNone(R"(no refusal in (\d+) requests)");
    static const std::regex kWrong(R"(after (\d+) (?:wrong ones|failures))");
    static const std::regex kSubmitted(R"(message (\w+), submitted over port \d+ just before)");
    static const std::regex kLater(R"((\d+(?:\.\d+)?) s later)");
    if (std::regex_search(note, match, kMany) || std::regex_search(note, match, kRefusal) ||
        std::regex_search(note, match, kNone)) {
      for (int i = 0; i < std::stoi(match[1]); ++i) send(path, headers);
    } else if (std::regex_search(note, match, kWrong)) {
      for (int i = 0; i < std::stoi(match[1]); ++i) fail_login(record, headers);
    } else if (std::regex_search(note, match, kSubmitted)) {
      const std::string login(record["request"]["login"].string_or(""));
      const std::size_t colon = login.find(':');
      SmtpSide side;
      side.user = login.substr(0, colon);
      side.password = colon == std::string::npos ? password_ : login.substr(colon + 1);
      side.subject = match[1];
      submit(stage_, side, side.user);
      std::this_thread::sleep_for(kDelivery);
    } else if (std::regex_search(note, match, kLater)) {
      const auto due = moment_ + std::chrono::milliseconds(
                                     static_cast<std::int64_t>(std::stod(match[1]) * 1000));
      std::this_thread::sleep_until(due);
      return;
    }
    moment_ = std::chrono::steady_clock::now();
  }

  std::optional<std::string> smtp(const Value& record, const std::string& note) {
    SmtpSide side;
    side.user = "a@n.test";
    side.password = password_;
    side.subject = subject_of(note);
    auto out = play_smtp(stage_, record["smtp"], side);
    std::this_thread::sleep_for(kDelivery);
    return out;
  }

 private:
  static std::string subject_of(const std::string& note) {
    if (note.starts_with("to list ")) return "list-" + note.substr(8);
    if (note.find("catch-all") != std::string::npos) return "catchall";
    if (note.find("DKIM") != std::string::npos || note.find("submission") != std::string::npos)
      return "dkim";
    return "relay";
  }

  void send(const std::string& path,
            const std::vector<std::pair<std::string, std::string>>& headers) {
    static_cast<void>(send_http(stage_.target().port(rehearsal::Service::http), "GET",
                                path.starts_with("/jmap/session") ? path : "/jmap/session", headers,
                                ""));
  }

  void fail_login(const Value& record, std::vector<std::pair<std::string, std::string>> headers) {
    const std::string login(record["request"]["login"].string_or("someone:x"));
    for (auto& [name, value] : headers)
      if (lower_ascii(name) == "authorization")
        value = "Basic " + ir::to_base64(login.substr(0, login.find(':')) + ":wrong");
    send("/jmap/session", headers);
  }

  Stage& stage_;
  const PlayOptions& options_;
  std::string password_ = "Correct-Horse-Battery-9";
  std::chrono::steady_clock::time_point moment_ = std::chrono::steady_clock::now();
};

}  // namespace

Score score_of(const std::filesystem::path& file) {
  Score score;
  const std::string folder = file.parent_path().filename().string();
  constexpr std::string_view kServer = "stalwart-0.16-";
  score.folder = folder.starts_with(kServer) ? folder.substr(kServer.size()) : folder;
  score.topic = file.stem().string();
  return score;
}

namespace {

class FilePlay {
 public:
  FilePlay(Stage& stage, const std::filesystem::path& file, Captures& captures, NameMap& names,
           const PlayOptions& options)
      : stage_(stage),
        captures_(captures),
        names_(names),
        options_(options),
        recorder_(stage, options),
        score_(score_of(file)) {}

  Score run(const std::filesystem::path& file) {
    const auto begin = std::chrono::steady_clock::now();
    std::ifstream lines(file);
    std::string text;
    while (std::getline(lines, text)) {
      for (const auto& [theirs, here] : options_.texts) put(text, theirs, here);
      put(text, "${DIR}", stage_.directory().string());
      auto parsed = ir::parse_json(text);
      if (!parsed) {
        ADD_FAILURE() << file << ": " << parsed.error().to_line();
        break;
      }
      play(*parsed);
    }
    score_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return std::move(score_);
  }

 private:
  static void put(std::string& text, const std::string& theirs, const std::string& here) {
    for (std::size_t at = 0; (at = text.find(theirs, at)) != std::string::npos; at += here.size())
      text.replace(at, theirs.size(), here);
  }

  void play(const Value& record) {
    if (const std::string_view name = record["scenario"].string_or("");
        !name.empty() && name != scenario_) {
      scenario_ = name;
      if (options_.before_scenario) options_.before_scenario(scenario_);
    }
    if (record["header"].is_map()) {
      header_ = record["header"];
      return;
    }
    if (record["case"].is_string()) {
      play_case(record);
      return;
    }
    if (!record["smtp"].is_list() && !record["request"].is_map()) return;
    const std::string where = scenario_ + "/" + std::to_string(record["step"].integer_or(0));
    if (options_.before_exchange) options_.before_exchange(where);
    if (options_.listed != nullptr && options_.listed->is_left_out(score_.name(), where)) {
      score_.left_out.push_back(where);
      return;
    }
    if (record["smtp"].is_list())
      play_smtp_record(record, where);
    else
      play_request(record, where);
  }

  void play_case(const Value& record) {
    const std::string where = "case " + std::to_string(++cases_);
    if (options_.before_exchange) options_.before_exchange(where);
    if (options_.listed != nullptr && options_.listed->is_left_out(score_.name(), where)) {
      score_.left_out.push_back(where);
      return;
    }
    const std::string note(record["case"].string_or(""));
    const Observed observed = options_.observe ? options_.observe(record) : Observed{{note}, {}};
    if (const auto found = difference(observed))
      score_.disagree(where, note, *found, false);
    else
      score_.agree(where, false);
    alter_observed(observed, where, score_);
  }

  void play_smtp_record(const Value& record, const std::string& where) {
    const std::string note(record["note"].string_or(""));
    if (const auto found = recorder_.smtp(record, note))
      score_.disagree(where, note, *found, false);
    else
      score_.agree(where, false);
    alter_smtp(record["smtp"], where, score_);
  }

  void play_request(const Value& record, const std::string& where) {
    const Value& request = record["request"];
    const std::string note(record["note"].string_or(""));
    const auto body = request_body(record, captures_);
    // What names a thing that an exchange of other kinds, or a person outside, made is not counted.
    const bool is_sent = is_sent_by_plan(stage_.schema(), record) &&
                         (!body || body->find("\"${") == std::string::npos);
    if (!body) {
      score_.disagree(where, note, "the request's body was not kept", is_sent);
      alter_and_judge(record, {}, names_, false, where, score_);
      return;
    }
    // Some requests name things as they were called in the recording.
    std::string sent = *body;
    if (options_.ids != nullptr)
      for (const auto& [theirs, here] : *options_.ids)
        put(sent, "\"" + theirs + "\"", "\"" + here + "\"");
    for (const auto& [theirs, here] : names_.long_names())
      put(sent, "\"" + theirs + "\"", "\"" + here + "\"");
    const std::string path = substitute(
        std::string(request["pathTemplate"].string_or(request["path"].string_or("/"))), captures_);
    auto headers = headers_of(request, captures_);
    if (!options_.client_address.empty())
      headers.emplace_back("x-forwarded-for", options_.client_address);
    recorder_.learn_login(request);
    recorder_.before(record, note, path, headers);
    if (record["frames"].is_list()) {
      play_frames_record(record, where, note);
      return;
    }
    if (goes_on(record)) {
      Value with_events = record;
      const HttpAnswer answer = play_stream(stage_, headers, with_events, captures_["berta"]);
      settle(with_events, answer, where, note, is_sent);
      return;
    }
    const HttpAnswer answer =
        send_http(stage_.target().port(rehearsal::Service::http),
                  std::string(request["method"].string_or("GET")), path, headers, sent);
    capture(record, answer);
    settle(record, answer, where, note, is_sent);
  }

  void settle(const Value& record, const HttpAnswer& answer, const std::string& where,
              const std::string& note, bool is_sent) {
    const NameMap before = names_;
    const auto found = judge(record, answer, names_);
    if (found)
      score_.disagree(where, note, *found, is_sent);
    else
      score_.agree(where, is_sent);
    alter_and_judge(record, answer, before, !found.has_value(), where, score_);
  }

  void play_frames_record(const Value& record, const std::string& where, const std::string& note) {
    const Frames frames =
        play_frames(stage_, record, "berta@new.test", "Corr3ct-horse-berta", captures_["berta"]);
    const NameMap before = names_;
    const auto found = difference(frames.recorded, frames.ours, names_);
    if (found)
      score_.disagree(where, note, *found, false);
    else
      score_.agree(where, false);
    const std::size_t number = score_.altered++;
    const bool is_altered = alter_answer(frames.recorded, found ? frames.recorded : frames.ours,
                                         found ? NameMap{} : before, number, where, score_);
    if (!is_altered) score_.deaf.push_back(where + ": no frame to alter");
  }

  // What this exchange names: in the record, or in the scenario's header.
  void capture(const Value& record, const HttpAnswer& answer) {
    const Value ours = answer_value(answer);
    const Value recorded = recorded_value(record["response"]["body"]);
    const auto keep = [&](const std::string& name, std::string_view pointer, const Value& value) {
      std::string found;
      if (pointer.starts_with("header:")) {
        const auto known = answer.headers.find(std::string(pointer.substr(7)));
        if (known != answer.headers.end()) found = known->second;
      } else if (const Value* at = follow(ours, pointer)) {
        found = std::string(at->string_or(""));
      }
      const Value* theirs = value.is_string() ? &value : follow(recorded, pointer);
      if (!found.empty()) captures_[name] = found;
      if (!found.empty() && theirs != nullptr && theirs->is_string())
        names_.capture(theirs->as_string(), found);
    };
    for (const auto& [name, pointer] : record["captures"].members())
      keep(name, pointer.string_or(""), {});
    for (const auto& [name, each] : header_["captures"].members())
      if (each["step"] == record["step"]) keep(name, each["pointer"].string_or(""), each["value"]);
  }

  Stage& stage_;
  Captures& captures_;
  NameMap& names_;
  const PlayOptions& options_;
  Recorder recorder_;
  Score score_;
  Value header_;  // of the scenario, where the format has one
  std::string scenario_;
  std::size_t cases_ = 0;
};

}  // namespace

Score play_file(Stage& stage, const std::filesystem::path& file, Captures& captures, NameMap& names,
                const PlayOptions& options) {
  return FilePlay(stage, file, captures, names, options).run(file);
}

}  // namespace plan::replay
