/* host.c -- the unit's C through $CC and dlopen, and calls into it. */
#include "host.h"
#include "cli.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 128 };

static const char *const function_names[PROGRAMS] = {"netc_forward", "netc_next", "netc_evaluate", "netc_gradient", "netc_step"};

/* ---- the temporary directory ---- */

static void remove_directory(Arena *a, const char *path)
{
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlink(arena_printf(a, "%s/%s", path, e->d_name));
    closedir(d);
    rmdir(path);
}

static int make_temporary(Arena *a, char **path)
{
    const char *base = getenv("TMPDIR");
    *path = arena_printf(a, "%s/netc.XXXXXX", base && *base ? base : "/tmp");
    if (mkdtemp(*path)) return 0;
    return fail(EXIT_io, "%s: cannot make a temporary directory: %s", *path, strerror(errno));
}

/* An interrupt while the C compiler runs must not leave the directory behind: it is kept back until then. */
static volatile sig_atomic_t interrupted;
static void note_interrupt(int signal_number) { interrupted = signal_number; }

enum { SIGNALS = 3 };
static const int held[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static void hold_signals(struct sigaction *before)
{
    struct sigaction hold = {.sa_handler = note_interrupt};
    sigemptyset(&hold.sa_mask);
    interrupted = 0;
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(held[i], &hold, &before[i]);
        if (before[i].sa_handler == SIG_IGN) sigaction(held[i], &before[i], NULL);
    }
}

static void release_signals(const struct sigaction *before)
{
    for (int i = 0; i < SIGNALS; i++) sigaction(held[i], &before[i], NULL);
    if (interrupted) raise(interrupted);
}

/* ---- the C compiler ---- */

/* "ccache gcc" is two words. */
static int split_words(char *text, char **word, int max)
{
    int n = 0;
    for (char *rest = NULL, *w = strtok_r(text, " \t", &rest); w && n < max; w = strtok_r(NULL, " \t", &rest)) word[n++] = w;
    return n;
}

static int run_compiler(Arena *a, const char *dir, const Emitted *e)
{
    static char *const flags[] = {"-std=c11", "-O2", "-ffp-contract=off", "-fPIC", "-pthread", "-shared", "-o", "net.so"};
    const char *cc = getenv("CC");
    if (!cc || !*cc) cc = "cc";
    char *argument[ARGUMENTS_MAX];
    int n = split_words(arena_strdup(a, cc), argument, ARGUMENTS_MAX / 2);
    if (!n) return fail(EXIT_usage, "CC is set to nothing");
    for (size_t i = 0; i < LENGTH(flags); i++) argument[n++] = flags[i];
    for (int i = 0; i < e->file.n && n < ARGUMENTS_MAX - 3; i++) {
        const char *name = e->file.at[i].name;
        if (!strcmp(name + strlen(name) - 2, ".c")) argument[n++] = arena_strdup(a, name);
    }
    argument[n++] = "-lm";
    argument[n] = NULL;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) return fail(EXIT_memory, "cannot start %s: %s", cc, strerror(errno));
    if (child == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        if (chdir(dir) == 0) execvp(argument[0], argument);
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (interrupted) return 128 + interrupted;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return fail(EXIT_noinput, "cannot run the C compiler '%s'; set CC to one", cc);
    return fail(EXIT_internal, "the C compiler '%s' does not take the generated C", cc);
}

static int write_and_compile(Host *h, const char *dir)
{
    Emitted e = {0};
    const char *why;
    emit_unit(h->unit, &e);
    emit_host(h->unit, &e);
    for (int i = 0; i < e.file.n; i++) {
        const EmittedFile *f = &e.file.at[i];
        if (!file_write(h->arena, arena_printf(h->arena, "%s/%s", dir, f->name), f->bytes, f->size, &why))
            return fail(EXIT_io, "%s", why);
    }
    int status = run_compiler(h->arena, dir, &e);
    if (status) return status;
    h->library = dlopen(arena_printf(h->arena, "%s/net.so", dir), RTLD_NOW | RTLD_LOCAL);
    return h->library ? 0 : fail(EXIT_internal, "cannot load the compiled C: %s", dlerror());
}

static int build(Host *h)
{
    char *dir;
    struct sigaction before[SIGNALS];
    hold_signals(before);
    int status = make_temporary(h->arena, &dir);
    if (!status) {
        status = write_and_compile(h, dir);
        remove_directory(h->arena, dir);
    }
    release_signals(before);
    return status;
}

/* ---- memory and arguments ---- */

static void *aligned_bytes(Arena *a, int64_t bytes)
{
    uintptr_t p = (uintptr_t)arena_alloc(a, (size_t)bytes + 63);
    return (void *)((p + 63) & ~(uintptr_t)63);
}

size_t host_element_bytes(const Host *h, DType t) { return t == DTYPE_f32 && h->unit->f64 ? 8 : (size_t)dtype_bytes(t); }

static int gather_buffers(Host *h, const Program *p, BufferKind kind, const Buffer ***buffer, void ***data)
{
    int n = 0;
    *buffer = NEW_ARRAY(h->arena, const Buffer *, p->buffer.n + 1);
    *data = NEW_ARRAY(h->arena, void *, p->buffer.n + 1);
    for (int i = 0; i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->kind != kind || b->base) continue;
        (*buffer)[n] = b;
        (*data)[n++] = aligned_bytes(h->arena, b->elements * (int64_t)host_element_bytes(h, b->dtype));
    }
    return n;
}

/* In the order that emit.h gives for each function. */
static void make_arguments(Host *h, ProgramKind kind)
{
    HostProgram *p = &h->program[kind];
    const int memory = memory_of(h->unit, p->program);
    int n = 0;
    p->n_input = gather_buffers(h, p->program, BUF_input, &p->input, &p->input_data);
    p->n_output = gather_buffers(h, p->program, BUF_output, &p->output, &p->output_data);
    p->argument = NEW_ARRAY(h->arena, void *, p->n_input + p->n_output + 7);
    p->argument[n++] = h->weights;
    if (kind == PROGRAM_step) p->argument[n++] = h->state;
    if (h->unit->memory[memory].n) p->argument[n++] = h->memory[memory];
    for (int i = 0; i < p->n_input; i++) p->argument[n++] = p->input_data[i];
    if (kind == PROGRAM_gradient) p->argument[n++] = h->gradient;
    for (int i = 0; i < p->n_output; i++) p->argument[n++] = p->output_data[i];
    if (program_takes_call(h->unit, p->program)) p->argument[n++] = &h->call;
    p->argument[n++] = aligned_bytes(h->arena, p->program->workspace_bytes);
    p->argument[n] = h->threads;
    p->n_argument = n + 1;
}

static void begin_threads(Host *h)
{
    void *symbol = dlsym(h->library, "netc_threads_begin"), *(*begin)(int);
    if (!symbol) return;
    memcpy(&begin, &symbol, sizeof begin);
    h->threads = begin(h->unit->threads);
}

static void end_threads(Host *h)
{
    void *symbol = dlsym(h->library, "netc_threads_end");
    void (*end)(void);
    memcpy(&end, &symbol, sizeof end);
    end();
}

static int find_function(Host *h, ProgramKind kind)
{
    void *symbol = dlsym(h->library, function_names[kind]);
    if (!symbol) return fail(EXIT_internal, "%s is not in the compiled C", function_names[kind]);
    memcpy(&h->program[kind].run, &symbol, sizeof symbol);
    return 0;
}

int host_open(Host *h, Arena *a, const Unit *u)
{
    const Program *programs[PROGRAMS] = {u->forward, u->next, u->evaluate, u->gradient, u->step};
    *h = (Host){.arena = a, .unit = u};
    int status = build(h);
    if (status) return status;
    begin_threads(h);
    h->weights = aligned_bytes(a, u->weights_bytes);
    h->gradient = aligned_bytes(a, u->gradient ? u->weights_bytes : 0);
    h->state = aligned_bytes(a, u->state_bytes);
    for (int of = 0; of < MEMORIES; of++) {
        h->memory[of] = aligned_bytes(a, u->memory_bytes[of]);
        host_reset(h, of);
    }
    for (ProgramKind k = 0; k < PROGRAMS && !status; k++) {
        h->program[k].program = programs[k];
        if (!programs[k]) continue;
        make_arguments(h, k);
        status = find_function(h, k);
    }
    return status;
}

void host_close(Host *h)
{
    if (h->threads) end_threads(h);
    if (h->library) dlclose(h->library);
    h->library = h->threads = NULL;
}

void host_run(Host *h, ProgramKind kind) { h->program[kind].run(h->program[kind].argument); }

void host_reset(Host *h, int of)
{
    const Fields *f = &h->unit->memory[of];
    for (int i = 0; i < f->n; i++)
        for (int64_t k = 0; k < f->at[i].buffer->elements; k++)
            host_put(h, DTYPE_f32, (char *)h->memory[of] + f->at[i].offset, k, node_attr(f->at[i].node, ATTR_init)->init.a);
}

void host_use_threads(Host *h, ProgramKind kind, bool use)
{
    HostProgram *p = &h->program[kind];
    p->argument[p->n_argument - 1] = use ? h->threads : NULL;
}

int host_output(const HostProgram *p, int r)
{
    const Graph *g = p->program->graph;
    int output = 0;
    for (int i = 0; i <= r; i++) {
        RootKind kind = g->root.at[i].kind;
        bool fills = kind == ROOT_output || kind == ROOT_loss || kind == ROOT_total;
        if (i == r) return fills && output < p->n_output ? output : -1;
        output += fills;
    }
    return -1;
}

double host_get(const Host *h, DType t, const void *memory, int64_t i)
{
    if (t == DTYPE_u8) return ((const uint8_t *)memory)[i];
    if (t == DTYPE_i32) return ((const int32_t *)memory)[i];
    return h->unit->f64 ? ((const double *)memory)[i] : (double)((const float *)memory)[i];
}

void host_put(const Host *h, DType t, void *memory, int64_t i, double value)
{
    if (t == DTYPE_u8) ((uint8_t *)memory)[i] = (uint8_t)value;
    else if (t == DTYPE_i32) ((int32_t *)memory)[i] = (int32_t)value;
    else if (h->unit->f64) ((double *)memory)[i] = value;
    else ((float *)memory)[i] = (float)value;
}

void field_read(const Host *h, const Field *f, const void *memory, double *row_major)
{
    const char *base = (const char *)memory + f->offset;
    int64_t index[RANK_MAX] = {0};
    for (int64_t i = 0; i < f->buffer->elements; i++) row_major[i] = host_get(h, f->buffer->dtype, base, buffer_place_next(f->buffer, index));
}

void field_write(const Host *h, const Field *f, void *memory, const double *row_major)
{
    char *base = (char *)memory + f->offset;
    int64_t index[RANK_MAX] = {0};
    for (int64_t i = 0; i < f->buffer->elements; i++) host_put(h, f->buffer->dtype, base, buffer_place_next(f->buffer, index), row_major[i]);
}
