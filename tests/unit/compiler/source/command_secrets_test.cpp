#include "compiler/source/command_secrets.h"

#include <gtest/gtest.h>

namespace plan {
namespace {

/// The command with each secret as `***<what it stands behind>`.
std::string shown(const std::vector<std::string_view>& words) {
  CommandWords command;
  std::string out;
  for (const std::string_view word : words) {
    std::size_t at = 0;
    if (!out.empty()) out += ' ';
    for (const SecretOfWord& secret : command.take(word)) {
      out += word.substr(at, secret.begin - at);
      out += "***<" + secret.behind + ">";
      at = secret.end;
    }
    out += word.substr(at);
  }
  return out;
}

struct Case {
  std::vector<std::string_view> words;
  std::string_view shown;
};

TEST(CommandSecrets, AreFoundInEveryForm) {
  for (const auto& [words, expected] : std::vector<Case>{
           {{"x", "--password", "hunter2"}, "x --password ***<--password>"},
           {{"point", "--password=hunter2"}, "point --password=***<--password=>"},
           {{"env", "MYSQL_PWD=hunter2", "mysql", "-p", "db"},
            "env MYSQL_PWD=***<MYSQL_PWD=> mysql -p db"},
           {{"docker", "run", "-e", "DB_PASS=hunter2"}, "docker run -e DB_PASS=***<DB_PASS=>"},
           {{"x", "API_KEY=hunter2h"}, "x API_KEY=***<API_KEY=>"},
           {{"curl", "https://a:hunter2@h/"}, "curl https://a:***<https://a:>@h/"},
           {{"curl", "https://h/?a=b&token=hunter2"},
            "curl https://h/?a=b&token=***<https://h/?a=b&token=>"},
           {{"curl", "-d", "user=a&password=hunter2&x=y"},
            "curl -d user=a&password=***<user=a&password=>&x=y"},
           {{"curl", "-u", "a:hunter2"}, "curl -u a:***<-u>"},
           {{"curl", "-ua:hunter2"}, "curl -ua:***<-ua:>"},
           {{"curl", "--user=a:hunter2"}, "curl --user=a:***<--user=a:>"},
           {{"sudo", "-u", "bind:bind", "curl", "-u", "bind:bind"},
            "sudo -u bind:bind curl -u bind:***<-u>"},
           {{"/opt/x", "-u", "a:hunter2"}, "/opt/x -u a:***<-u>"},
           {{"x", "--tsig-key", "c2VjcmV0c2VjcmV0"}, "x --tsig-key ***<--tsig-key>"},
           {{"x", "SECRET=aHVudGVy/Mg=="}, "x SECRET=***<SECRET=>"},
           {{"x", "--reset-password", "hunter2"}, "x --reset-password ***<--reset-password>"},
           {{"curl", "-H", "X-Auth-Key: hunter2hunter2"}, "curl -H X-Auth-Key: ***<-H>"},
           {{"curl", "--header=Authorization:hunter2"},
            "curl --header=Authorization:***<--header=Authorization:>"}})
    EXPECT_EQ(shown(words), expected);
}

TEST(CommandSecrets, AreWhatAProgramTakesForOne) {
  for (const auto& [words, expected] : std::vector<Case>{
           {{"mysql", "-phunter2"}, "mysql -p***<-p>"},
           {{"/usr/bin/mariadb-dump", "-phunter2"}, "/usr/bin/mariadb-dump -p***<-p>"},
           {{"ldapsearch", "-w", "hunter2"}, "ldapsearch -w ***<-w>"},
           {{"ldapmodify", "-whunter2", "-x"}, "ldapmodify -w***<-w> -x"},
           {{"sshpass", "-phunter2", "ssh", "-p", "22"}, "sshpass -p***<-p> ssh -p 22"},
           {{"smbclient", "-U", "a%hunter2"}, "smbclient -U a%***<-U>"},
           {{"nsupdate", "-y", "hmac-sha256:k:hunter2"}, "nsupdate -y hmac-sha256:k:***<-y>"},
           {{"lftp", "-u", "a,hunter2", "h"}, "lftp -u a,***<-u> h"},
           {{"openssl", "x", "-passin", "pass:hunter2"}, "openssl x -passin pass:***<-passin>"},
           {{"openssl", "enc", "-k", "hunter2"}, "openssl enc -k ***<-k>"},
           {{"curl", "--oauth2-bearer", "hunter2"}, "curl --oauth2-bearer ***<--oauth2-bearer>"},
           {{"curl", "-E", "c.pem:hunter2"}, "curl -E c.pem:***<-E>"},
           {{"curl", "--proxy-header", "Proxy-Authorization: Basic hunter2"},
            "curl --proxy-header Proxy-Authorization: ***<--proxy-header>"},
           {{"http", "-a", "admin:hunter2", "h"}, "http -a admin:***<-a> h"},
           {{"https", "--auth=admin:hunter2", "h"}, "https --auth=admin:***<--auth=admin:> h"},
           {{"http", "h", "Authorization:Bearer hunter2", "password:=\"hunter2\""},
            "http h Authorization:***<Authorization:> password:=***<password:=>"},
           {{"samba-tool", "user", "list", "-U", "admin%hunter2"},
            "samba-tool user list -U admin%***<-U>"},
           {{"rpcclient", "--user=a%hunter2"}, "rpcclient --user=a%***<--user=a%>"},
           {{"samba-tool", "user", "create", "bob", "hunter2"},
            "samba-tool user create bob ***<user create>"},
           {{"doveadm", "-o", "x=y", "pw", "-p", "hunter2"}, "doveadm -o x=y pw -p ***<-p>"},
           {{"doveadm", "auth", "test", "a", "hunter2"}, "doveadm auth test a ***<auth test>"},
           {{"docker", "login", "-p", "hunter2"}, "docker login -p ***<-p>"},
           {{"git", "-c", "http.extraHeader=Authorization: Bearer hunter2"},
            "git -c http.extraHeader=Authorization: Bearer "
            "***<http.extraHeader=Authorization: Bearer>"},
           {{"mysql", "-e", "ALTER USER a IDENTIFIED BY 'hunter2'"},
            "mysql -e ALTER USER a IDENTIFIED BY '***<IDENTIFIED BY>'"}})
    EXPECT_EQ(shown(words), expected);
}

TEST(CommandSecrets, AreFoundInWhatIsSent) {
  for (const auto& [words, expected] : std::vector<Case>{
           {{"curl", "-d", R"({"user":"a","password":"hunter2"})"},
            R"(curl -d {"user":"a","password":"***<password>"})"},
           {{"curl", "--json", R"({ "token" : "hun\"ter2" })"},
            R"(curl --json { "token" : "***<token>" })"},
           {{"curl", R"(--data-raw={'apiKey': 'hunter2', 'x': 'y'})"},
            R"(curl --data-raw={'apiKey': '***<apiKey>', 'x': 'y'})"},
           {{"sh", "-c", R"(curl -d '{"password":"hunter2"}' h)"},
            R"(sh -c curl -d '{"password":"***<password>"}' h)"},
           {{"sh", "-c", R"(curl -d "{\"password\": \"hunter2\"}" h)"},
            R"(sh -c curl -d "{\"password\": \"***<password>\"}" h)"},
           {{"curl", "-d", R"({"password":"hunter2)"}, R"(curl -d {"password":"***<password>)"}})
    EXPECT_EQ(shown(words), expected);
}

TEST(CommandSecrets, AreFoundInALineOfAShell) {
  EXPECT_EQ(shown({"sh", "-c", "mysql -phunter2 x; curl --user=a:hunter2 h"}),
            "sh -c mysql -p***<-p> x; curl --user=a:***<--user=a:> h");
  EXPECT_EQ(shown({"sh", "-c", "ssh h 'mysql -phunter2 db'"}), "sh -c ssh h 'mysql -p***<-p> db'");
  EXPECT_EQ(shown({"sh", "-c", "curl -H 'Authorization: Bearer hunter2' h"}),
            "sh -c curl -H 'Authorization: ***<-H>' h");
  EXPECT_EQ(shown({"sh", "-c", "don't --password hunter2"}),
            "sh -c don't --password ***<--password>");
}

TEST(CommandSecrets, AreNoneWhereTheySayWhereOneIsReadOrNothingIsSecret) {
  for (const std::vector<std::string_view>& words : std::vector<std::vector<std::string_view>>{
           {"curl", "-u", "root"},
           {"curl", "-H", "Authorization: Bearer $TOKEN"},
           {"docker", "run", "-u", "1000:1000", "--name", "mysql", "-p3306:3306"},
           {"mysql", "--defaults-file=/root/.my.cnf", "--password", "-p", "mail"},
           {"openssl", "x", "-passin", "env:X"},
           {"ssh", "-p", "22", "h"},
           {"x", "--token", "-v"},
           {"x", "--password-file=/etc/x", "--token=/run/secrets/token", "--key=a"},
           {"x", "--sort-key=date-and-time", "PRIMARY_KEY=abcdefgh", "PWD=/srv/mail"},
           {"sh", "-c", "mysql -p$PW; curl -u \"$USER:$PW\" h; TOKEN=$(cat /etc/token) x"},
           {"aws", "route53", "--hosted-zone-id", "Z1", "--change-batch", "file://x.json"},
           {"ip", "addr", "add", "203.0.113.10/32", "dev", "eth0"},
           {"docker", "exec", "--user=bind:bind", "dns", "rndc"},
           {"docker", "exec", "-u", "bind:bind", "dns"},
           {"docker", "run", "-u", "1000:mail", "x"},
           {"sudo", "-u", "bind:bind", "/opt/x"},
           {"/opt/x", "-u", "bind:bind"},
           {"/opt/x", "--user=www:www-data"},
           {"curl", "--tls-key", "certs/client.key", "https://dns"},
           {"ansible-playbook", "--private-key", "keys/id_ed25519", "dns.yml"},
           {"ansible-playbook", "--ask-become-pass", "dns.yml"},
           {"/opt/dns", "--api-key=@key.txt"},
           {"/opt/dns", "--api-key", "secrets/api.key"},
           {"gcloud", "secrets", "versions", "access", "latest", "--secret=dns-token"},
           {"env", "DNS_TOKEN=op://vault/dns/token", "op", "run", "--", "/opt/x"},
           {"/opt/dns", "--tsig-key", "example-org-key", "--zone", "example.org"},
           {"/opt/dns", "--tsig-key=example-org-key-2026"},
           {"/opt/cutover", "--reset-password=no", "--with-token", "yes"},
           {"psql", "--no-password", "dnsdb"},
           {"mysql", "--skip-password", "dnsdb"},
           {"psql", "--password", "dnsdb"},
           {"curl", "-d", R"({"password": null, "token": "", "passwordHash": "x", "user": "a"})"},
           {"sh", "-c", R"(curl -d "{\"token\": \"$TOKEN\"}" h; curl -d '{"token":"'"$T"'"}' h)"},
           {"curl", "--json", "@body.json", "--cert-type", "PEM", "--cert", "c.pem", "--tlsv1.2"},
           {"curl", "-H", "Content-Type: application/json", "https://h/x"},
           {"http", "-a", "admin", "POST", "h", "Accept:application/json", "a=b"},
           {"swaks", "-p", "25", "-apt", "-au", "alice", "--protocol", "SSMTPA"},
           {"x", "-a", "admin:admin", "-p", "25"},
           {"docker", "run", "-p", "25:25", "login"},
           {"docker", "compose", "-p", "mail", "up"},
           {"openssl", "s_client", "-key", "x.pem", "-keyform", "PEM"},
           {"openssl", "enc", "-kfile", "x"},
           {"doveadm", "auth", "test", "-x", "service=imap", "alice"},
           {"doveadm", "sync", "-u", "alice@example.org", "tcp:h:12345"},
           {"samba-tool", "user", "create", "bob", "--random-password"},
           {"grep", "Authorization: Bearer", "/var/log/x"},
           {"psql", "-c", "SELECT password FROM users WHERE a = 'x'"},
           {"", "-", "--"}}) {
    std::string line;
    for (const std::string_view word : words) line += (line.empty() ? "" : " ") + std::string(word);
    EXPECT_EQ(shown(words), line);
  }
}

}  // namespace
}  // namespace plan
