/* graph_text.h -- what the tests of graphs share: a graph from its text and back, and what its reader says. */
#ifndef NETC_TEST_GRAPH_TEXT_H
#define NETC_TEST_GRAPH_TEXT_H

#include "../../compiler/pass/fold.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static Arena *arena;
static Diag diag;
static Sources sources;
static FILE *messages;
static char *message;
static size_t message_bytes;

static inline void setup(void)
{
    arena = arena_new();
    sources = (Sources){.arena = arena};
    messages = open_memstream(&message, &message_bytes);
    diag = (Diag){.sources = &sources, .out = messages};
}

static inline void teardown(void)
{
    fclose(messages);
    free(message);
    arena_free(arena);
}

static inline Graph *read_text(const char *text, size_t n)
{
    const Source *s = sources_add(&sources, "t", text, n);
    Graph *g = graph_read(arena, &diag, s);
    fflush(messages);
    return g;
}

static inline Graph *read_good(const char *text)
{
    Graph *g = read_text(text, strlen(text));
    ck_assert_msg(g, "%s\n%s", text, message);
    graph_verify(g, "read");
    return g;
}

static inline const char *printed(const Graph *g)
{
    Text t = {.arena = arena};
    graph_print(&t, g, NULL);
    return text_string(&t);
}

static inline Graph *new_graph(void) { return graph_new(arena, &diag, "t", MODE_infer, 4); }
static inline Shape shape(int rank, int64_t a, int64_t b, int64_t c, int64_t d) { return (Shape){rank, {a, b, c, d}}; }

static inline int run_case(const char *name, TCase *c)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
