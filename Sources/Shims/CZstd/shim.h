#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

/* An experimental parameter, which zstd.h names only for static linking: 1002, "ignore the frame's content checksum". A library that does not
 * know it refuses it, and then checks once more what has been checked. */
static inline size_t pagetape_ignore_checksum(ZSTD_DCtx *context) { return ZSTD_DCtx_setParameter(context, ZSTD_d_experimentalParam3, 1); }

/* CRC-32C (Castagnoli, reflected), which zstd does not export. One 8-byte step takes about 3 cycles with SSE4.2; the caller asks once
 * whether the instruction is there and uses its own tables where it is not. `crc` is the inverted running value: start with ~0, end with ~. */
#if defined(__x86_64__)
#include <cpuid.h>

static inline int pagetape_has_crc32(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) != 0;
}

__attribute__((target("sse4.2"))) static inline uint32_t pagetape_crc32c(uint32_t crc, const void *bytes, size_t count) {
  const unsigned char *at = (const unsigned char *)bytes;
  uint64_t wide = crc;
  for (; count >= 8; count -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  uint32_t narrow = (uint32_t)wide;
  for (; count > 0; count--, at++) narrow = __builtin_ia32_crc32qi(narrow, *at);
  return narrow;
}
#else
static inline int pagetape_has_crc32(void) { return 0; }
static inline uint32_t pagetape_crc32c(uint32_t crc, const void *bytes, size_t count) {
  (void)bytes, (void)count;
  return crc;
}
#endif
