/* csv.c -- CSV text to cells: separators, quotes, line numbers, and what counts as a number. */
#include "io.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* https://www.rfc-editor.org/rfc/rfc4180 */

enum { COLUMN_LIMIT = 1 << 20, DETECT_RECORDS = 8, NUMBER_BYTES = 64 };

bool csv_fail(Csv *c, int64_t line, const char *fmt, ...)
{
    char message[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    Input at = *c->in;
    at.name = arena_printf(at.arena, "%s:%" PRId64, at.name, line);
    input_fail(&at, "%s", message);
    c->in->why = at.why;
    c->in->status = at.status;
    return false;
}

/* ---- records ---- */

/* The byte at `at`, or -1 at the end. */
static int byte_at(const Csv *c, size_t at) { return at < c->in->size ? c->in->bytes[at] : -1; }

static bool blank(const Csv *c, int byte) { return byte == ' ' || (byte == '\t' && c->separator != '\t'); }

static bool cell_ends(const Csv *c, int byte) { return byte < 0 || byte == '\n' || byte == c->separator; }

static void skip_blanks(Csv *c)
{
    while (blank(c, byte_at(c, c->at))) c->at++;
    if (byte_at(c, c->at) == '\r' && (byte_at(c, c->at + 1) == '\n' || byte_at(c, c->at + 1) < 0)) c->at++;
}

static bool scan_quoted(Csv *c, Cell *cell)
{
    size_t begin = ++c->at;
    int64_t line = c->next_line;
    for (;; c->at++) {
        int byte = byte_at(c, c->at);
        if (byte < 0) return csv_fail(c, line, "a quote is opened and never closed");
        if (byte == '\n') c->next_line++;
        if (byte != '"') continue;
        if (byte_at(c, c->at + 1) != '"') break;
        c->at++;
    }
    *cell = (Cell){(const char *)c->in->bytes + begin, c->at - begin, true};
    c->at++;
    skip_blanks(c);
    return cell_ends(c, byte_at(c, c->at)) || csv_fail(c, c->next_line, "text after a closing quote");
}

static void scan_plain(Csv *c, Cell *cell)
{
    size_t begin = c->at, end;
    while (!cell_ends(c, byte_at(c, c->at))) c->at++;
    for (end = c->at; end > begin && (blank(c, c->in->bytes[end - 1]) || c->in->bytes[end - 1] == '\r');) end--;
    *cell = (Cell){(const char *)c->in->bytes + begin, end - begin, false};
}

/* Empty lines may end a file, but not stand in it. */
static CsvStep at_record(Csv *c)
{
    size_t at = c->at;
    while (at < c->in->size && strchr(" \r\n", c->in->bytes[at])) {
        if (c->in->bytes[at++] != '\n') continue;
        for (; at < c->in->size && strchr(" \r\n", c->in->bytes[at]);) at++;
        if (at == c->in->size) break;
        csv_fail(c, c->next_line, "an empty line");
        return CSV_error;
    }
    return at == c->in->size ? CSV_end : CSV_record;
}

CsvStep csv_next(Csv *c)
{
    CsvStep step = at_record(c);
    if (step != CSV_record) return step;
    c->cell.n = 0;
    c->line = c->next_line;
    for (;; c->at++) {
        Cell cell;
        if (c->cell.n == COLUMN_LIMIT) {
            csv_fail(c, c->line, "more than %d columns", COLUMN_LIMIT);
            return CSV_error;
        }
        skip_blanks(c);
        if (byte_at(c, c->at) != '"') scan_plain(c, &cell);
        else if (!scan_quoted(c, &cell)) return CSV_error;
        vec_push(c->in->arena, &c->cell, cell);
        if (byte_at(c, c->at) != c->separator) break;
    }
    if (c->at < c->in->size) c->at++;  /* the line's end */
    c->next_line++;
    return CSV_record;
}

/* ---- the separator ---- */

/* How many columns the first records have; negative when they disagree. */
static int columns_with(const Csv *start, char separator)
{
    Csv c = *start;
    int columns = 0;
    c.separator = separator;
    for (int i = 0; i < DETECT_RECORDS; i++) {
        CsvStep step = csv_next(&c);
        if (step == CSV_end) break;
        if (i && (step == CSV_error || c.cell.n != columns)) return -columns;
        if (step == CSV_error) return -1;
        columns = c.cell.n;
    }
    return columns;
}

/* The candidate under which the records agree on the most columns; when all disagree, the most in the first. */
static char detect_separator(const Csv *start)
{
    static const char candidates[] = {',', ';', '\t'};
    int best = 0;
    char separator = ',';
    for (size_t i = 0; i < LENGTH(candidates); i++) {
        int n = columns_with(start, candidates[i]);
        int score = n > 1 ? COLUMN_LIMIT + n : abs(n);
        if (score > best) {
            best = score;
            separator = candidates[i];
        }
    }
    return separator;
}

bool csv_open(Csv *c, Input *in, const CsvOptions *options)
{
    static const unsigned char mark[] = {0xEF, 0xBB, 0xBF};  /* UTF-8's byte order mark */
    *c = (Csv){.in = in, .next_line = 1};
    const unsigned char *zero = in->size ? memchr(in->bytes, 0, in->size) : NULL;
    if (zero)
        return input_fail(in, "byte %zu is 0: this is neither CSV text nor a whole IDX, NPY or safetensors file",
                          (size_t)(zero - in->bytes));
    if (in->size >= sizeof mark && memcmp(in->bytes, mark, sizeof mark) == 0) c->at = sizeof mark;
    c->separator = options->separator ? options->separator : detect_separator(c);
    c->cell.n = c->cell.cap = 0;
    return true;
}

/* ---- cells ---- */

char *cell_string(Arena *a, const Cell *cell)
{
    char *s = arena_strndup(a, cell->s, cell->n);
    size_t n = 0;
    if (!cell->quoted) return s;
    for (size_t i = 0; i < cell->n; i++) {
        s[n++] = cell->s[i];
        if (cell->s[i] == '"') i++;
    }
    s[n] = '\0';
    return s;
}

static bool is_missing(const char *s)
{
    return !*s || strcmp(s, "?") == 0 || strcasecmp(s, "na") == 0 || strcasecmp(s, "nan") == 0;
}

CellKind cell_kind(const Cell *cell, double *value)
{
    char s[NUMBER_BYTES];
    char *end;
    if (cell->n >= sizeof s) return CELL_text;
    memcpy(s, cell->s, cell->n);
    s[cell->n] = '\0';
    if (is_missing(s)) return CELL_missing;
    if (strspn(s, "0123456789+-.eE") != cell->n) return CELL_text;
    *value = strtod(s, &end);
    return *end || end == s || !isfinite(*value) ? CELL_text : CELL_number;
}
