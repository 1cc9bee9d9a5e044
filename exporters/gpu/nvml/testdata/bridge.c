// Calls functions of a shared library for a test that has no foreign function interface. A line of a request is the
// symbol and its arguments: i<decimal> for an unsigned int, l<decimal> for a 64-bit integer, b<hex> for bytes that a
// pointer leads to. A line of an answer is the returned int and the bytes as they are afterwards; -1 for no such symbol.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*call)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  FILE *in = fopen(argv[2], "r"), *out = fopen(argv[3], "w");
  void *library = dlopen(argv[1], RTLD_NOW);
  static char line[1 << 20];
  while (in && out && fgets(line, sizeof line, in)) {
    char *symbol = strtok(line, " \n");
    call function = library && symbol ? (call)dlsym(library, symbol) : NULL;
    uint64_t args[5] = {0};
    unsigned char *bytes[5] = {0};
    size_t lengths[5] = {0};
    int count = 0;
    for (char *arg; count < 5 && (arg = strtok(NULL, " \n")); count++) {
      if (*arg != 'b') { args[count] = strtoull(arg + 1, NULL, 10); continue; }
      lengths[count] = strlen(arg + 1) / 2;
      bytes[count] = calloc(1, lengths[count] + 1);
      for (size_t i = 0; i < lengths[count]; i++) sscanf(arg + 1 + 2 * i, "%2hhx", &bytes[count][i]);
      args[count] = (uint64_t)bytes[count];
    }
    fprintf(out, "%d", function ? function(args[0], args[1], args[2], args[3], args[4]) : -1);
    for (int i = 0; i < count; i++) {
      if (!bytes[i]) continue;
      fputc(' ', out);
      for (size_t k = 0; k < lengths[i]; k++) fprintf(out, "%02x", bytes[i][k]);
      free(bytes[i]);
    }
    fputc('\n', out);
    fflush(out);
  }
  return 0;
}
