#include "tests/support/dovecot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "runtime/net/sieve/client.h"
#include "tests/support/shared_data.h"

namespace plan::test {
namespace {

constexpr const char* kProgram = "/usr/sbin/dovecot";

constexpr std::string_view kConfiguration = R"(
protocols = imap sieve
listen = 127.0.0.1
base_dir = @/run
state_dir = @/state
log_path = @/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_master_user_separator = %
auth_username_chars =
auth_failure_delay = 0
passdb {
  driver = passwd-file
  master = yes
  args = scheme=PLAIN username_format=%u @/masters
  result_success = continue
}
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u @/users
}
userdb {
  driver = passwd-file
  args = username_format=%u @/users
}
mail_location = maildir:~/Maildir
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
namespace inbox {
  inbox = yes
  separator = SEPARATOR
  mailbox Sent {
    special_use = \Sent
    auto = subscribe
  }
  mailbox Papierkorb {
    special_use = \Trash
  }
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
}
service imap-login {
  inet_listener imap {
    port = IMAP
  }
  inet_listener imaps {
    port = 0
  }
}
service managesieve-login {
  inet_listener sieve {
    port = SIEVE
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
protocol imap {
  mail_max_userip_connections = 100
}
)";

std::uint16_t free_port() {
  auto listener = net::listen_tcp("127.0.0.1", 0);
  return listener ? (*listener)->port() : std::uint16_t{0};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::unique_ptr<Dovecot> Dovecot::start(const std::vector<std::string>& users, std::string& why,
                                        const std::string& separator, const std::string& capability,
                                        const std::string& settings) {
  if (access(kProgram, X_OK) != 0) {
    why = "Dovecot is not installed";
    return nullptr;
  }
  const passwd* mail = getpwnam("mail");
  if (geteuid() != 0 || mail == nullptr) {
    why = "Dovecot is only started as root, with a user mail";
    return nullptr;
  }
  auto dovecot = std::unique_ptr<Dovecot>(new Dovecot());
  const std::string folder = dovecot->folder();
  chmod(folder.c_str(), 0755);
  dovecot->imap_port_ = free_port();
  dovecot->sieve_port_ = free_port();
  std::string text(kConfiguration);
  if (!capability.empty())
    replace_all(text, "protocol imap {", "protocol imap {\n  imap_capability = CAPABILITY");
  replace_all(text, "@", folder);
  replace_all(text, "SEPARATOR", separator);
  replace_all(text, "IMAP", std::to_string(dovecot->imap_port_));
  replace_all(text, "SIEVE", std::to_string(dovecot->sieve_port_));
  replace_all(text, "CAPABILITY", capability);  // last: its words are names of ports here
  std::ofstream(folder + "/dovecot.conf") << text << settings;
  std::ofstream(folder + "/masters") << "master:master-secret\n";
  std::ofstream accounts(folder + "/users");
  for (const std::string& user : users) {
    const std::string home = folder + "/home/" + user;
    std::filesystem::create_directories(home);
    if (chown(home.c_str(), mail->pw_uid, mail->pw_gid) != 0) why = "chown";
    accounts << fmt::format("{}:secret:{}:{}::{}\n", user, mail->pw_uid, mail->pw_gid, home);
  }
  accounts.close();
  const std::string file = folder + "/dovecot.conf";
  dovecot->process_ = fork();
  if (dovecot->process_ == 0) {
    setpgid(0, 0);
    setenv("TZ", "UTC", 1);
    const int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(kProgram, kProgram, "-F", "-c", file.c_str(), nullptr);
    _exit(127);
  }
  for (int tries = 0; tries < 200; ++tries) {
    if (dovecot->login(users.front())) return dovecot;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  why = "Dovecot does not start: " + read_all(folder + "/dovecot.log").substr(0, 2000);
  return nullptr;
}

Dovecot::~Dovecot() {
  if (process_ <= 0) return;
  kill(-process_, SIGKILL);
  int status = 0;
  waitpid(process_, &status, 0);
}

Result<std::unique_ptr<net::imap::Client>> Dovecot::login(const std::string& user) {
  PLAN_TRY(client,
           net::imap::Client::connect(
               {.host = "127.0.0.1", .port = imap_port_, .security = net::imap::Security::none}));
  PLAN_TRY_VOID(client->login(user, secret::Secret("secret")));
  return std::move(client);
}

Result<std::unique_ptr<net::imap::Client>> Dovecot::login_as_master(const std::string& user) {
  PLAN_TRY(client,
           net::imap::Client::connect(
               {.host = "127.0.0.1", .port = imap_port_, .security = net::imap::Security::none}));
  PLAN_TRY_VOID(client->login(user + "%master", secret::Secret("master-secret")));
  return std::move(client);
}

std::string Dovecot::doveadm(const std::vector<std::string>& arguments) const {
  std::string command = "doveadm -c '" + folder() + "/dovecot.conf'";
  for (const std::string& argument : arguments) command += " '" + argument + "'";
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  char chunk[4096];
  for (std::size_t count = 0; (count = fread(chunk, 1, sizeof chunk, pipe)) > 0;)
    output.append(chunk, count);
  pclose(pipe);
  return output;
}

}  // namespace plan::test
