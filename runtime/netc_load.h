/* netc_load.h -- reads a weights file that netc wrote into the struct of a net; huge pages for it. Uses libc alone. */
#ifndef NETC_LOAD_H
#define NETC_LOAD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fills `weights` (the NET_weights struct, `size` bytes) from the file at `path`. `model_hash` is NET_MODEL_HASH of the
   net's header. NULL when all is well; else what is wrong, in words that live as long as the program, and `weights` is
   not to be used. */
const char *netc_load(const char *path, uint64_t model_hash, void *weights, size_t size);

/* Asks the system for huge pages under `memory`, before it is first touched: worth it for weights of many megabytes that
   are not in read-only memory. Does nothing where there are none, and nothing is lost where the system declines. */
void netc_huge_pages(void *memory, size_t size);

#ifdef __cplusplus
}
#endif
#endif
