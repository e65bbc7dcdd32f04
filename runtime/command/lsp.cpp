// The language server: JSON-RPC over stdin and stdout, as the Language Server Protocol 3.17 has it.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "compiler/editor.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/secret_mask.h"
#include "compiler/source/text.h"
#include "compiler/syntax/format.h"
#include "compiler/syntax/language.h"
#include "embedded/stdlib_modules.h"
#include "runtime/command/commands.h"
#include "runtime/command/project.h"

namespace plan::command {
namespace {

using ir::Value;

constexpr std::size_t kMessageBytesMax = std::size_t{64} << 20U;
constexpr std::size_t kHeaderBytesMax = 4096;
// Of JSON-RPC and of the protocol.
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidRequest = -32600;
constexpr int kRequestFailed = -32803;
constexpr int kFullText = 1;
// Read from a folder beside the text that is edited.
constexpr std::size_t kFilesMax = 256;
constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{4} << 20U;

/// One message with its header; nothing at the end of the input or when it is no message.
std::optional<std::string> read_message() {
  std::size_t size = 0;
  bool has_size = false;
  std::string line;
  while (true) {
    const int c = std::getchar();
    if (c == EOF || line.size() > kHeaderBytesMax) return std::nullopt;
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    const std::string_view header = trim(line);
    if (header.empty()) break;
    constexpr std::string_view kLength = "content-length:";
    if (lower_ascii(header).starts_with(kLength)) {
      const std::string_view digits = trim(header.substr(kLength.size()));
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
      has_size = error == std::errc() && end == digits.data() + digits.size();
    }
    line.clear();
  }
  if (!has_size || size > kMessageBytesMax) return std::nullopt;
  std::string body(size, '\0');
  if (std::fread(body.data(), 1, size, stdin) != size) return std::nullopt;
  return body;
}

void write_message(const Value& message) {
  const std::string body = ir::write_json(message);
  std::fputs(fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body).c_str(), stdout);
  std::fflush(stdout);
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// "file:///a%20b" -> "/a b".
std::string path_of(std::string_view uri) {
  constexpr std::string_view kFile = "file://";
  if (uri.starts_with(kFile)) uri.remove_prefix(kFile.size());
  std::string path;
  for (std::size_t i = 0; i < uri.size(); ++i) {
    if (uri[i] == '%' && i + 2 < uri.size() && digit_of(uri[i + 1]) >= 0 &&
        digit_of(uri[i + 2]) >= 0) {
      path += static_cast<char>(digit_of(uri[i + 1]) * 16 + digit_of(uri[i + 2]));
      i += 2;
    } else {
      path += uri[i];
    }
  }
  return path;
}

std::string uri_of(const std::string& path) {
  std::string uri = "file://";
  for (const char c : std::filesystem::absolute(path).lexically_normal().string()) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') ||
                          std::string_view("/-._~").find(c) != std::string_view::npos;
    uri += is_plain ? std::string(1, c)
                    : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return uri;
}

/// Lines and UTF-16 units, as the protocol counts, to bytes and back.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {
    begins_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') begins_.push_back(i + 1);
    }
  }
  [[nodiscard]] std::size_t offset(const Value& position) const {
    const auto line =
        static_cast<std::size_t>(std::max<std::int64_t>(position["line"].integer_or(0), 0));
    if (line >= begins_.size()) return text_.size();
    auto units = position["character"].integer_or(0);
    std::size_t at = begins_[line];
    while (units > 0 && at < text_.size() && text_[at] != '\n') {
      const std::size_t size = bytes_at(at);
      units -= size == 4 ? 2 : 1;
      at = std::min(at + size, text_.size());
    }
    return at;
  }
  [[nodiscard]] Value position(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    const auto line =
        std::upper_bound(begins_.begin(), begins_.end(), offset) - begins_.begin() - 1;
    std::int64_t units = 0;
    for (std::size_t at = begins_[static_cast<std::size_t>(line)]; at < offset;) {
      const std::size_t size = bytes_at(at);
      units += size == 4 ? 2 : 1;
      at += size;
    }
    return Value::map({{"line", static_cast<std::int64_t>(line)}, {"character", units}});
  }
  [[nodiscard]] Value range(std::size_t begin, std::size_t end) const {
    return Value::map({{"start", position(begin)}, {"end", position(std::max(begin, end))}});
  }

 private:
  [[nodiscard]] std::size_t bytes_at(std::size_t at) const {
    const auto byte = static_cast<unsigned char>(text_[at]);
    return byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
  }
  std::string_view text_;
  std::vector<std::size_t> begins_;
};

int severity_of(Severity severity) {
  return severity == Severity::error ? 1 : severity == Severity::warning ? 2 : 3;
}

class LanguageServer {
 public:
  ExitCode run() {
    while (auto body = read_message()) {
      const auto message = ir::parse_json(*body);
      if (!message || !message->is_map()) {
        answer_error(Value(), kInvalidRequest, "this is no message");
        continue;
      }
      const std::string method((*message)["method"].string_or(""));
      if (method == "exit") return is_shut_down_ ? ExitCode::done : ExitCode::error;
      handle(method, (*message)["id"], (*message)["params"]);
    }
    return is_shut_down_ ? ExitCode::done : ExitCode::error;
  }

 private:
  void handle(const std::string& method, const Value& id, const Value& params) {
    const std::string uri(params["textDocument"]["uri"].string_or(""));
    if (method == "textDocument/didOpen") {
      open(uri, std::string(params["textDocument"]["text"].string_or("")));
    } else if (method == "textDocument/didChange") {
      const Value& changes = params["contentChanges"];
      if (changes.size() > 0)
        open(uri, std::string(changes.item(changes.size() - 1)["text"].string_or("")));
    } else if (method == "textDocument/didClose") {
      texts_.erase(uri);
      publish(uri, Value::list());
    } else if (id.is_null()) {
      return;  // a notification that means nothing here
    } else if (method == "initialize") {
      answer(id, capabilities());
    } else if (method == "shutdown") {
      is_shut_down_ = true;
      answer(id, Value());
    } else if (method == "textDocument/completion") {
      answer(id, complete(uri, params["position"]));
    } else if (method == "textDocument/hover") {
      answer(id, hover(uri, params["position"]));
    } else if (method == "textDocument/definition") {
      answer(id, definition(uri, params["position"]));
    } else if (method == "textDocument/prepareRename") {
      answer(id, prepare_rename(uri, params["position"]));
    } else if (method == "textDocument/rename" && !uri.empty()) {
      rename(id, uri, params);
    } else if (method == "textDocument/formatting") {
      answer(id, formatting(uri));
    } else {
      answer_error(id, kMethodNotFound, fmt::format("there is no `{}`", printable(method, 80)));
    }
  }

  static void answer(const Value& id, Value result) {
    write_message(Value::map({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}}));
  }
  static void answer_error(const Value& id, int code, const std::string& message) {
    write_message(Value::map({{"jsonrpc", "2.0"},
                              {"id", id},
                              {"error", Value::map({{"code", code}, {"message", message}})}}));
  }

  static Value capabilities() {
    return Value::map(
        {{"capabilities",
          Value::map({{"textDocumentSync", kFullText},
                      {"hoverProvider", true},
                      {"definitionProvider", true},
                      {"documentFormattingProvider", true},
                      {"renameProvider", Value::map({{"prepareProvider", true}})},
                      {"completionProvider",
                       Value::map({{"triggerCharacters", Value::list({".", ":", "="})}})}})},
         {"serverInfo", Value::map({{"name", "plan"}})}});
  }

  void open(const std::string& uri, std::string text) {
    texts_[uri] = std::move(text);
    diagnose(uri);
  }

  static void publish(const std::string& uri, Value diagnostics) {
    write_message(Value::map(
        {{"jsonrpc", "2.0"},
         {"method", "textDocument/publishDiagnostics"},
         {"params", Value::map({{"uri", uri}, {"diagnostics", std::move(diagnostics)}})}}));
  }

  void diagnose(const std::string& uri) {
    const std::string path = path_of(uri);
    SourceSet sources;
    Sink sink;
    const FileId file = sources.add(path, texts_[uri]);
    const auto tree = syntax::read_source(sources, file, sink);
    const bool is_plan = tree && tree->find("plan") != nullptr;
    ProjectFiles files;
    files.texts = open_beside(path);
    if (is_plan) files.plan_text = texts_[uri];
    const std::string plan = is_plan ? path : plan_beside(path);
    if (!is_plan && !plan.empty()) {
      const auto text = texts_.find(uri_of(plan));
      if (text != texts_.end()) files.plan_text = text->second;
    }
    const auto project = plan.empty() ? Result<Project>(Project()) : load_project(plan, files);
    // A module is compiled where it is used; one that nobody uses is only read.
    const std::string name = is_plan ? path : std::filesystem::path(path).filename().string();
    const SourceSet* compiled = project ? project->compiled.sources.get() : nullptr;
    if (compiled == nullptr || !has_source(*compiled, name))
      return publish(uri, shown(sink.sorted(), sources, path));
    publish(uri, shown(project->compiled.diagnostics, *compiled, name));
  }

  static bool has_source(const SourceSet& sources, const std::string& name) {
    for (std::size_t i = 1; i <= sources.size(); ++i) {
      if (sources.name(static_cast<FileId>(i)) == name) return true;
    }
    return false;
  }

  /// The plan of the folder that a module lies in; empty: there is none.
  static std::string plan_beside(const std::string& module) {
    for (const char* name : {"migration.yaml", "migration.plan"}) {
      const std::filesystem::path plan = std::filesystem::path(module).parent_path() / name;
      std::error_code ignored;
      if (plan != module && std::filesystem::is_regular_file(plan, ignored)) return plan.string();
    }
    return {};
  }

  /// What is open in the editor of one folder, by name.
  std::map<std::string, std::string> open_beside(const std::string& path) const {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::map<std::string, std::string> texts;
    for (const auto& [uri, text] : texts_) {
      const std::filesystem::path other = path_of(uri);
      if (other.parent_path() == folder) texts[other.filename().string()] = text;
    }
    return texts;
  }

  /// The target's schema as the lock beside the text names it; null: it was not fetched.
  const schema::Schema* schema_beside(const std::string& path) {
    const ProjectFolder folder = project_folder(path);
    std::string digest = schema_digest_of(folder);
    if (digest.empty()) return nullptr;
    if (digest != schema_digest_) {
      schema_ = read_schema_of(folder, digest);
      schema_digest_ = std::move(digest);
    }
    return schema_.get();
  }

  static Value shown(const std::vector<Diagnostic>& diagnostics, const SourceSet& sources,
                     const std::string& path) {
    Value list = Value::list();
    SecretMask mask(sources, diagnostics);
    for (const Diagnostic& given : diagnostics) {
      // What stands in the lock or in a module is shown there by `plan check`.
      if (!given.span.is_known() || sources.name(given.span.file) != path) continue;
      const Diagnostic d = mask.masked(given);
      const Places places(sources.text(d.span.file));
      std::string message = d.message;
      if (!d.label.empty()) message += "\n" + d.label;
      for (const std::string& help : d.help) message += "\nhelp: " + help;
      list.push_back(Value::map({{"range", places.range(d.span.begin, d.span.end)},
                                 {"severity", severity_of(d.severity)},
                                 {"code", info(d.kind).name},
                                 {"source", "plan"},
                                 {"message", std::move(message)}}));
    }
    return list;
  }

  Value complete(const std::string& uri, const Value& position) {
    const std::string& text = texts_[uri];
    std::vector<std::string> modules;
    for (const EmbeddedFile& module : embedded::stdlib_modules())
      modules.push_back(fmt::format("std/{}", module.name.substr(0, module.name.rfind('.'))));
    Value items = Value::list();
    for (Completion& one : completions_at(path_of(uri), text, Places(text).offset(position),
                                          modules, schema_beside(path_of(uri)))) {
      items.push_back(Value::map({{"label", std::move(one.label)},
                                  {"detail", std::move(one.detail)},
                                  {"insertText", std::move(one.insert)}}));
    }
    return items;
  }

  Value hover(const std::string& uri, const Value& position) {
    const std::vector<EditedFile> files = files_and_modules(uri);
    const std::size_t at = Places(files[0].text).offset(position);
    std::optional<std::string> page;
    // A name of the author's own may be that of a key, too.
    if (const auto place = definition_of_name_at(files, 0, at)) {
      page = declaration_at(files, *place);
    } else {
      page = hover_at(files[0].path, files[0].text, at, schema_beside(path_of(uri)));
    }
    if (!page) return {};
    return Value::map({{"contents", Value::map({{"kind", "markdown"}, {"value", *page}})}});
  }

  /// The file at `uri` first, then the plans and modules of its folder; what is open in the editor
  /// stands for what is on the disk.
  std::vector<EditedFile> files_beside(const std::string& uri) {
    namespace fs = std::filesystem;
    const fs::path path = path_of(uri);
    std::vector<EditedFile> files = {{path.filename().string(), texts_[uri]}};
    std::map<std::string, std::string> others;
    for (const auto& [other, text] : texts_) {
      const fs::path open_path = path_of(other);
      if (other != uri && open_path.parent_path() == path.parent_path())
        others[open_path.filename().string()] = text;
    }
    std::error_code unread;
    for (const auto& entry : fs::directory_iterator(path.parent_path(), unread)) {
      const std::string name = entry.path().filename().string();
      const bool is_ours = name.ends_with(".plan") || name.ends_with(".yaml");
      std::error_code ignored;
      if (!is_ours || name == files[0].path || others.contains(name) ||
          others.size() >= kFilesMax || !entry.is_regular_file(ignored) ||
          entry.file_size(ignored) > kFileBytesMax)
        continue;
      std::ifstream in(entry.path(), std::ios::binary);
      others[name] = std::string(std::istreambuf_iterator<char>(in), {});
    }
    for (auto& [name, text] : others) files.push_back({name, std::move(text)});
    return files;
  }

  /// With the modules of the program behind them: a step of the operator's own wins.
  std::vector<EditedFile> files_and_modules(const std::string& uri) {
    std::vector<EditedFile> files = files_beside(uri);
    for (EditedFile& module : standard_modules()) files.push_back(std::move(module));
    return files;
  }

  /// Where an editor can read a module of the program: a copy in the user's cache, by its digest,
  /// so that another version of plan has another. Empty: there is no place to write to.
  static std::string readable_copy(const EditedFile& module) {
    namespace fs = std::filesystem;
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    fs::path folder;
    if (cache != nullptr && fs::path(cache).is_absolute()) {
      folder = cache;
    } else if (home != nullptr && fs::path(home).is_absolute()) {
      folder = fs::path(home) / ".cache";
    } else {
      return {};
    }
    const fs::path file =
        folder / "plan" / ir::sha256(module.text).hex().substr(0, 16) / module.path;
    if (const auto there = read_text_file(file.string(), module.text.size() + 1);
        there && *there == module.text)
      return file.string();
    std::error_code failure;
    fs::create_directories(file.parent_path(), failure);
    if (failure || !write_text_file(file.string(), module.text, 0444)) return {};
    return file.string();
  }

  static std::string uri_beside(const std::string& uri, const std::string& name) {
    const std::filesystem::path path = path_of(uri);
    return name == path.filename() ? uri : uri_of((path.parent_path() / name).string());
  }

  static Value range_in(const std::vector<EditedFile>& files, const FilePlace& place) {
    const auto file = std::find_if(files.begin(), files.end(),
                                   [&](const EditedFile& one) { return one.path == place.path; });
    const Places places(file == files.end() ? std::string_view() : file->text);
    return places.range(place.begin, place.end);
  }

  Value definition(const std::string& uri, const Value& position) {
    const std::vector<EditedFile> files = files_and_modules(uri);
    const auto found = definition_at(files, 0, Places(files[0].text).offset(position));
    if (!found) return {};
    std::string where = uri_beside(uri, found->path);
    if (found->path.starts_with("std/")) {
      const auto module = std::find_if(files.begin(), files.end(), [&](const EditedFile& one) {
        return one.path == found->path;
      });
      const std::string copy = module == files.end() ? std::string() : readable_copy(*module);
      if (copy.empty()) return {};
      where = uri_of(copy);
    }
    return Value::map({{"uri", std::move(where)}, {"range", range_in(files, *found)}});
  }

  /// What would be renamed; null: nothing there has a name of its own.
  Value prepare_rename(const std::string& uri, const Value& position) {
    const std::vector<EditedFile> files = files_beside(uri);
    const std::size_t at = Places(files[0].text).offset(position);
    for (const FilePlace& place : places_of_name_at(files, 0, at)) {
      if (place.path == files[0].path && at >= place.begin && at <= place.end)
        return range_in(files, place);
    }
    return {};
  }

  void rename(const Value& id, const std::string& uri, const Value& params) {
    const std::vector<EditedFile> files = files_beside(uri);
    const std::size_t at = Places(files[0].text).offset(params["position"]);
    const std::string name(params["newName"].string_or(""));
    if (const std::string why = why_not_renamed(files, 0, at, name); !why.empty())
      return answer_error(id, kRequestFailed, why);
    Value changes = Value::map();
    for (const FilePlace& place : places_of_name_at(files, 0, at)) {
      const std::string where = uri_beside(uri, place.path);
      Value edits = changes[where].is_list() ? changes[where] : Value::list();
      edits.push_back(Value::map({{"range", range_in(files, place)}, {"newText", name}}));
      changes.set(where, std::move(edits));
    }
    answer(id, Value::map({{"changes", std::move(changes)}}));
  }

  Value formatting(const std::string& uri) {
    const std::string& text = texts_[uri];
    const std::string path = path_of(uri);
    SourceSet sources;
    Sink unheard;
    const auto formatted = syntax::format_source(
        sources, sources.add(path, text),
        syntax::is_language_file(path) ? syntax::Language::plan : syntax::Language::yaml, unheard);
    if (!formatted.text || *formatted.text == text) return Value::list();
    return Value::list({Value::map(
        {{"range", Places(text).range(0, text.size())}, {"newText", *formatted.text}})});
  }

  std::map<std::string, std::string> texts_;      // by uri
  std::shared_ptr<const schema::Schema> schema_;  // the last one that was asked for
  std::string schema_digest_;
  bool is_shut_down_ = false;
};

}  // namespace

ExitCode run_lsp(const Invocation&) { return LanguageServer().run(); }

}  // namespace plan::command
