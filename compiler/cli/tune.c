/* tune.c -- the file of tuned tiles: read, completed by timing the unit's kernels with each rank of tile in turn, written. */
#include "tune.h"

#include "fill.h"
#include "progress.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 << 20, RANKS = TILE_RANKS, ROUNDS_LEAST = 5, ROUNDS_MOST = 400 };
static const double SECONDS = 1.5, WORTH = 0.97;      /* of timing a program; a tile must be faster than the model's by so much */

static const char head[] = "# Register tiles that netc emit --tune found fastest: target, kernel, rank among the model's choices (0: its best).\n";

/* ---- the file ---- */

static bool read_line(const char *line, Tile *t)
{
    char kernel[24], *end = kernel;
    int used = 0;
    if (sscanf(line, " %15s %23s %d%n", t->target, kernel, &t->rank, &used) != 3) return false;
    line += used;
    line += strspn(line, " \t\r");
    if (*line && *line != '#') return false;
    t->kernel = strcmp(kernel, "*") ? strtoull(kernel, &end, 16) : 0;
    return target_find(t->target) && (!strcmp(kernel, "*") || (t->kernel && !*end)) && t->rank >= 0 && t->rank < RANKS;
}

static int read_tiles(Session *s, const char *path, char *text, Tiles *tiles)
{
    int number = 1;
    for (char *line = text, *next; *line; line = next, number++) {
        Tile t;
        next = line + strcspn(line, "\n");
        if (*next) *next++ = '\0';
        if (line[strspn(line, " \t\r")] == '\0' || line[strspn(line, " \t\r")] == '#') continue;
        if (!read_line(line, &t))
            return fail(EXIT_model, "%s:%d:1: '%s': a target, a kernel (16 hexadecimal digits or *) and a rank from 0 to %d are expected", path, number,
                        line, RANKS - 1);
        vec_push(s->arena, &tiles->at, t);
    }
    return 0;
}

int tune_read(Session *s)
{
    const char *path = s->options->tune, *why;
    Tiles *tiles = NEW(s->arena, Tiles);
    size_t size;
    int status = 0;
    char *text = file_read(s->arena, path, FILE_MAX, &size, &why, &status);
    s->unit.tiles = tiles;
    if (!text) return status == EXIT_noinput && s->options->command == command_find("emit") ? 0 : fail(status, "%s", why);
    return read_tiles(s, path, text, tiles);
}

/* ---- timing ---- */

typedef struct Found { uint64_t kernel; const char *name; double seconds[RANKS]; } Found;
typedef struct Tuning { Session *session; VEC(Found) found; } Tuning;

static Found *found_of(Tuning *t, uint64_t kernel, const char *name)
{
    for (int i = 0; i < t->found.n; i++)
        if (t->found.at[i].kernel == kernel) return &t->found.at[i];
    vec_push(t->session->arena, &t->found, (Found){kernel, name, {0}});
    return &t->found.at[t->found.n - 1];
}

/* The least time of each kernel with each rank; the ranks take turns. */
static void run_in_turn(Host *h, const Program *p, ProgramKind kind, double *least)
{
    const double start = seconds_now();
    for (int round = 0; round < ROUNDS_MOST && (round < ROUNDS_LEAST || seconds_now() - start < SECONDS); round++)
        for (int r = 0; r < RANKS; r++) {
            const double *seconds = dlsym(h[r].library, "netc_seconds");
            host_run(&h[r], kind);
            for (int k = 0; k < p->kernel.n; k++) least[k * RANKS + r] = fmin(least[k * RANKS + r], seconds[k]);
        }
}

static int time_program(Tuning *t, const Program *p, ProgramKind kind, const uint64_t *hash)
{
    Session *s = t->session;
    Unit unit[RANKS];
    Tiles tiles[RANKS] = {0};
    Host h[RANKS] = {0};
    int status = 0, open = 0;
    double *least = NEW_ARRAY(s->arena, double, p->kernel.n * RANKS);
    for (int k = 0; k < p->kernel.n * RANKS; k++) least[k] = INFINITY;
    for (; open < RANKS && !status; open++) {
        tiles_add(s->arena, &tiles[open], s->unit.target, 0, open);
        unit[open] = s->unit;
        unit[open].tiles = &tiles[open];
        unit[open].timed = true;
        status = host_open(&h[open], s->arena, &unit[open]);
        if (status) break;
        fill_params(&h[open], 1);
        fill_inputs(&h[open], kind, 1);
        h[open].call = (HostCall){.rate = 1e-6, .valid = (int32_t)p->graph->batch, .seed = 1};
    }
    if (!status) run_in_turn(h, p, kind, least);
    while (open--) host_close(&h[open]);
    for (int k = 0; !status && k < p->kernel.n; k++)
        if (hash[k])
            for (int r = 0; r < RANKS; r++) found_of(t, hash[k], p->kernel.at[k]->name)->seconds[r] += least[k * RANKS + r];
    return status;
}

/* Times the program when it has a kernel without a tile. */
static int tune_program(Tuning *t, const Program *p, ProgramKind kind)
{
    const Session *s = t->session;
    if (!p) return 0;
    uint64_t *hash = NEW_ARRAY(s->arena, uint64_t, p->kernel.n);
    bool any = false;
    for (int k = 0; k < p->kernel.n; k++) {
        hash[k] = kernel_hash(&s->unit, p->kernel.at[k]);
        if (hash[k] && tiles_find(s->unit.tiles, s->unit.target, hash[k]) >= 0) hash[k] = 0;
        any |= hash[k] != 0;
    }
    if (!any) return 0;
    const int status = require_native(s);
    return status ? status : time_program(t, p, kind, hash);
}

static int best_rank(const Found *f)
{
    int best = 0;
    for (int r = 1; r < RANKS; r++)
        if (f->seconds[r] < f->seconds[best] && f->seconds[r] < WORTH * f->seconds[0]) best = r;
    return best;
}

/* The file as it is by now (another build may have added to it), and a line for each kernel that was timed. */
static int add_lines(Tuning *t, Tiles *tiles)
{
    Session *s = t->session;
    const char *why, *path = s->options->tune;
    size_t size;
    int status = 0;
    Text text = {.arena = s->arena};
    const char *before = file_read(s->arena, path, FILE_MAX, &size, &why, &status);
    text_puts(&text, before ? before : head);
    if (before && size && before[size - 1] != '\n') text_putc(&text, '\n');
    for (int i = 0; i < t->found.n; i++) {
        const Found *f = &t->found.at[i];
        const int rank = best_rank(f);
        tiles_add(s->arena, tiles, s->unit.target, f->kernel, rank);
        text_printf(&text, "%s %016" PRIx64 " %d   # %s:", s->unit.target->name, f->kernel, rank, f->name);
        for (int r = 0; r < RANKS; r++) text_printf(&text, " %.2f", 1e6 * f->seconds[r]);
        text_puts(&text, " us\n");
    }
    if (!file_write(s->arena, path, text.s, (size_t)text.n, &why)) return fail(EXIT_io, "%s", why);
    return 0;
}

int tune_kernels(Session *s)
{
    Tuning t = {.session = s};
    int status = 0;
    if (!s->unit.target->simd) return 0;   /* all targets: each has lines of its own */
    status = tune_program(&t, s->unit.forward, PROGRAM_forward);
    if (!status) status = tune_program(&t, s->unit.next, PROGRAM_next);
    if (!status) status = tune_program(&t, s->unit.step, PROGRAM_step);
    return status || !t.found.n ? status : add_lines(&t, (Tiles *)(uintptr_t)s->unit.tiles);
}
