/* table.c -- columns of a CSV file to arrays: numbers, or the classes of a label. */
#include "io.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Table {
    Csv csv, data;          /* data: a copy that stands at the first record of data */
    const char **name;      /* [columns] the first record, which is the header if there is one */
    Cell *first;
    int columns;
    bool header, by_name;   /* by_name: a column was picked by its name */
    int64_t rows;
    int64_t first_line;
    VEC(int) pick;
} Table;

/* ---- columns picked ---- */

static bool integer_text(const char *s, size_t n, long *value)
{
    size_t digits = n && *s == '-' ? 1 : 0;
    char text[12];
    if (digits == n || n >= sizeof text) return false;
    for (size_t i = digits; i < n; i++)
        if (!isdigit((unsigned char)s[i])) return false;
    memcpy(text, s, n);
    text[n] = '\0';
    *value = strtol(text, NULL, 10);
    return true;
}

/* Column `n` counted from 0, from the end when negative; `most` is columns - 1, or columns for the end of a range. */
static bool column_index(Table *t, long n, int most, int *index)
{
    long at = n < 0 ? n + t->columns : n;
    if (at < 0 || at > most)
        return input_fail(t->csv.in, "no column %ld: there are %d, counted from 0", n, t->columns);
    *index = (int)at;
    return true;
}

static bool pick_range(Table *t, int from, int to)
{
    for (int i = from; i < to; i++) vec_push(t->csv.in->arena, &t->pick, i);
    return true;
}

static bool pick_name(Table *t, const char *s, size_t n)
{
    char *name = arena_strndup(t->csv.in->arena, s, n);
    int found = -1;
    for (int i = 0; i < t->columns; i++) {
        if (strcmp(t->name[i], name) != 0) continue;
        if (found >= 0) return input_fail(t->csv.in, "columns %d and %d are both named \"%s\"", found, i, name);
        found = i;
    }
    t->by_name = true;
    if (found >= 0) return pick_range(t, found, found + 1);
    const char *near = did_you_mean(name, t->name, t->columns);
    return input_fail(t->csv.in, "no column \"%s\" in the first line%s%s%s", name, near ? "; did you mean \"" : "",
                      near ? near : "", near ? "\"?" : "");
}

/* "4", "0:4", "2:", ":-1" or a name */
static bool pick_item(Table *t, const char *s, size_t n)
{
    const char *colon = memchr(s, ':', n);
    long low = 0, high = t->columns;
    int from = 0, to = 0;
    if (!n) return input_fail(t->csv.in, "an empty column between the commas of [...]");
    if (!colon) {
        if (!integer_text(s, n, &low)) return pick_name(t, s, n);
        return column_index(t, low, t->columns - 1, &from) && pick_range(t, from, from + 1);
    }
    size_t before = (size_t)(colon - s), after = n - before - 1;
    if ((before && !integer_text(s, before, &low)) || (after && !integer_text(colon + 1, after, &high)))
        return pick_name(t, s, n);
    if (!column_index(t, low, t->columns, &from) || !column_index(t, high, t->columns, &to)) return false;
    if (from >= to) return input_fail(t->csv.in, "no column in %ld:%ld of %d", low, high, t->columns);
    return pick_range(t, from, to);
}

static bool pick_columns(Table *t, const char *spec)
{
    if (!spec) return pick_range(t, 0, t->columns);
    for (;; spec++) {
        size_t n = strcspn(spec, ",");
        if (!pick_item(t, spec, n)) return false;
        if (t->pick.n > 1 << 20) return input_fail(t->csv.in, "more than a million columns are picked");
        spec += n;
        if (!*spec) return true;
    }
}

/* ---- the header ---- */

/* `second` is NULL when there is no second record, or a ragged one. */
static bool looks_like_header(const Table *t, const Cell *second, bool numbers)
{
    double x;
    bool number_above = false, number_below = false, wanted = false;
    for (int i = 0; i < t->columns; i++) {
        CellKind first = cell_kind(&t->first[i], &x);
        number_above = number_above || first == CELL_number;
        number_below = number_below || (first == CELL_text && second && cell_kind(&second[i], &x) == CELL_number);
    }
    for (int i = 0; numbers && i < t->pick.n; i++) {
        int at = t->pick.at[i];
        bool text_below = second && cell_kind(&second[at], &x) == CELL_text;
        wanted = wanted || (cell_kind(&t->first[at], &x) == CELL_text && !text_below);
    }
    return wanted || (number_below && !number_above);
}

static bool decide_header(Table *t, const CsvOptions *options, bool numbers)
{
    Csv second = t->csv;
    second.cell.cap = second.cell.n = 0;
    bool there = csv_next(&second) == CSV_record && second.cell.n == t->columns;
    t->header = t->by_name || options->header == CSV_header_present;
    if (t->by_name && options->header == CSV_header_absent)
        return input_fail(t->csv.in, "columns are picked by name, but the file is said to have no header");
    if (options->header == CSV_header_detect && !t->header)
        t->header = looks_like_header(t, there ? second.cell.at : NULL, numbers);
    return true;
}

/* ---- opening: the first pass counts the rows and finds ragged ones ---- */

static bool read_first(Table *t)
{
    Csv *c = &t->csv;
    CsvStep step = csv_next(c);
    if (step == CSV_error) return false;
    if (step == CSV_end) return input_fail(c->in, "the file is empty");
    t->columns = c->cell.n;
    t->first_line = c->line;
    t->first = NEW_ARRAY(c->in->arena, Cell, t->columns);
    t->name = NEW_ARRAY(c->in->arena, const char *, t->columns);
    memcpy(t->first, c->cell.at, (size_t)t->columns * sizeof *t->first);
    for (int i = 0; i < t->columns; i++) t->name[i] = cell_string(c->in->arena, &t->first[i]);
    return true;
}

static bool count_rows(Table *t)
{
    Csv c = t->data;
    CsvStep step;
    while ((step = csv_next(&c)) == CSV_record) {
        t->rows++;
        if (c.cell.n != t->columns)
            return csv_fail(&c, c.line, "%d columns, expected %d as in line %" PRId64, c.cell.n, t->columns,
                            t->first_line);
    }
    if (step == CSV_error) return false;
    return t->rows || input_fail(t->csv.in, "no rows%s", t->header ? " after the header" : "");
}

static bool table_open(Table *t, Input *in, const char *columns, const CsvOptions *options, bool numbers)
{
    *t = (Table){0};
    if (!csv_open(&t->csv, in, options)) return false;
    Csv start = t->csv;
    if (!read_first(t) || !pick_columns(t, columns) || !decide_header(t, options, numbers)) return false;
    t->data = t->header ? t->csv : start;
    t->data.cell.cap = t->data.cell.n = 0;
    return count_rows(t);
}

int csv_columns(Input *in, const char *columns, const CsvOptions *options)
{
    Table t = {0};
    if (!csv_open(&t.csv, in, options) || !read_first(&t) || !pick_columns(&t, columns)) return 0;
    return t.pick.n;
}

/* ---- cells ---- */

static bool cell_fail(const Table *t, Csv *c, int column, const char *reason)
{
    char *s = cell_string(c->in->arena, &c->cell.at[column]);
    const char *open = t->header ? " (" : "", *name = t->header ? t->name[column] : "", *close = t->header ? ")" : "";
    return csv_fail(c, c->line, "column %d%s%.60s%s: '%.60s' %s", column, open, name, close, s, reason);
}

static bool read_number(const Table *t, Csv *c, int column, double *x)
{
    CellKind kind = cell_kind(&c->cell.at[column], x);
    if (kind == CELL_missing) return cell_fail(t, c, column, "is a missing value");
    return kind == CELL_number || cell_fail(t, c, column, "is not a (finite) number");
}

bool csv_numbers(Input *in, const char *columns, const CsvOptions *options, ArrayType type, Array *out)
{
    Table t;
    if (!table_open(&t, in, columns, options, true)) return false;
    Array x = {.rank = 2, .shape = {t.rows, t.pick.n}};
    size_t bytes;
    if (!shape_size(2, x.shape, type, &x.elements, &bytes)) return input_fail(in, "the file is too large");
    x = array_new(in->arena, type, 2, x.shape);
    Csv c = t.data;
    for (int64_t n = 0; csv_next(&c) == CSV_record;) {
        for (int i = 0; i < t.pick.n; i++, n++) {
            double value;
            if (!read_number(&t, &c, t.pick.at[i], &value)) return false;
            if (type == ARRAY_f64) ((double *)x.data)[n] = value;
            else if (fabs(value) >= 0x1.ffffffp127) return cell_fail(&t, &c, t.pick.at[i], "does not fit in f32");
            else ((float *)x.data)[n] = (float)value;
        }
    }
    *out = x;
    return true;
}

bool csv_column(Input *in, const char *columns, const CsvOptions *options, Cell **out, int64_t *n)
{
    Table t;
    if (!table_open(&t, in, columns, options, false)) return false;
    if (t.pick.n != 1) return input_fail(in, "[%s] picks %d columns, expected one", columns, t.pick.n);
    Csv c = t.data;
    *out = NEW_ARRAY(in->arena, Cell, t.rows);
    for (*n = 0; csv_next(&c) == CSV_record; ++*n) (*out)[*n] = c.cell.at[t.pick.at[0]];
    return true;
}

/* ---- labels ---- */

enum { CLASS_LIMIT = 1 << 16 };

typedef struct Class { const char *name; double value; } Class;  /* value: 0 when the labels are not integers */

typedef struct Labels {
    Table table;
    int column;
    int64_t low, high;
    bool integers;              /* all of them are */
    int64_t outside;            /* line of the first integer outside low .. high; 0: none */
    int64_t outside_row, outside_value;
    VEC(Class) class;           /* sorted */
} Labels;

/* First pass over the column: what kind of labels are these? */
static bool survey(Labels *l)
{
    Csv c = l->table.data;
    bool fraction = false, text = false;
    int64_t fraction_line = 0;
    for (int64_t row = 0; csv_next(&c) == CSV_record; row++) {
        double x = 0;
        CellKind kind = cell_kind(&c.cell.at[l->column], &x);
        if (kind == CELL_missing) return cell_fail(&l->table, &c, l->column, "is a missing value");
        text = text || kind == CELL_text;
        if (kind == CELL_text) continue;
        if (x != nearbyint(x) || fabs(x) > 0x1p53) {
            if (!fraction) fraction_line = c.line;
            fraction = true;
        } else if (!l->outside && (x < (double)l->low || x >= (double)l->high)) {
            l->outside = c.line;
            l->outside_row = row;
            l->outside_value = (int64_t)x;
        }
    }
    l->integers = !text && !fraction;
    if (fraction && !text) return csv_fail(&c, fraction_line, "column %d: a label must be an integer or a name", l->column);
    return true;
}

static bool outside_range(Labels *l)
{
    return csv_fail(&l->table.csv, l->outside, "sample %" PRId64 ": label %" PRId64 " is not in %" PRId64 "..%" PRId64
                    " (its end excluded)", l->outside_row, l->outside_value, l->low, l->high);
}

static int compare(const Class *a, const Class *b)
{
    return a->value != b->value ? (a->value < b->value ? -1 : 1) : strcmp(a->name, b->name);
}

/* Integers are named by their value, so that 1 and 1.0 are one class. */
static Class class_of(Labels *l, const Csv *c)
{
    Class k = {.name = NULL};
    if (l->integers && cell_kind(&c->cell.at[l->column], &k.value) == CELL_number)
        k.name = arena_printf(c->in->arena, "%.0f", k.value + 0.0);
    else k = (Class){cell_string(c->in->arena, &c->cell.at[l->column]), 0};
    return k;
}

/* The first place whose class is not less than k. */
static int class_place(const Labels *l, const Class *k)
{
    int low = 0, high = l->class.n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (compare(&l->class.at[middle], k) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool class_at(const Labels *l, int at, const Class *k)
{
    return at < l->class.n && compare(&l->class.at[at], k) == 0;
}

static bool collect_classes(Labels *l)
{
    Csv c = l->table.data;
    while (csv_next(&c) == CSV_record) {
        Class k = class_of(l, &c);
        int at = class_place(l, &k);
        if (class_at(l, at, &k)) continue;
        if (l->class.n == l->high)
            return l->integers ? outside_range(l) : cell_fail(&l->table, &c, l->column, "is one label more than fit");
        vec_push(c.in->arena, &l->class, k);
        memmove(l->class.at + at + 1, l->class.at + at, (size_t)(l->class.n - 1 - at) * sizeof k);
        l->class.at[at] = k;
    }
    if (l->class.n == l->high) return true;
    if (l->integers) return outside_range(l);
    return input_fail(c.in, "column %d has %d different labels, expected %" PRId64, l->column, l->class.n, l->high);
}

/* The classes of earlier data, in their order. */
static bool find_like(Labels *l, const Array *like, Csv *c, int32_t *index)
{
    bool integers = l->integers;
    for (int pass = 0; pass < 2; pass++) {  /* as written, then as a number */
        l->integers = pass;
        Class k = class_of(l, c);
        for (int i = 0; i < like->classes; i++)
            if (strcmp(like->class_name[i], k.name) == 0) {
                *index = i;
                l->integers = integers;
                return true;
            }
    }
    return cell_fail(&l->table, c, l->column, "is no label of the data before");
}

static bool store_labels(Labels *l, const Array *like, Array *out)
{
    Csv c = l->table.data;
    int32_t *y = out->data;
    for (; csv_next(&c) == CSV_record; y++) {
        double x;
        if (like && like->classes) {
            if (!find_like(l, like, &c, y)) return false;
        } else if (l->class.n) {
            Class k = class_of(l, &c);
            *y = class_place(l, &k);
        } else {
            cell_kind(&c.cell.at[l->column], &x);
            *y = (int32_t)x;
        }
    }
    return true;
}

static void name_classes(Labels *l, const Array *like, Array *out)
{
    if (like && like->classes) {
        out->classes = like->classes;
        out->class_name = like->class_name;
    } else if (l->class.n) {
        const char **name = NEW_ARRAY(l->table.csv.in->arena, const char *, l->class.n);
        for (int i = 0; i < l->class.n; i++) name[i] = l->class.at[i].name;
        out->classes = l->class.n;
        out->class_name = name;
    }
}

bool csv_labels(Input *in, const char *columns, const CsvOptions *options, int64_t low, int64_t high,
                const Array *like, Array *out)
{
    Labels l = {.low = low < INT32_MIN ? INT32_MIN : low, .high = high > INT32_MAX ? INT32_MAX : high};
    Table *t = &l.table;
    if (!table_open(t, in, columns, options, false)) return false;
    if (t->pick.n != 1) return input_fail(in, "%d columns are picked for a label, expected one", t->pick.n);
    l.column = t->pick.at[0];
    if (!survey(&l)) return false;
    bool looked_up = like && like->classes;
    bool categories = !looked_up && (!l.integers || l.outside);
    if (categories && l.integers && (low != 0 || like)) return outside_range(&l);
    if (categories && (low != 0 || like || high > CLASS_LIMIT))
        return input_fail(in, "column %d holds names%s", l.column, like ? ", but the data before have numbers"
                          : low == 0 ? ", but its range allows too many classes for that"
                          : "; a label that is a name needs a range such as `in 0..10`");
    if (categories && !collect_classes(&l)) return false;
    *out = array_new(in->arena, ARRAY_i32, 1, &t->rows);
    name_classes(&l, like, out);
    return store_labels(&l, like, out);
}
