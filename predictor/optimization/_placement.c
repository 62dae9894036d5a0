/* Places buffers under a given height, or shows that this cannot be: a canonical branch and bound.
 *
 * A plan is canonical where its buffers, taken by rising offset, each lie on the floor or on one
 * placed before; any plan can be made so. The search places buffers in that order and gives up a
 * branch as soon as some span of time ("section": no buffer begins or ends inside) cannot hold what
 * is still to come. Where the buffers left fall apart in time, the parts are searched apart.
 * plan_branch.py owns the arrays and mirrors the structure field by field. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES_BETWEEN_CLOCKS 256

enum { PLACED, IMPOSSIBLE, STOPPED, NO_MEMORY };
enum { BY_WIDTH, BY_TOTAL, BY_TOTAL_AND_WIDTH, BY_AREA };

typedef int64_t Units; /* of memory */

typedef struct {
  int32_t buffers;
  int32_t sections;
  const Units* size;        /* of each buffer */
  const int32_t* begin;     /* first section of each buffer */
  const int32_t* end;       /* the one behind its last */
  const int64_t* width;     /* length of life, in the caller's time */
  const int32_t* neighbour; /* buffers alive with each, those of one behind those of another */
  const int32_t* neighbour_at;
  const int32_t* member; /* buffers alive in each section, likewise */
  const int32_t* member_at;
  Units height;
  int32_t rule; /* which buffers are tried first */
  int64_t nodes;
  double deadline_s; /* of the monotonic clock */
  volatile int32_t is_cancelled;
  Units* offset; /* the result */
} Problem;

typedef struct {
  int32_t* order; /* buffers, the one to try first in front */
  int32_t count;
  int32_t begin, end; /* sections */
} Part;

typedef struct {
  int32_t index;
  Units before;
} Change;

typedef struct {
  Problem* problem;
  Units* least;    /* lowest offset that is left for each buffer */
  Units* at;       /* where a buffer lies, -1 where it is not placed */
  Units* floor;    /* lowest byte that is free in each section */
  Units* total;    /* of the buffers of a section not placed yet */
  int32_t* bridge; /* buffers not placed that live in a section and in the next one */
  int32_t* stamp;  /* of sections whose floor has to be found anew */
  int32_t now;
  Change* changes; /* to be taken back; offsets and floors of one node in one run */
  size_t change_count, change_room;
  int status;
} Search;

static double monotonic_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int note(Search* search, int32_t index, Units before) {
  if (search->change_count == search->change_room) {
    size_t room = search->change_room ? 2 * search->change_room : 4096;
    Change* grown = realloc(search->changes, room * sizeof *grown);
    if (grown == NULL) return 0;
    search->changes = grown;
    search->change_room = room;
  }
  search->changes[search->change_count++] = (Change){index, before};
  return 1;
}

/* Whether the first of two buffers is tried before the second. */
static int comes_first(const Search* search, int32_t a, int32_t b, const Units* highest) {
  const Problem* p = search->problem;
  int64_t width[2] = {p->width[a], p->width[b]};
  double area[2] = {(double)width[0] * (double)p->size[a], (double)width[1] * (double)p->size[b]};
  Units total[2] = {highest[a], highest[b]};
  int by_width = (width[0] > width[1]) - (width[0] < width[1]);
  int by_total = (total[0] > total[1]) - (total[0] < total[1]);
  int by_area = (area[0] > area[1]) - (area[0] < area[1]);
  int order[3];
  switch (p->rule) {
    case BY_WIDTH: order[0] = by_width, order[1] = by_area, order[2] = by_total; break;
    case BY_TOTAL: order[0] = by_total, order[1] = by_area, order[2] = by_width; break;
    case BY_TOTAL_AND_WIDTH: order[0] = by_total, order[1] = by_width, order[2] = by_area; break;
    default: order[0] = by_area, order[1] = by_total, order[2] = by_width; break;
  }
  for (int i = 0; i < 3; ++i) {
    if (order[i]) return order[i] > 0;
  }
  return a < b;
}

static int sort_part(Search* search, Part* part) {
  const Problem* p = search->problem;
  Units* highest = malloc((size_t)p->buffers * sizeof *highest);
  if (highest == NULL) return 0;
  for (int32_t i = 0; i < part->count; ++i) {
    int32_t buffer = part->order[i];
    highest[buffer] = 0;
    for (int32_t s = p->begin[buffer]; s < p->end[buffer]; ++s) {
      if (search->total[s] > highest[buffer]) highest[buffer] = search->total[s];
    }
  }
  for (int32_t i = 1; i < part->count; ++i) { /* parts are short, and mostly in order */
    int32_t moved = part->order[i], place = i;
    while (place > 0 && comes_first(search, moved, part->order[place - 1], highest)) {
      part->order[place] = part->order[place - 1];
      --place;
    }
    part->order[place] = moved;
  }
  free(highest);
  return 1;
}

static int explore(Search* search, const Part* part, Units lowest, int32_t first_rank);

/* Raises what lies beside the buffer; whether some buffer that is left lives with it. */
static int raise_neighbours(Search* search, int32_t buffer, Units top) {
  const Problem* p = search->problem;
  int is_covered = 0;
  ++search->now;
  for (int32_t k = p->neighbour_at[buffer]; k < p->neighbour_at[buffer + 1]; ++k) {
    int32_t other = p->neighbour[k];
    if (search->at[other] >= 0) continue;
    is_covered = 1;
    if (search->least[other] >= top) continue;
    if (!note(search, other, search->least[other])) search->status = NO_MEMORY;
    search->least[other] = top;
    for (int32_t s = p->begin[other]; s < p->end[other]; ++s) search->stamp[s] = search->now;
  }
  return is_covered;
}

/* Floors after a buffer was placed: its top, and the lowest offset left in the sections touched. */
static void raise_floors(Search* search, const Part* part, int32_t buffer, Units top) {
  const Problem* p = search->problem;
  for (int32_t s = p->begin[buffer]; s < p->end[buffer]; ++s) {
    if (!note(search, s, search->floor[s])) search->status = NO_MEMORY;
    search->floor[s] = top;
    search->total[s] -= p->size[buffer];
    search->stamp[s] = search->now;
  }
  for (int32_t s = part->begin; s < part->end; ++s) {
    if (search->stamp[s] != search->now || search->total[s] == 0) continue;
    Units least = INT64_MAX;
    for (int32_t k = p->member_at[s]; k < p->member_at[s + 1]; ++k) {
      int32_t other = p->member[k];
      if (search->at[other] < 0 && search->least[other] < least) least = search->least[other];
    }
    if (least != INT64_MAX && search->floor[s] < least) {
      if (!note(search, s, search->floor[s])) search->status = NO_MEMORY;
      search->floor[s] = least;
    }
  }
}

static int fits(const Search* search, const Part* part, Units lowest) {
  for (int32_t s = part->begin; s < part->end; ++s) {
    Units floor = search->floor[s] > lowest ? search->floor[s] : lowest;
    if (search->total[s] && floor + search->total[s] > search->problem->height) return 0;
  }
  return 1;
}

/* Searches the parts into which what is left of a part falls between two sections. */
static int explore_apart(Search* search, const Part* part, int32_t buffer, Units lowest,
                         int32_t rank) {
  const Problem* p = search->problem;
  int32_t from = p->begin[buffer], to = p->end[buffer], cuts = 0;
  for (int32_t s = from; s + 1 < to; ++s) cuts += --search->bridge[s] == 0;
  int found = PLACED;
  if (cuts == 0) {
    found = explore(search, part, lowest, rank);
  } else {
    int32_t* order = malloc((size_t)part->count * sizeof *order);
    int32_t begin = part->begin;
    if (order == NULL) found = NO_MEMORY;
    for (int32_t s = part->begin; s < part->end && found == PLACED; ++s) {
      int is_cut = s + 1 == part->end || (s >= from && s + 1 < to && search->bridge[s] == 0);
      if (!is_cut) continue;
      Part piece = {order, 0, begin, s + 1};
      begin = s + 1;
      for (int32_t i = 0; i < part->count; ++i) {
        int32_t other = part->order[i];
        if (search->at[other] < 0 && p->begin[other] < piece.end && p->end[other] > piece.begin) {
          order[piece.count++] = other;
        }
      }
      if (piece.count == 0) continue;
      found = sort_part(search, &piece) ? explore(search, &piece, 0, 0) : NO_MEMORY;
    }
    free(order);
  }
  for (int32_t s = from; s + 1 < to; ++s) ++search->bridge[s];
  return found;
}

/* Places one buffer and searches on; takes everything back. */
static int try_buffer(Search* search, const Part* part, int32_t rank, int* is_covered) {
  const Problem* p = search->problem;
  int32_t buffer = part->order[rank];
  Units offset = search->least[buffer], top = offset + p->size[buffer];
  size_t mark = search->change_count;
  search->at[buffer] = offset;
  *is_covered = raise_neighbours(search, buffer, top);
  size_t floors = search->change_count;
  raise_floors(search, part, buffer, top);
  int found = IMPOSSIBLE;
  if (search->status != PLACED) {
    found = search->status;
  } else if (top <= p->height && fits(search, part, offset)) {
    p->offset[buffer] = offset;
    found = explore_apart(search, part, buffer, offset, rank);
  }
  while (search->change_count > floors) {
    Change change = search->changes[--search->change_count];
    search->floor[change.index] = change.before;
  }
  while (search->change_count > mark) {
    Change change = search->changes[--search->change_count];
    search->least[change.index] = change.before;
  }
  for (int32_t s = p->begin[buffer]; s < p->end[buffer]; ++s) search->total[s] += p->size[buffer];
  search->at[buffer] = -1;
  return found;
}

/* All plans of a part whose next buffer lies at ``lowest`` or above. */
static int explore(Search* search, const Part* part, Units lowest, int32_t first_rank) {
  Problem* p = search->problem;
  if (--p->nodes < 0 || p->is_cancelled) return STOPPED;
  if (p->nodes % NODES_BETWEEN_CLOCKS == 0 && monotonic_s() > p->deadline_s) return STOPPED;
  Units lowest_top = INT64_MAX; /* a gap up to here could hold a buffer that is left */
  int32_t left = 0;
  for (int32_t rank = 0; rank < part->count; ++rank) {
    int32_t buffer = part->order[rank];
    if (search->at[buffer] >= 0) continue;
    Units top = search->least[buffer] + p->size[buffer];
    if (top < lowest_top) lowest_top = top;
    ++left;
  }
  if (left == 0) {
    for (int32_t rank = 0; rank < part->count; ++rank) {
      p->offset[part->order[rank]] = search->at[part->order[rank]];
    }
    return PLACED;
  }
  int32_t* tried = malloc((size_t)left * sizeof *tried);
  if (tried == NULL) return NO_MEMORY;
  int32_t count = 0;
  for (int32_t rank = 0; rank < part->count; ++rank) {
    int32_t buffer = part->order[rank];
    Units offset = search->least[buffer];
    if (search->at[buffer] >= 0 || offset >= lowest_top || offset < lowest) continue;
    if (offset == lowest && rank < first_rank) continue;
    int32_t place = count++;
    while (place > 0 && search->least[part->order[tried[place - 1]]] > offset) {
      tried[place] = tried[place - 1];
      --place;
    }
    tried[place] = rank;
  }
  int found = IMPOSSIBLE, is_covered = 1;
  for (int32_t i = 0; i < count && found == IMPOSSIBLE && is_covered; ++i) {
    found = try_buffer(search, part, tried[i], &is_covered);
  }
  free(tried);
  return found;
}

static int prepare(Search* search, Part* whole) {
  const Problem* p = search->problem;
  size_t buffers = (size_t)p->buffers, sections = (size_t)p->sections;
  search->least = calloc(buffers, sizeof *search->least);
  search->at = malloc(buffers * sizeof *search->at);
  search->floor = calloc(sections, sizeof *search->floor);
  search->total = calloc(sections, sizeof *search->total);
  search->bridge = calloc(sections, sizeof *search->bridge);
  search->stamp = calloc(sections, sizeof *search->stamp);
  whole->order = malloc(buffers * sizeof *whole->order);
  if (!search->least || !search->at || !search->floor || !search->total || !search->bridge ||
      !search->stamp || !whole->order) {
    return 0;
  }
  for (int32_t b = 0; b < p->buffers; ++b) {
    search->at[b] = -1;
    for (int32_t s = p->begin[b]; s < p->end[b]; ++s) {
      search->total[s] += p->size[b];
      if (s + 1 < p->end[b]) ++search->bridge[s];
    }
  }
  return 1;
}

/* The parts of the whole problem between sections that no buffer bridges. */
static int search_all(Search* search, Part* whole) {
  const Problem* p = search->problem;
  int found = PLACED;
  int32_t begin = 0;
  for (int32_t s = 0; s < p->sections && found == PLACED; ++s) {
    if (s + 1 < p->sections && search->bridge[s] > 0) continue;
    Part part = {whole->order, 0, begin, s + 1};
    begin = s + 1;
    for (int32_t b = 0; b < p->buffers; ++b) {
      if (p->begin[b] < part.end && p->end[b] > part.begin) part.order[part.count++] = b;
    }
    if (part.count == 0) continue;
    if (!fits(search, &part, 0)) return IMPOSSIBLE;
    found = sort_part(search, &part) ? explore(search, &part, 0, 0) : NO_MEMORY;
  }
  return found;
}

Py_EXPORTED_SYMBOL int place_buffers(Problem* problem) {
  Search search = {.problem = problem, .status = PLACED};
  Part whole = {NULL, 0, 0, 0};
  int found = prepare(&search, &whole) ? search_all(&search, &whole) : NO_MEMORY;
  free(search.least);
  free(search.at);
  free(search.floor);
  free(search.total);
  free(search.bridge);
  free(search.stamp);
  free(search.changes);
  free(whole.order);
  return found;
}

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_placement", "Branch and bound of memory plans; used through ctypes.",
    -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__placement(void) {
  PyObject* self = PyModule_Create(&module);
  if (self && PyModule_AddIntConstant(self, "PROBLEM_BYTES", sizeof(Problem)) < 0) {
    Py_CLEAR(self);
  }
  return self;
}
