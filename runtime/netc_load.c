/* netc_load.c -- the weights file: 64 bytes of header ("netcw1", model hash, byte count, CRC-32; little-endian), then the
   bytes of the struct. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include "netc_load.h"

#include <stdio.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { HEADER = 64, HUGE_PAGE = 2 << 20 };

static uint64_t little(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static uint32_t crc32_of(const unsigned char *p, size_t n)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static const char *read_all(FILE *f, uint64_t model_hash, void *weights, size_t size)
{
    const uint16_t one = 1;
    unsigned char header[HEADER];
    if (*(const unsigned char *)&one != 1) return "the weights file is for little-endian machines";
    if (fread(header, 1, HEADER, f) != HEADER || memcmp(header, "netcw1\0", 8)) return "not a weights file of netc";
    if (little(header + 8, 8) != model_hash) return "the weights file belongs to another model";
    if (little(header + 16, 8) != size) return "the weights file has another size than the model";
    if (fread(weights, 1, size, f) != size) return "the weights file is cut short";
    if (crc32_of((const unsigned char *)weights, size) != little(header + 24, 4)) return "the weights file is damaged";
    return NULL;
}

const char *netc_load(const char *path, uint64_t model_hash, void *weights, size_t size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return "the weights file cannot be opened";
    const char *error = read_all(f, model_hash, weights, size);
    fclose(f);
    return error;
}

/* Whole huge pages inside; what lies before and behind them stays as it is. */
void netc_huge_pages(void *memory, size_t size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const size_t before = (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
    const size_t whole = size > before ? (size - before) / HUGE_PAGE * HUGE_PAGE : 0;
    if (whole) (void)madvise((char *)memory + before, whole, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)size;
#endif
}
