#include "player.h"

#include <charconv>
#include <fstream>
#include <regex>
#include <thread>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "kinds.h"
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

Value answer_value(const HttpAnswer& answer) {
  if (answer.body.empty()) return {};
  if (auto parsed = ir::parse_json(answer.body)) return std::move(*parsed);
  return answer.body;
}

// A recorded session is cut down to the members of interest: so is ours before they are compared.
// Its state is a hash of the running process.
Value only_named(const Value& recorded, const Value& ours) {
  if (!recorded.is_map() || !ours.is_map()) return ours;
  Value out = Value::map();
  for (const auto& [name, value] : recorded.members()) {
    if (name == "state" || name == "sieveExtensions")
      out.set(name, value);
    else if (const Value* here = ours.members().find(name))
      out.set(name, only_named(value, *here));
  }
  return out;
}

// The recorded body in the form answer_value gives.
Value recorded_value(const Value& body) {
  if (body["$text"].is_string()) return body["$text"];
  return body;
}

}  // namespace

Value administer(Stage& stage, const std::string& calls_json) {
  const std::string body =
      R"({"using":["urn:ietf:params:jmap:core","urn:stalwart:jmap"],"methodCalls":)" + calls_json +
      "}";
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

// One exchange held against its record: the difference, or nothing.
std::optional<std::string> judge(const Value& record, const HttpAnswer& answer, const Value& ours,
                                 const std::string& path, NameMap& names) {
  const Value recorded = recorded_value(record["response"]["body"]);
  const auto status = record["response"]["status"].integer_or(0);
  if (status != answer.status)
    return "status: recorded " + std::to_string(status) + ", here " +
           std::to_string(answer.status) + " " + answer.body.substr(0, 200);
  if (status == 0 || status == 204 || record["response"]["body"]["$encoding"].is_string())
    return std::nullopt;
  if (record["response"]["body"]["$base64"].is_string() ||
      (recorded.is_map() && recorded.members().contains("$session")))
    return std::nullopt;
  if (path == "/jmap/session" && recorded.is_map())
    return difference(recorded, only_named(recorded, ours), names);
  return difference(recorded, ours, names);
}

}  // namespace

Score play_file(Stage& stage, const std::filesystem::path& file, Captures& captures, NameMap& names,
                const PlayOptions& options) {
  Score score;
  score.topic = file.stem().string();
  Recorder recorder(stage, options);
  std::ifstream lines(file);
  std::string text;
  Value header;  // of the scenario, where the format has one
  std::string scenario;
  while (std::getline(lines, text)) {
    for (const auto& [theirs, here] : options.addresses)
      for (std::size_t at = 0; (at = text.find("\"" + theirs + "\"", at)) != std::string::npos;)
        text.replace(at + 1, theirs.size(), here);
    for (std::size_t at = 0; (at = text.find("${DIR}", at)) != std::string::npos;)
      text.replace(at, 6, stage.directory().string());
    auto parsed = ir::parse_json(text);
    if (!parsed) {
      ADD_FAILURE() << file << ": " << parsed.error().to_line();
      return score;
    }
    const Value& record = *parsed;
    if (const std::string_view name = record["scenario"].string_or(""); name != scenario) {
      scenario = name;
      if (options.before_scenario) options.before_scenario(scenario);
    }
    if (record["header"].is_map()) {
      header = record["header"];
      continue;
    }
    const std::string note(record["note"].string_or(""));
    const std::string where =
        scenario + "/" + std::to_string(record["step"].integer_or(0)) + " " + note;
    const Value& request = record["request"];
    if (record["smtp"].is_list()) {
      ++score.total;
      if (auto found = recorder.smtp(record, note))
        score.disagreements.push_back(where + ": " + *found);
      else
        ++score.agreed;
      continue;
    }
    if (!request.is_map()) continue;
    const auto body = request_body(record, captures);
    // What names a thing that an exchange of other kinds, or a person outside, made is not counted.
    const bool is_sent = is_sent_by_plan(stage.schema(), record) &&
                         (!body || body->find("\"${") == std::string::npos);
    ++score.total;
    score.sent_total += is_sent ? 1 : 0;
    const auto fail = [&](const std::string& why) {
      score.disagreements.push_back((is_sent ? "[sent] " : "") + where + ": " + why);
    };
    if (!body) {
      fail("the request's body was not kept");
      continue;
    }
    // Some requests name things as they were called in the recording.
    std::string sent = *body;
    for (const auto& [theirs, here] : names.long_names())
      for (std::size_t at = 0; (at = sent.find("\"" + theirs + "\"", at)) != std::string::npos;)
        sent.replace(at + 1, theirs.size(), here);
    const std::string path = substitute(
        std::string(request["pathTemplate"].string_or(request["path"].string_or("/"))), captures);
    auto headers = headers_of(request, captures);
    if (!options.client_address.empty())
      headers.emplace_back("x-forwarded-for", options.client_address);
    recorder.learn_login(request);
    recorder.before(record, note, path, headers);
    const HttpAnswer answer =
        send_http(stage.target().port(rehearsal::Service::http),
                  std::string(request["method"].string_or("GET")), path, headers, sent);
    const Value ours = answer_value(answer);
    const Value recorded = recorded_value(record["response"]["body"]);
    // What this exchange names: in the record, or in the scenario's header.
    const auto capture = [&](const std::string& name, std::string_view pointer,
                             const Value& value) {
      std::string found;
      if (pointer.starts_with("header:")) {
        const auto known = answer.headers.find(std::string(pointer.substr(7)));
        if (known != answer.headers.end()) found = known->second;
      } else if (const Value* at = follow(ours, pointer)) {
        found = std::string(at->string_or(""));
      }
      const Value* theirs = value.is_string() ? &value : follow(recorded, pointer);
      if (!found.empty()) captures[name] = found;
      if (!found.empty() && theirs != nullptr && theirs->is_string())
        names.capture(theirs->as_string(), found);
    };
    for (const auto& [name, pointer] : record["captures"].members())
      capture(name, pointer.string_or(""), {});
    for (const auto& [name, each] : header["captures"].members())
      if (each["step"] == record["step"])
        capture(name, each["pointer"].string_or(""), each["value"]);
    const NameMap before = options.played != nullptr ? names : NameMap{};
    if (const auto found = judge(record, answer, ours, path, names)) {
      fail(*found);
      continue;
    }
    ++score.agreed;
    score.sent_agreed += is_sent ? 1 : 0;
    if (options.played != nullptr && recorded.is_map())
      options.played->push_back({recorded, ours, before});
  }
  return score;
}

}  // namespace plan::replay
