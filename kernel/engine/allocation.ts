/**
 * How the C library's allocator is to behave in an engine, as its environment: what one operator frees is kept for the next, one heap for
 * all threads, and only what lies free beyond 4 GB goes back to the system at once. ONNX Runtime asks for the same large buffers
 * again in every layer, and each page that is had anew from the system costs more than most passes over it. Read by glibc;
 * other C libraries ignore it.
 */
export const ALLOCATION: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TOP_PAD_: String(64 << 20),
  MALLOC_TRIM_THRESHOLD_: String(4 * 2 ** 30),
};
