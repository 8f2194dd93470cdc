/* paste.c -- the helpers of emit/simd that a file uses, and those that they use; nothing else is pasted. */
#include "code.h"

#include <ctype.h>
#include <string.h>

/* Made by the Makefile: the files of emit/simd and runtime. */
struct Pasted { const char *name, *text; };
extern const struct Pasted pasted_files[];

const char *pasted_text(const char *name)
{
    for (const struct Pasted *p = pasted_files; p->name; p++)
        if (!strcmp(p->name, name)) return p->text;
    internal_error("emit", "no file %s to paste", name);
}

/* A part of a header between two empty lines that defines `name`. */
typedef struct Part { const char *s; size_t n; const char *name; bool used; } Part;
typedef struct Parts { Arena *arena; VEC(Part) at; } Parts;

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* "static inline vf vexp(vf x)" defines vexp, "typedef ... vf __attribute__" vf, "#define HELPER" HELPER. */
static const char *defined_name(Arena *a, const char *s, size_t n)
{
    const char *end = s + n, *p = s;
    while (p + 1 < end && p[0] == '/' && p[1] == '*') {           /* the comment before it */
        p = strstr(p, "*/") + 2;
        while (p < end && isspace((unsigned char)*p)) p++;
    }
    if (p >= end) return NULL;
    if (!strncmp(p, "#if", 3)) p = strstr(p, "#define");
    const char *stop = !strncmp(p, "#define ", 8) ? p + 8 : NULL;
    if (stop) {
        while (is_word(*stop)) stop++;
    } else if (!strncmp(p, "typedef struct ", 15)) {
        stop = p + 15;
        while (is_word(*stop)) stop++;
    } else {
        stop = !strncmp(p, "typedef", 7) ? strstr(p, " __attribute__") : strchr(p, '(');
        if (!stop || stop >= end) return NULL;
    }
    const char *start = stop;
    while (start > s && is_word(start[-1])) start--;
    return arena_strndup(a, start, (size_t)(stop - start));
}

static Part *find_part(Parts *parts, const char *name)
{
    for (int i = 0; i < parts->at.n; i++)
        if (!strcmp(parts->at.at[i].name, name)) return &parts->at.at[i];
    return NULL;
}

/* What a later file defines again stands where it first stood. */
static void split(Parts *parts, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t n = end ? (size_t)(end - text) + 1 : strlen(text);
        const char *name = defined_name(parts->arena, text, n);
        Part *again = name ? find_part(parts, name) : NULL;
        if (again) *again = (Part){text, n, name, false};
        else if (name) vec_push(parts->arena, &parts->at, (Part){text, n, name, false});
        text += n;
        while (*text == '\n') text++;
    }
}

static void use(Parts *parts, const char *s, size_t n);

static void use_name(Parts *parts, const char *name, size_t n)
{
    for (int i = 0; i < parts->at.n; i++) {
        Part *p = &parts->at.at[i];
        if (p->used || strlen(p->name) != n || memcmp(p->name, name, n)) continue;
        p->used = true;
        use(parts, p->s, p->n);
    }
}

/* Marks the parts that define words of a text, but for its comments. */
static void use(Parts *parts, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t start = i;
        while (i < n && is_word(s[i])) i++;
        if (i > start) use_name(parts, s + start, i - start);
        else if (i + 1 < n && s[i] == '/' && s[i + 1] == '*') i = (size_t)(strstr(s + i, "*/") + 2 - s);
        else i++;
    }
}

static void write_start(Text *t, const Unit *u)
{
    const Target *target = u->target;
    text_puts(t, "#include <math.h>\n");
    if (target->lanes == 1) {
        text_puts(t, u->f64 ? "\ntypedef double fp;\n#define LIBM(name) name\n\n" : "\ntypedef float fp;\n#define LIBM(name) name##f\n\n");
        return;
    }
    text_puts(t, "#include <string.h>\n\n");
    if (target->pragma)
        text_printf(t, "/* The compiler needs no flag for the instruction set. */\n#if defined(__clang__)\n"
                    "#pragma clang attribute push(__attribute__((target(\"%s\"))), apply_to = function)\n"
                    "#else\n#pragma GCC target(\"%s\")\n#endif\n#include <immintrin.h>\n\n", target->pragma, target->pragma);
    else text_puts(t, "#include <arm_neon.h>\n\n");
    text_printf(t, "#define VW %d\n\n", target->lanes);
}

const char *simd_text(const Unit *u, const char *code)
{
    Parts parts = {.arena = u->arena};
    split(&parts, pasted_text("place.h"));
    if (u->target->lanes > 1) split(&parts, pasted_text("base.h"));
    split(&parts, pasted_text(u->target->simd));
    if (u->target->lanes > 1) split(&parts, pasted_text("functions.h"));
    use(&parts, code, strlen(code));
    Text t = {.arena = u->arena};
    write_start(&t, u);
    for (int i = 0; i < parts.at.n; i++)
        if (parts.at.at[i].used) {
            text_add(&t, parts.at.at[i].s, parts.at.at[i].n);
            if (strncmp(parts.at.at[i].s, "typedef", 7) || i + 1 == parts.at.n || strncmp(parts.at.at[i + 1].s, "typedef", 7)) text_putc(&t, '\n');
        }
    return text_string(&t);
}
