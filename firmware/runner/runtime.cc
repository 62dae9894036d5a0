// SPDX-License-Identifier: Apache-2.0
// What the C++ runtime and newlib expect of a system: nothing here has a heap or files.
#include <cerrno>
#include <cstddef>

#include "src/benchmark_protocol.h"

extern "C" {

void* __dso_handle = nullptr;

[[noreturn]] void abort() { fail("abort", 0); }
[[noreturn]] void _exit(int status) { fail("exit", static_cast<uint32_t>(status)); }
[[noreturn]] void __cxa_pure_virtual() { fail("pure_virtual_call", 0); }
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
void __aeabi_atexit() {}

// libm sets errno; newlib's own would bring 1 KB of reentrancy data into RAM.
int* __errno() {
  static int number;
  return &number;
}

void* _sbrk(ptrdiff_t) {
  errno = ENOMEM;
  return reinterpret_cast<void*>(-1);
}
int _write(int, const char*, int bytes) { return bytes; }
int _read(int, char*, int) { return 0; }
int _close(int) { return -1; }
int _lseek(int, int, int) { return -1; }
int _fstat(int, void*) { return -1; }
int _isatty(int) { return 1; }
int _kill(int, int) { return -1; }
int _getpid() { return 1; }

}  // extern "C"

// Objects live until the end of the program; virtual destructors refer to these.
void operator delete(void*) noexcept {}
void operator delete(void*, size_t) noexcept {}
