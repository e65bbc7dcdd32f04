#include "tests/support/radicale.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "runtime/net/stream.h"
#include "tests/support/shared_data.h"

namespace plan::test {
namespace {

namespace dav = net::dav;

constexpr const char* kProgram = "/usr/bin/radicale";

constexpr std::string_view kRights = R"(
[migrator]
user: migrator
collection: .*
permissions: RrWw

[root]
user: .+
collection:
permissions: R

[principal]
user: .+
collection: {user}
permissions: RW

[collections]
user: .+
collection: {user}/[^/]+
permissions: rw
)";

}  // namespace

std::unique_ptr<Radicale> Radicale::start(const std::vector<std::string>& users, std::string& why) {
  if (access(kProgram, X_OK) != 0) {
    why = "Radicale is not installed";
    return nullptr;
  }
  auto radicale = std::unique_ptr<Radicale>(new Radicale());
  const std::string folder = radicale->folder();
  std::ofstream accounts(folder + "/users");
  accounts << "migrator:migrator-secret\n";
  for (const std::string& user : users) accounts << user << ":secret\n";
  accounts.close();
  std::ofstream(folder + "/rights") << kRights;
  {
    auto listener = net::listen_tcp("127.0.0.1", 0);
    if (!listener) {
      why = "no free port";
      return nullptr;
    }
    radicale->port_ = (*listener)->port();
  }
  std::ofstream(folder + "/config") << fmt::format(
      "[server]\nhosts = 127.0.0.1:{0}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {1}/users\n"
      "htpasswd_encryption = plain\ndelay = 0\n[rights]\ntype = from_file\nfile = {1}/rights\n"
      "[storage]\nfilesystem_folder = {1}/data\n[web]\ntype = none\n",
      radicale->port_, folder);
  const std::string config = folder + "/config";
  const std::string log = folder + "/log";
  radicale->process_ = fork();
  if (radicale->process_ == 0) {
    setpgid(0, 0);
    setenv("TZ", "UTC", 1);
    const int null = open("/dev/null", O_RDWR);
    const int out = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    execl(kProgram, kProgram, "--config", config.c_str(), nullptr);
    _exit(127);
  }
  for (int tries = 0; tries < 1200; ++tries) {
    if (net::connect_tcp("127.0.0.1", radicale->port_,
                         net::Deadline::after(std::chrono::seconds(5))))
      return radicale;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  why = "Radicale does not start: " + read_all(log).substr(0, 2000);
  return nullptr;
}

Radicale::~Radicale() {
  if (process_ <= 0) return;
  kill(-process_, SIGKILL);
  int status = 0;
  waitpid(process_, &status, 0);
}

std::string Radicale::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

dav::Client Radicale::client(const std::string& user, const std::string& password) const {
  net::HttpOptions options;
  options.url = url();
  options.user = user;
  options.password = secret::Secret(std::string(password));
  options.blame = Blame::source;
  auto http = net::make_http_client(std::move(options));
  return dav::Client(std::shared_ptr<net::HttpClient>(std::move(*http)));
}

std::string Radicale::make(const std::string& user, dav::Kind kind, const std::string& name) {
  // A home is made when its owner logs in for the first time.
  const auto homes = client(user, "secret").homes("/" + net::percent_encode(user) + "/");
  if (!homes || !homes->is_there) return {};
  const auto home = net::dav::normal_href("/" + net::percent_encode(user) + "/", "");
  dav::Collection collection{
      .kind = kind, .href = *home + net::percent_encode(name) + "/", .name = name};
  const auto made = client().make(collection);
  return made && made->outcome == dav::Written::done ? collection.href : std::string();
}

std::string event_text(const std::string& uid, const std::string& summary,
                       const std::string& more) {
  return fmt::format(
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
      "DTSTAMP:20261101T080000Z\r\nDTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\n"
      "SUMMARY:{}\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n",
      uid, summary, more);
}

std::string card_text(const std::string& uid, const std::string& name) {
  return fmt::format(
      "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{}\r\nFN:{}\r\nN:{};;;;\r\nEMAIL:{}@ext.test\r\n"
      "END:VCARD\r\n",
      uid, name, name, uid);
}

}  // namespace plan::test
