// Each attempt answers with null where it succeeded, otherwise with why it did
// not. An attempt that finds nothing failed, too.

#include "reach.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wasi/wasip2.h>

#include "plugin.h"

extern char **environ;
static unsigned short port;

static const char *because(bool succeeded) { return succeeded ? NULL : strerror(errno); }
static const char *unless(bool empty) { return empty ? "there is none" : NULL; }

static const char *read_file(void) { return because(fopen("/etc/passwd", "r") != NULL); }
static const char *write_file(void) { return because(fopen("stranger.txt", "w") != NULL); }
static const char *read_root(void) { return because(opendir("/") != NULL); }
static const char *list_directory(void) { return because(opendir(".") != NULL); }
static const char *read_maps(void) { return because(opendir("maps") != NULL); }
static const char *write_maps(void) { return because(fopen("maps/stranger.txt", "w") != NULL); }
static const char *environment(void) { return unless(environ == NULL || environ[0] == NULL); }

static const char *arguments(void) {
  wasip2_list_string_t found;
  environment_get_arguments(&found);
  for (size_t i = 0; i < found.len; i++)
    if (found.ptr[i].len > 0) return NULL;
  return "there is none";
}

static const char *preopens(void) {
  filesystem_preopens_list_tuple2_own_descriptor_string_t found;
  filesystem_preopens_get_directories(&found);
  return unless(found.len == 0);
}

static const char *standard_input(void) {
  char byte;
  ssize_t got = read(0, &byte, 1);
  return got == 0 ? "it is at its end" : because(got > 0);
}

static struct sockaddr_in local(unsigned short at) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(at)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static const char *tcp_connect(void) {
  struct sockaddr_in address = local(port);
  int out = socket(AF_INET, SOCK_STREAM, 0);
  return because(out >= 0 && connect(out, (struct sockaddr *)&address, sizeof address) == 0);
}

static const char *tcp_listen(void) {
  struct sockaddr_in address = local(0);
  int door = socket(AF_INET, SOCK_STREAM, 0);
  return because(door >= 0 && bind(door, (struct sockaddr *)&address, sizeof address) == 0 && listen(door, 1) == 0);
}

static const char *udp_send(void) {
  struct sockaddr_in address = local(port);
  int out = socket(AF_INET, SOCK_DGRAM, 0);
  return because(out >= 0 && sendto(out, "here", 4, 0, (struct sockaddr *)&address, sizeof address) == 4);
}

static const char *resolve_name(void) {
  struct addrinfo *found = NULL;
  int code = getaddrinfo("localhost", "80", NULL, &found);
  return code == 0 ? NULL : gai_strerror(code);
}

static const char *secret(void) {
  plugin_string_t name, value;
  wardian_plugin_secrets_denial_t denial;
  plugin_string_set(&name, "weather-key");
  if (wardian_plugin_secrets_reveal(&name, &value, &denial)) return NULL;
  return denial == WARDIAN_PLUGIN_SECRETS_DENIAL_UNDECLARED ? "undeclared" : "denied or missing";
}

static const char *secret_ready(void) {
  plugin_string_t name;
  plugin_string_set(&name, "weather-key");
  return unless(!wardian_plugin_secrets_ready(&name));
}

static const char *config(void) {
  plugin_string_t key, value;
  plugin_list_string_t keys;
  plugin_string_set(&key, "units");
  wardian_plugin_config_keys(&keys);
  return unless(keys.len == 0 && !wardian_plugin_config_get(&key, &value));
}

static const char *store(void) {
  plugin_string_t key;
  plugin_list_u8_t value = {(uint8_t *)"here", 4};
  wardian_plugin_store_error_t error;
  plugin_string_set(&key, "stranger");
  if (wardian_plugin_store_set(&key, &value, &error)) return NULL;
  return error.tag == WARDIAN_PLUGIN_STORE_ERROR_DENIED ? "denied" : "another error";
}

static const char *cache(void) {
  plugin_string_t name;
  plugin_list_u8_t bytes = {(uint8_t *)"here", 4};
  wardian_plugin_cache_error_t error;
  plugin_string_set(&name, "stranger");
  if (wardian_plugin_cache_write(&name, &bytes, &error)) return NULL;
  return error.tag == WARDIAN_PLUGIN_CACHE_ERROR_DENIED ? "denied" : "another error";
}

static const struct {
  const char *name;
  const char *(*try)(void);
} attempts[] = {
    {"read_file", read_file},
    {"read_root", read_root},
    {"list_directory", list_directory},
    {"write_file", write_file},
    {"read_maps", read_maps},
    {"write_maps", write_maps},
    {"environment", environment},
    {"arguments", arguments},
    {"preopens", preopens},
    {"stdin", standard_input},
    {"tcp_connect", tcp_connect},
    {"tcp_listen", tcp_listen},
    {"udp_send", udp_send},
    {"resolve_name", resolve_name},
    {"secret", secret},
    {"secret_ready", secret_ready},
    {"config", config},
    {"store", store},
    {"cache", cache},
};

// No name and no reason here holds a character that JSON would want escaped.
void reach_everything(unsigned short at, char *answer, size_t size) {
  char succeeded[2048] = "", refused[4096] = "";
  port = at;
  for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
    const char *why = attempts[i].try();
    char *into = why ? refused : succeeded;
    size_t used = strlen(into), most = why ? sizeof refused : sizeof succeeded;
    const char *comma = used ? ", " : "";
    if (why)
      snprintf(into + used, most - used, "%s\"%s\": \"%s\"", comma, attempts[i].name, why);
    else
      snprintf(into + used, most - used, "%s\"%s\"", comma, attempts[i].name);
  }
  snprintf(answer, size, "{\"succeeded\": [%s], \"refused\": {%s}}", succeeded, refused);
}
