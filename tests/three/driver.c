/* driver.c -- the program that calls the emitted C: written, compiled, run. */
#include "three.h"

#include <stdlib.h>
#include <string.h>

const char *const run_names[RUNS] = {"forward", "next", "evaluate", "gradient", "step"};

static void write_file(Arena *a, const char *dir, const char *name, const void *bytes, size_t size)
{
    const char *why;
    if (!file_write(a, arena_printf(a, "%s/%s", dir, name), bytes, size, &why)) {
        fprintf(stderr, "%s\n", why);
        exit(EXIT_io);
    }
}

static const char driver_head[] =
    "#include <pthread.h>\n#include <stddef.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "typedef struct Call { const char *name; void (*f)(void *const *); int n, steps; size_t bytes[64], step[64], workspace; } Call;\n";
static const char driver_tail[] =
    "typedef struct Job { const Call *c; void *p[66]; int dirt; } Job;\n"
    "static void *fresh(size_t n) { void *p = aligned_alloc(64, n / 64 * 64 + 64); if (!p) exit(71); return p; }\n"
    "static void *work(void *arg)\n{\n    Job *j = arg;\n"
    "    for (int t = 0; t < j->c->steps; t++) {\n        void *p[66];\n        for (int i = 0; i < j->c->n + 2; i++) p[i] = j->p[i];\n"
    "        for (int i = 0; i < j->c->n; i++) p[i] = (char *)p[i] + (size_t)t * j->c->step[i];\n"
    "        memset(p[j->c->n], j->dirt, j->c->workspace);\n        j->c->f((void *const *)p);\n    }\n    return NULL;\n}\n"
    "static void load(Job *j, const Call *c, char *const *data, int dirt)\n{\n    j->c = c;\n    j->dirt = dirt;\n"
    "    for (int i = 0; i < c->n; i++) { j->p[i] = fresh(c->bytes[i]); memcpy(j->p[i], data[i], c->bytes[i]); }\n"
    "    j->p[c->n] = fresh(c->workspace);\n    j->p[c->n + 1] = NULL;\n}\n"
    "int main(int argc, char **argv)\n{\n    if (argc != 3) return 64;\n"
    "    FILE *in = fopen(argv[1], \"rb\"), *out = fopen(argv[2], \"wb\");\n    if (!in || !out) return 66;\n    void *const pool = begin();\n"
    "    for (const Call *c = calls; c->name; c++) {\n        char *data[64];\n        Job job[3];\n"
    "        for (int i = 0; i < c->n; i++) {\n            data[i] = fresh(c->bytes[i]);\n"
    "            if (fread(data[i], 1, c->bytes[i], in) != c->bytes[i]) return 74;\n        }\n"
    "        for (int k = 0; k < 3; k++) load(&job[k], c, data, k ? 0xff : 0xa5);\n"
    "        job[2].p[c->n + 1] = pool;\n        work(&job[0]);\n        pthread_t other;\n        if (pthread_create(&other, NULL, work, &job[1])) return 71;\n"
    "        work(&job[2]);\n        pthread_join(other, NULL);\n        char same = 1;\n"
    "        for (int k = 1; k < 3; k++)\n            for (int i = 0; i < c->n; i++)\n"
    "                if (memcmp(job[0].p[i], job[k].p[i], c->bytes[i])) same = 0;\n"
    "        fwrite(&same, 1, 1, out);\n        for (int i = 0; i < c->n; i++) fwrite(job[0].p[i], 1, c->bytes[i], out);\n"
    "        for (int k = 0; k < 3; k++) for (int i = 0; i <= c->n; i++) free(job[k].p[i]);\n"
    "        for (int i = 0; i < c->n; i++) free(data[i]);\n    }\n    end();\n    fclose(in);\n    return fclose(out) ? 74 : 0;\n}\n";

void write_sources(Case *cases, int n, const Options *o)
{
    Arena *a = arena_new();
    Text driver = {.arena = a}, data = {.arena = a};
    text_puts(&driver, driver_head);
    for (int i = 0; i < n; i++) {
        Case *c = &cases[i];
        Emitted e = {0};
        emit_unit(&c->unit, &e);
        emit_host(&c->unit, &e);
        for (int f = 0; f < e.file.n; f++) {
            size_t length = strlen(e.file.at[f].name);
            bool host = length > 7 && !strcmp(e.file.at[f].name + length - 7, "_host.c");
            write_file(a, o->dir, host ? arena_printf(a, "%s.inc", c->name) : e.file.at[f].name, e.file.at[f].bytes, e.file.at[f].size);
        }
        for (Called run = 0; run < RUNS; run++) text_printf(&driver, "#define netc_%s %s_host_%s\n", run_names[run], c->name, run_names[run]);
        text_printf(&driver, "#define netc_threads_begin %s_begin\n#define netc_threads_end %s_end\n#include \"%s.inc\"\n"
                    "#undef netc_threads_begin\n#undef netc_threads_end\n", c->name, c->name, c->name);
        for (Called run = 0; run < RUNS; run++) text_printf(&driver, "#undef netc_%s\n", run_names[run]);
    }
    if (o->threads > 1) text_printf(&driver, "static void *begin(void) { return %s_begin(%d); }\nstatic void end(void) { %s_end(); }\n",
                                    cases[0].name, o->threads, cases[0].name);
    else text_puts(&driver, "static void *begin(void) { return NULL; }\nstatic void end(void) {}\n");
    text_puts(&driver, "static const Call calls[] = {\n");
    for (int i = 0; i < n; i++)
        for (Called run = 0; run < RUNS; run++) {
            const Case *c = &cases[i];
            if (!case_program(c, run)) continue;
            text_printf(&driver, "    { \"%s\", %s_host_%s, %d, %d, {", c->name, c->name, run_names[run], c->arg[run].n, case_steps(c, run));
            for (int k = 0; k < c->arg[run].n; k++) {
                text_printf(&driver, " %zu,", c->arg[run].at[k].bytes);
                text_add(&data, c->arg[run].at[k].data, c->arg[run].at[k].bytes);
            }
            text_puts(&driver, " 0 }, {");
            for (int k = 0; k < c->arg[run].n; k++) text_printf(&driver, " %zu,", c->arg[run].at[k].step);
            text_printf(&driver, " 0 }, %lld },\n", (long long)case_program(c, run)->workspace_bytes);
        }
    text_puts(&driver, "    { 0, 0, 0, 0, { 0 }, { 0 }, 0 }\n};\n");
    text_puts(&driver, driver_tail);
    write_file(a, o->dir, "driver.c", driver.s, driver.n);
    write_file(a, o->dir, "data.bin", text_string(&data), data.n);
    arena_free(a);
}

int shell(const char *command)
{
    int status = system(command);
    if (status) fprintf(stderr, "failed: %s\n", command);
    return status;
}

bool build_and_run(const Options *o)
{
    Arena *a = arena_new();
    const char *compile_all = arena_printf(a,
        "cd '%s' && rm -f *.o run out.bin && ls *.c | xargs -P 2 -n 8 %s -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow "
        "-Werror %s -c && %s %s -o run *.o -lm -lpthread", o->dir, o->cc, o->flags, o->cc, o->flags);
    const char *run = arena_printf(a, "cd '%s' && %s ./run data.bin out.bin", o->dir, o->run);
    bool good = shell(compile_all) == 0 && shell(run) == 0;
    arena_free(a);
    return good;
}
