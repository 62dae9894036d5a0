/* Counts what a core waits for its flash, apart for each operator that runs: for code where a block
 * begins in words that no cache has, for constants where a load reads such words.
 *
 * Both caches replace the line that was used least recently and hold the words of it that were read.
 * flash_waits.py owns the structures and mirrors them field by field. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

#include "_it_block.h"

#define MAX_LINES 1024

typedef struct {
  uint32_t number;
  uint32_t words; /* a bit each that was read; 0: the line holds nothing */
  uint64_t used;
} Line;

typedef struct {
  uint32_t line_words;
  uint32_t count;
  uint32_t last; /* the word that was read last, which a buffer keeps */
  uint32_t padding;
  uint64_t time;
  Line lines[MAX_LINES];
} Cache;

typedef struct {
  uint64_t code, constants;
} Waits;

typedef struct {
  ItBlock it_block;
  const uint32_t* stop;           /* not zero: Unicorn will not execute the block */
  const char* const* current;     /* where the counter of cycles adds up what runs */
  const char* cycles;             /* the first of these places */
  Waits* waits;                   /* as many */
  uint32_t place_bytes;
  uint32_t base, bytes, word_bytes;
  uint32_t wait_states;
  uint32_t prefetches;            /* the word behind the one that is executed comes without wait */
  uint32_t overlap;               /* of a load, hidden behind it by one from the same memory */
  uint32_t memory;                /* that the block loaded from last: 1 flash, 2 another, 0 none */
  Cache code, constants;
} FlashWaits;

enum { BUFFERED, READ, READ_BEHIND };

/* Whether the flash has to be read, and if so whether it is the word behind the last one. */
static int look_up(Cache* cache, uint32_t word) {
  if (word == cache->last) return BUFFERED;
  int read = word == cache->last + 1 ? READ_BEHIND : READ;
  cache->last = word;
  if (cache->count == 0) return read;
  uint32_t number = word / cache->line_words, bit = 1u << word % cache->line_words;
  Line* oldest = cache->lines;
  ++cache->time;
  for (Line* line = cache->lines; line < cache->lines + cache->count; ++line) {
    if (line->words && line->number == number) {
      line->used = cache->time;
      if (line->words & bit) return BUFFERED;
      line->words |= bit;
      return read;
    }
    if (line->used < oldest->used) oldest = line;
  }
  *oldest = (Line){number, bit, cache->time};
  return read;
}

static Waits* waits_of(const FlashWaits* flash) {
  return &flash->waits[(*flash->current - flash->cycles) / flash->place_bytes];
}

/* Behind the hook of the counter of cycles, which keeps `current`. */
Py_EXPORTED_SYMBOL void flash_code_hook(void* engine, uint64_t address, uint32_t bytes,
                                        FlashWaits* flash) {
  (void)engine;
  if (*flash->stop) return;
  flash->memory = 0;
  uint32_t offset = (uint32_t)address - flash->base;
  if (offset >= flash->bytes || bytes == 0) return;
  uint64_t* lost = &waits_of(flash)->code;
  uint32_t last = (offset + bytes - 1) / flash->word_bytes;
  for (uint32_t word = offset / flash->word_bytes; word <= last; ++word) {
    int found = look_up(&flash->code, word);
    if (found == READ || (found == READ_BEHIND && !flash->prefetches)) *lost += flash->wait_states;
  }
}

Py_EXPORTED_SYMBOL void flash_load_hook(void* engine, int kind, uint64_t address, int bytes,
                                        int64_t value, FlashWaits* flash) {
  (void)kind, (void)bytes, (void)value;
  leave_it_block(engine, &flash->it_block);
  uint32_t offset = (uint32_t)address - flash->base;
  int is_flash = offset < flash->bytes;
  uint32_t memory = is_flash ? 1 : 2;
  int is_other = flash->memory && flash->memory != memory;
  flash->memory = memory;
  if (!is_flash && !is_other) return;
  uint64_t* lost = &waits_of(flash)->constants;
  if (is_other) *lost += flash->overlap;
  if (is_flash && look_up(&flash->constants, offset / flash->word_bytes) != BUFFERED) {
    *lost += flash->wait_states;
  }
}

Py_EXPORTED_SYMBOL uint32_t flash_waits_bytes(void) { return sizeof(FlashWaits); }
