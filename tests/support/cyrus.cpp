#include "tests/support/cyrus.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "runtime/net/stream.h"

namespace plan::test {
namespace {

constexpr const char* kMaster = "/usr/lib/cyrus/bin/master";

// `defaultdomain` must not be the domain of the users: it is cut off their names, and the password
// file then knows nobody. The SQL engine is PostgreSQL unless told otherwise.
constexpr std::string_view kConfiguration = R"(cyrus_user: cyrus
configdirectory: @/conf
defaultpartition: default
partition-default: @/spool
sievedir: @/sieve
temp_path: @/tmp
proc_path: @/proc
mboxname_lockpath: @/lock
servername: cyrus.example.org
virtdomains: userid
defaultdomain: internal
unixhierarchysep: yes
altnamespace: yes
sql_engine: sqlite
httpmodules: jmap
conversations: yes
conversations_db: twoskip
search_engine: xapian
defaultsearchtier: t1
t1searchpartition-default: @/search
jmap_nonstandard_extensions: yes
autocreate_users: anyone
autocreate_post: yes
autocreate_quota: 0
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: @/sasldb2
)";

constexpr std::string_view kServices = R"(START {
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -C @/imapd.conf -r"
}
SERVICES {
  http cmd="/usr/lib/cyrus/bin/httpd -C @/imapd.conf" listen="127.0.0.1:HTTP" proto="tcp4" prefork=1
  lmtp cmd="/usr/lib/cyrus/bin/lmtpd -a -C @/imapd.conf" listen="127.0.0.1:LMTP" proto="tcp4" prefork=0
}
EVENTS {
}
DAEMON {
}
)";

std::string filled(std::string_view form, const std::string& folder, std::uint16_t http,
                   std::uint16_t lmtp) {
  std::string text(form);
  for (const auto& [mark, value] :
       {std::pair<std::string, std::string>{"127.0.0.1:HTTP", fmt::format("127.0.0.1:{}", http)},
        {"127.0.0.1:LMTP", fmt::format("127.0.0.1:{}", lmtp)},
        {"@", folder}}) {
    for (std::size_t at = text.find(mark); at != std::string::npos;
         at = text.find(mark, at + value.size()))
      text.replace(at, mark.size(), value);
  }
  return text;
}

std::uint16_t free_port() {
  auto listener = net::listen_tcp("127.0.0.1", 0);
  return listener ? (*listener)->port() : std::uint16_t{0};
}

}  // namespace

bool Cyrus::can_be_started() {
  return geteuid() == 0 && getpwnam("cyrus") != nullptr && access(kMaster, X_OK) == 0 &&
         access("/usr/lib/cyrus/bin/httpd", X_OK) == 0;
}

std::unique_ptr<Cyrus> Cyrus::start(const std::vector<std::string>& users, std::string& why) {
  auto cyrus = std::unique_ptr<Cyrus>(new Cyrus());
  const std::string folder = cyrus->directory_.path().string();
  cyrus->http_port_ = free_port();
  cyrus->lmtp_port_ = free_port();
  std::ofstream(folder + "/imapd.conf")
      << filled(kConfiguration, folder, cyrus->http_port_, cyrus->lmtp_port_);
  std::ofstream(folder + "/cyrus.conf")
      << filled(kServices, folder, cyrus->http_port_, cyrus->lmtp_port_);
  for (const char* name : {"conf/db", "conf/socket", "conf/ptclient", "conf/msg", "conf/log",
                           "conf/rpm", "spool", "sieve", "tmp", "proc", "lock", "search"})
    std::filesystem::create_directories(folder + "/" + name);
  for (const std::string& user : users) {
    const auto at = user.find('@');
    const std::string command =
        fmt::format("printf secret | saslpasswd2 -p -c -f '{}/sasldb2' -u '{}' '{}'", folder,
                    user.substr(at + 1), user.substr(0, at));
    if (std::system(command.c_str()) != 0) {
      why = "saslpasswd2 does not take a user";
      return nullptr;
    }
  }
  if (std::system(fmt::format("chown -R cyrus: '{}'", folder).c_str()) != 0) {
    why = "chown";
    return nullptr;
  }
  cyrus->process_ = fork();
  if (cyrus->process_ == 0) {
    setpgid(0, 0);
    const int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(kMaster, kMaster, "-D", "-C", (folder + "/imapd.conf").c_str(), "-M",
          (folder + "/cyrus.conf").c_str(), "-p", (folder + "/master.pid").c_str(), nullptr);
    _exit(127);
  }
  for (const std::string& user : users) {
    bool is_made = false;
    for (int tries = 0; tries < 200 && !is_made; ++tries) {
      is_made = cyrus->make_inbox(user) && cyrus->client(user)->session();
      if (!is_made) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (!is_made) {
      why = "Cyrus does not start";
      return nullptr;
    }
  }
  return cyrus;
}

bool Cyrus::make_inbox(const std::string& user) const {
  const net::Deadline deadline = net::Deadline::after(std::chrono::seconds(30));
  auto stream = net::connect_tcp("127.0.0.1", lmtp_port_, deadline);
  if (!stream) return false;
  net::LineReader reader(**stream, 4096);
  const auto said = [&](const std::string& line, char wanted) {
    if (!line.empty() && !(*stream)->write_all(line + "\r\n", deadline)) return false;
    while (true) {
      auto answer = reader.line(deadline);
      if (!answer || answer->size() < 4) return false;
      if ((*answer)[3] == ' ') return answer->front() == wanted;
    }
  };
  if (!said("", '2') || !said("LHLO localhost", '2') || !said("MAIL FROM:<>", '2') ||
      !said("RCPT TO:<" + user + ">", '2') || !said("DATA", '3') ||
      !said("Subject: makes the INBOX\r\n\r\n.", '2'))
    return false;
  // The message itself is in the way of whoever compares. The first upload makes a place for all of
  // them: two that come first at the same time get 404.
  const auto jmap = client(user);
  auto session = jmap->session();
  if (!session) return false;
  const std::string account = (*session)->primary_account(net::jmap::kMail);
  const net::jmap::CallOptions mail{.capabilities = {std::string(net::jmap::kMail)}};
  if (!jmap->upload(account, "first")) return false;
  auto found = jmap->call_one("Email/query", ir::Value::map({{"accountId", account}}), mail);
  if (!found) return false;
  auto gone = jmap->call_one(
      "Email/set", ir::Value::map({{"accountId", account}, {"destroy", (*found)["ids"]}}), mail);
  return gone.has_value();
}

Cyrus::~Cyrus() {
  if (process_ <= 0) return;
  kill(-process_, SIGKILL);
  int status = 0;
  waitpid(process_, &status, 0);
}

std::shared_ptr<net::jmap::Client> Cyrus::client(const std::string& user) const {
  net::HttpOptions options;
  options.url = fmt::format("http://127.0.0.1:{}", http_port_);
  options.user = user;
  options.password = secret::Secret("secret");
  auto http = net::make_http_client(std::move(options));
  if (!http) return nullptr;
  return std::make_shared<net::jmap::Client>(std::shared_ptr<net::HttpClient>(std::move(*http)));
}

}  // namespace plan::test
