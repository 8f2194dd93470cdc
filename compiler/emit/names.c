/* names.c -- C identifiers from the model's names. */
#include "code.h"

#include <ctype.h>
#include <string.h>

/* Keywords of C and C++, macros that compilers define, and names that the emitted files use. */
static const char *const reserved[] = {
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "class",
    "compl", "const", "const_cast", "constexpr", "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast",
    "else", "enum", "errno", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "i386", "if", "inline",
    "int", "linux", "long", "main", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
    "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return", "short",
    "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local",
    "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "union", "unix", "unsigned", "using", "virtual", "void",
    "volatile", "wchar_t", "while", "xor", "xor_eq", "vf", "vi", "vu", "vm", "fp", "base", "NAN", "INFINITY"
};

static bool is_reserved(const char *s)
{
    for (size_t i = 0; i < LENGTH(reserved); i++)
        if (reserved[i][0] == s[0] && !strcmp(reserved[i], s)) return true;
    return false;
}

const char *c_name(Arena *a, const char *name)
{
    Text t = {.arena = a};
    if (!isalpha((unsigned char)name[0])) text_puts(&t, "x");
    for (const char *s = name; *s; s++) text_putc(&t, isalnum((unsigned char)*s) ? *s : '_');
    if (is_reserved(text_string(&t))) text_putc(&t, '_');
    return text_string(&t);
}

const char *name_unique(Names *n, const char *want)
{
    const char *name = c_name(n->arena, want);
    size_t length = strlen(name);
    return names_take(n, name, length && isdigit((unsigned char)name[length - 1]) ? "_" : "");
}

const char *name_last(const char *name)
{
    const char *point = strrchr(name, '.');
    return point && point[1] ? point + 1 : name;
}

const char *name_upper(Arena *a, const char *name)
{
    char *s = arena_strdup(a, name);
    for (char *p = s; *p; p++) *p = (char)toupper((unsigned char)*p);
    return s;
}
