/* place.h -- addresses inside the workspace and the structs, for calls in loops; every target. */

static inline void *place(void *start, int64_t bytes) { return (unsigned char *)start + bytes; }

static inline const void *place_const(const void *start, int64_t bytes) { return (const unsigned char *)start + bytes; }
