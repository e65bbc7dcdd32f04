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

TEST(CommandSecrets, AreNoneInWhatOnlyLooksLikeOne) {
  for (
      const std::vector<std::string_view>& words : std::vector<std::vector<std::string_view>>{
          {"logger", "-t", "plan", "Authorization: needed"},
          {"wall", "Authorization: required before noon"},
          {"sh", "-c", "echo 'Authorization: required'"},
          {"mail", "-s", "Authorization: approved by Bob", "ops@example.org"},
          {"python3", "-c", R"~(import json; print({"token": "token"}))~"},
          {"python3", "-c", "d={'password': 'PASSWORD'}"},
          {"sh", "-c",
           R"~(curl -H "Authorization: sso-key $KEY:$SECRET" https://api.godaddy.com/v1/domains)~"},
          {"sh", "-c", R"~(curl -H "Authorization: Apikey $KEY" https://d)~"},
          {"sh", "-c", R"~(curl -H "Authorization: ApiKey $(cat /run/t)" https://d)~"},
          {"sh", "-c", R"~(curl -H "Authorization: Digest $X" https://d)~"},
          {"sh", "-c", R"~(curl --negotiate -u : -H "Authorization: Negotiate" https://d)~"},
          {"sh", "-c", R"~(curl -H "Authorization: PVEAPIToken=$X" https://d)~"},
          {"sh", "-c", R"~(curl -H "Authorization: api-token $T" https://d)~"},
          {"sh", "-c", R"~(curl -H 'Authorization: Bearer '"$T" https://d)~"},
          {"sh", "-c", R"~(curl -H "X-Authorization: sso-key $T" https://d)~"},
          {"curl", "-H", "Authorization: sso-key $KEY", "https://d"},
          {"wget", "--header", "Authorization: sso-key $KEY", "https://d"},
          {"sh", "-c", R"~(printf '{"token":"%s"}' "$T" | curl -d @- https://d)~"},
          {"sh", "-c",
           R"~(T=$(curl -s https://d/login | sed -n 's/.*"token":"\([^"]*\)".*/\1/p'); flip)~"},
          {"sh", "-c",
           R"~(T=$(curl -s https://d/login | grep -o '"access_token":"[^"]*"' | cut -d: -f2); flip)~"},
          {"python3", "-c",
           "import urllib.request as u; u.Request('d', headers={'Authorization': 'Bearer ' + "
           "open('/run/t').read()})"},
          {"python3", "-c", "h={'Authorization': 'Bearer {}'.format(t)}"},
          {"python3", "-c", "h={'Authorization': 'Bearer %s' % t}"},
          {"python3", "-c", "h=f'Authorization: Bearer {token}'"},
          {"sh", "-c", R"~(curl -d '{"password": "{{PASSWORD}}"}' https://d)~"},
          {"sh", "-c", R"~(sed 's/"token": "TOKEN"/x/' a)~"},
          {"curl", "-d", R"~({"authorization": "none"})~", "https://d"},
          {"curl", "-d", R"~({"dns_key": "mail-example-org"})~", "https://d"},
          {"curl", "-d", R"~({"record-key": "mail-example-org"})~", "https://d"},
          {"curl", "-d", R"~({"zone_key": "example.org.zone"})~", "https://d"},
          {"kubectl", "patch", "deploy", "x", "-p",
           R"~({"env":{"name":"TOKEN","secret":"dns-token"}})~"},
          {"kubectl", "patch", "x", "-p", R"~({"existingSecret":"dns-credentials"})~"},
          {"helm", "upgrade", "dns", "--set", "auth.existingSecret=dns"},
          {"ansible", "http", "-m", "shell", "-a", "echo:hello"},
          {"ansible", "https", "-m", "debug", "-a", "msg:hello"},
          {"firewall-cmd", "--add-service", "https", "-u", "dns:dns"},
          {"runuser", "-u", "http", "--", "flip", "-u", "dns:dns"},
          {"sudo", "-u", "http", "flip", "-u", "dns:dns"},
          {"psql", "-c", "alter role dns valid until 'infinity'; -- password 'is kept'"},
          {"sh", "-c", R"~(psql -c "select 'no password', 'x'")~"},
          {"mysql", "-e", "update settings set note = 'password' where id = 'a'"},
          {"mysql", "-e", "select * from t where k='password' and v='x'"},
          {"mysql", "-e", "update t set type='no password', name='x'"},
          {"mysql", "-e", "delete from flags where name in ('password','x')"},
          {"mysql", "-e", "update t set a='reset password' , b='mail'"},
          {"psql", "-c", "select 'password' 'x'"},
          {"curl", "-E", "pkcs11:object=cert", "https://d"},
          {"curl", "--cert", "pkcs11:token=x;object=y", "https://d"},
          {"curl", "-E", "C:/cert.pem", "https://d"},
          {"flip", "--check-authorization", "strict"},
          {"http", "GET", "d", "q==token:abc"},
          {"http", "d", "token:=5"},
          {"sh", "-c", R"~(curl -H "Authorization: DNS-Auth $T" https://d)~"},
          {"sh", "-c", R"~(curl -H "Authorization: Api-Token $(cat /run/t)" https://d)~"},
          {"python3", "-c", "r={'password': os.environ['PW']}; d={'auth_token': 'none'}"},
          {"mysql", "-e", "update t set type = 'password', v = 'x'"},
          {"psql", "-c", "select 1 where kind in ('password', 'token')"},
          {"sh", "-c", R"~(grep -oP password=\K.* dns.conf)~"},
          {"grep", "-oP", R"~(password=\K.*)~", "dns.conf"},
          {"wall", "Authorization: token needed"}}) {
    std::string line;
    for (const std::string_view word : words) line += (line.empty() ? "" : " ") + std::string(word);
    EXPECT_EQ(shown(words), line);
  }
}

TEST(CommandSecrets, AreFoundBesideWhatOnlyLooksLikeOne) {
  for (const auto& [words, expected] : std::vector<Case>{
           {{"git", "-c", "http.extraHeader=Authorization: sso-key c2VjcmV0c2VjcmV0:x"},
            "git -c http.extraHeader=Authorization: sso-key ***<http.extraHeader=Authorization: "
            "sso-key>"},
           {{"curl", "-H", "Authorization: sso-key hunter:hunter"},
            "curl -H Authorization: ***<-H>"},
           {{"logger", "Authorization: Bearer hunter2"},
            "logger Authorization: Bearer ***<Authorization: Bearer>"},
           {{"x", "--authorization", "hunter2"}, "x --authorization ***<--authorization>"},
           {{"curl", "-d", R"({"token":"Hunter","a":"TOKEN"})"},
            R"(curl -d {"token":"***<token>","a":"TOKEN"})"},
           {{"python3", "-c", "h={'Authorization': 'Bearer hunter2'}"},
            "python3 -c h={'Authorization': '***<Authorization>'}"},
           {{"curl", "-d", R"({"dns_key":"c2VjcmV0c2VjcmV0"})"},
            R"(curl -d {"dns_key":"***<dns_key>"})"},
           {{"curl", "-d", R"({"clientSecret":"dns-token"})"},
            R"(curl -d {"clientSecret":"***<clientSecret>"})"},
           {{"mysql", "-e", "update t set note = 'password', password = 'hunter2'"},
            "mysql -e update t set note = 'password', password = '***<password =>'"},
           {{"mysql", "-e", "set password = PASSWORD('hunter2') -- password 'x'"},
            "mysql -e set password = PASSWORD('***<PASSWORD(>') -- password 'x'"},
           {{"sudo", "-u", "http", "http", "-a", "a:hunter2", "h"},
            "sudo -u http http -a a:***<-a> h"},
           {{"sh", "-c", "sleep 1; timeout 30 http -a a:hunter2 h"},
            "sh -c sleep 1; timeout 30 http -a a:***<-a> h"},
           {{"curl", "-E", "C:/cert.pem:hunter2"}, "curl -E C:/cert.pem:***<-E>"},
           {{"http", "h", "token=hunter2"}, "http h token=***<token=>"}})
    EXPECT_EQ(shown(words), expected);
}

}  // namespace
}  // namespace plan
