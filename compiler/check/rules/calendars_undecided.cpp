// Prevents: a server of calendars and contacts that the plan does not speak of. Nothing of it would
// be carried, so no account could be graded, and every move would be undone at its end. The same
// for one that it speaks of in a way that cannot work: a principal that is everybody's, the target
// in its place (reference/sources.md 17).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"
#include "compiler/syntax/names.h"

namespace plan::check::rules {
namespace {

constexpr std::string_view kAccount = "{account}";

const syntax::Node* written_dav(const Plan& plan) {
  const syntax::Node* source = plan.tree == nullptr ? nullptr : plan.tree->find("source");
  const syntax::Node* dav =
      source == nullptr || !source->is_mapping() ? nullptr : source->find("dav");
  return dav == nullptr || !dav->is_mapping() ? nullptr : dav;
}

/// Host and port of a URL.
std::string_view authority_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (url.ends_with(":443")) url.remove_suffix(4);
  return url;
}

/// Empty where it is that of https.
std::string_view port_of(std::string_view url) {
  const std::string_view authority = authority_of(url);
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
  return has_port ? authority.substr(colon + 1) : std::string_view();
}

/// What stands in braces and is not `{account}`: it would be sent as it is.
std::string_view other_mark(std::string_view text) {
  for (std::size_t begin = text.find('{'); begin != std::string_view::npos;
       begin = text.find('{', begin + 1)) {
    const std::size_t end = text.find('}', begin);
    if (end == std::string_view::npos) return text.substr(begin);
    const std::string_view mark = text.substr(begin, end - begin + 1);
    if (mark != kAccount) return mark;
  }
  return {};
}

class Values {
 public:
  Values(const Migration& migration, const syntax::Node& written, Sink& sink)
      : migration_(migration), written_(written), sink_(sink) {}

  void look() {
    const ir::Value& dav = migration_.plan.source["dav"];
    if (const syntax::Node* server = written_.find("server");
        server != nullptr && server->text == "none")
      return look_at_none(*server);
    look_at_url(dav);
    const syntax::Node* login = written_.find("login");
    if (login != nullptr && login->is_mapping())
      look_at_mark(dav["login"]["user"].string_or(""), "`user` of `dav`", login->find("user"));
    look_at_path(dav["path"].string_or(""));
  }

 private:
  void look_at_none(const syntax::Node& server) {
    for (const std::string_view key : {"url", "login", "path", "stays_behind"}) {
      const syntax::Entry* entry = written_.find_entry(key);
      if (entry == nullptr || entry->value.is_null()) continue;
      sink_
          .report(Kind::bad_value, entry->key_span,
                  fmt::format("`dav` says that there is no such server, and has a `{}`", key))
          .label("nothing of it would be carried or looked at")
          .note(server.span, "this is what counts")
          .help("name the server (`server: radicale`, `other`, ...), or leave the rest out");
      return;
    }
  }

  void look_at_url(const ir::Value& dav) {
    const syntax::Node* url = written_.find("url");
    const std::string_view text = dav["url"].string_or("");
    const std::string_view target = migration_.plan.target["url"].string_or("");
    if (url == nullptr || text.empty() || target.empty() || port_of(text) != port_of(target) ||
        !schema::is_same_host(syntax::host_of_url(text), syntax::host_of_url(target)))
      return;
    sink_
        .report(Kind::bad_value, url->span,
                fmt::format("`{}` is the target's own", printable(text, 120)))
        .label("calendars and contacts would be read from where they shall go to")
        .note(migration_.plan.place("target", "url"), "the target is here")
        .help("write the URL of the server that has them now");
  }

  void look_at_path(std::string_view path) {
    const syntax::Node* node = written_.find("path");
    if (node == nullptr || path.empty()) return;
    if (!path.starts_with('/')) {
      sink_
          .report(
              Kind::bad_value, node->span,
              fmt::format("`path` of `dav` is `{}`, which begins nowhere", printable(path, 120)))
          .help("it counts from the host on: `path: /dav/{account}/`");
      return;
    }
    look_at_mark(path, "`path` of `dav`", node);
    const bool is_one = migration_.lock != nullptr && migration_.accounts.size() <= 1;
    if (is_one || !other_mark(path).empty() || path.find(kAccount) != std::string_view::npos)
      return;
    sink_
        .report(Kind::bad_value, node->span,
                fmt::format("`path` of `dav` is `{}` for every account", printable(path, 120)))
        .label("each of them would get the calendars and contacts of this one")
        .help(
            "`{account}` stands for the account's address: `path: /dav/{account}/`; at the usual "
            "place of the server leave `path` out");
  }

  void look_at_mark(std::string_view text, std::string_view what, const syntax::Node* node) {
    const std::string_view mark = other_mark(text);
    if (mark.empty() || node == nullptr) return;
    sink_
        .report(Kind::bad_value, node->span,
                fmt::format("`{}` in {} stands for nothing", printable(mark, 60), what))
        .label("it would be sent as it is")
        .help("`{account}` stands for the account's address");
  }

  const Migration& migration_;
  const syntax::Node& written_;
  Sink& sink_;
};

}  // namespace

void calendars_undecided(const Migration& migration, Sink& sink) {
  if (const syntax::Node* written = written_dav(migration.plan))
    Values(migration, *written, sink).look();
  const ir::Value& dav = migration.plan.source["dav"];
  if (!dav.is_map() || dav["stays_behind"].bool_or(false)) return;
  if (!dav["url"].string_or("").empty()) return;  // carried
  sink.report(Kind::calendars_undecided, migration.plan.place("source", "dav"),
              fmt::format("the source has calendars and contacts ({}), and nothing says what "
                          "becomes of them",
                          printable(dav["server"].string_or(""), 200)))
      .label("no account of it could be graded: this part would be `not checked`")
      .help(
          "`url` and `login` in `dav` carry them over; `dav: {server: ..., stays_behind: true}` "
          "lets mail move and leaves them where they are; `dav: {server: none}` says that nobody "
          "uses that server");
}

}  // namespace plan::check::rules
