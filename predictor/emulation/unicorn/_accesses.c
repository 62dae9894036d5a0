/* Memory hooks for Unicorn: a recorder of accesses, a checker of their bounds, and a recorder of when
 * each byte is used. access_trace.py and byte_uses.py own the structures and mirror them field by
 * field. */
#include <stddef.h>
#include <stdint.h>

#include "_it_block.h"

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

enum { UNICORN_WRITE = 17 }; /* UC_MEM_WRITE */
enum { ALLOW_READ = 1, ALLOW_WRITE = 2 };

typedef struct {
  uint64_t instructions; /* executed before the block of the access */
  uint32_t pc;
  uint32_t address;
  uint32_t value; /* written; low word */
  uint16_t bytes;
  uint16_t is_write;
} Access;

typedef struct {
  ItBlock it_block;
  const uint64_t* instructions;
  Access* accesses;
  uint32_t count;
  uint32_t capacity;
  int (*reg_read)(void*, int, void*);
  void (*flush)(void); /* takes the accesses; the recorder then starts over */
  int32_t pc_register;
  uint32_t padding;
} Recorder;

typedef struct {
  ItBlock it_block;
  uint32_t base;
  uint32_t bytes;
  const uint8_t* allowed; /* a bit set a byte */
  uint32_t violated;
  uint32_t violation_address;
  uint32_t violation_bytes;
  uint32_t violation_is_write;
  uint32_t violation_pc;
  int32_t pc_register;
  uint32_t* counter_stop; /* set before the emulation is stopped; see block_counter.py */
  void (*emu_stop)(void*);
  int (*reg_read)(void*, int, void*);
} Checker;

typedef struct {
  int32_t first_read; /* ordinals of accesses; -1 for none */
  int32_t last_read;
  int32_t first_write;
  int32_t last_write;
} ByteUse;

typedef struct {
  uint32_t offset; /* in the watched memory */
  uint32_t bytes;
  ByteUse* uses;
} Window;

typedef struct {
  ItBlock it_block;
  uint32_t base;
  uint32_t ordinal;       /* of the next access */
  const uint16_t* owners; /* index of the window of each byte; null while nothing is recorded */
  const Window* windows;
} UseRecorder;

/* An access belongs as a whole to the window of its first byte. */
EXPORTED void accesses_use(void* engine, int kind, uint64_t address, int bytes, int64_t value,
                           UseRecorder* recorder) {
  (void)value;
  leave_it_block(engine, &recorder->it_block);
  if (recorder->owners == NULL) return;
  uint32_t offset = (uint32_t)address - recorder->base;
  const Window* window = &recorder->windows[recorder->owners[offset]];
  int32_t now = (int32_t)recorder->ordinal++;
  uint32_t at = offset - window->offset;
  for (uint32_t end = at + (uint32_t)bytes; at < end && at < window->bytes; ++at) {
    ByteUse* use = &window->uses[at];
    if (kind == UNICORN_WRITE) {
      if (use->first_write < 0) use->first_write = now;
      use->last_write = now;
    } else {
      if (use->first_read < 0) use->first_read = now;
      use->last_read = now;
    }
  }
}

EXPORTED void accesses_record(void* engine, int kind, uint64_t address, int bytes, int64_t value,
                              Recorder* recorder) {
  leave_it_block(engine, &recorder->it_block);
  Access* access = &recorder->accesses[recorder->count];
  recorder->reg_read(engine, recorder->pc_register, &access->pc);
  access->instructions = *recorder->instructions;
  access->address = (uint32_t)address;
  access->value = (uint32_t)value;
  access->bytes = (uint16_t)bytes;
  access->is_write = kind == UNICORN_WRITE;
  if (++recorder->count == recorder->capacity) {
    recorder->flush();
    recorder->count = 0;
  }
}

EXPORTED void accesses_check(void* engine, int kind, uint64_t address, int bytes, int64_t value,
                             Checker* checker) {
  (void)value;
  leave_it_block(engine, &checker->it_block);
  uint8_t needed = kind == UNICORN_WRITE ? ALLOW_WRITE : ALLOW_READ;
  uint32_t offset = (uint32_t)address - checker->base;
  int is_allowed = offset < checker->bytes && (uint32_t)bytes <= checker->bytes - offset;
  for (int byte = 0; is_allowed && byte < bytes; ++byte) {
    is_allowed = checker->allowed[offset + (uint32_t)byte] & needed;
  }
  if (is_allowed || checker->violated) return;
  checker->violated = 1;
  checker->violation_address = (uint32_t)address;
  checker->violation_bytes = (uint32_t)bytes;
  checker->violation_is_write = kind == UNICORN_WRITE;
  checker->reg_read(engine, checker->pc_register, &checker->violation_pc);
  *checker->counter_stop = 1; /* STOP_REQUESTED */
  checker->emu_stop(engine);
}
