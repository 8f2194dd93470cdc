/* io.h -- arrays in and out: IDX, NPY, CSV and safetensors files; knows nothing of networks. */
#ifndef NETC_IO_H
#define NETC_IO_H

#include "../base/base.h"

/* ---- arrays ---- */

/*    name  in C      safetensors  npy   idx                               */
#define ARRAY_INTEGERS(T)                                                    \
    T(i8,   int8_t,   "I8",        "i1", 0x09)                               \
    T(u8,   uint8_t,  "U8",        "u1", 0x08)                               \
    T(i16,  int16_t,  "I16",       "i2", 0x0B)                               \
    T(u16,  uint16_t, "U16",       "u2", 0   )                               \
    T(i32,  int32_t,  "I32",       "i4", 0x0C)                               \
    T(u32,  uint32_t, "U32",       "u4", 0   )                               \
    T(i64,  int64_t,  "I64",       "i8", 0   )                               \
    T(u64,  uint64_t, "U64",       "u8", 0   )                               \
    T(bool, uint8_t,  "BOOL",      "b1", 0   )
#define ARRAY_REALS(T)                                                       \
    T(f32,  float,    "F32",       "f4", 0x0D)                               \
    T(f64,  double,   "F64",       "f8", 0x0E)                               \
    T(f16,  uint16_t, "F16",       "f2", 0   )                               \
    T(bf16, uint16_t, "BF16",      NULL, 0   )
#define ARRAY_TYPES(T) ARRAY_INTEGERS(T) ARRAY_REALS(T)

typedef enum ArrayType {
#define T(name, ...) ARRAY_##name,
    ARRAY_TYPES(T)
#undef T
    ARRAY_type_count
} ArrayType;

typedef struct ArrayTypeInfo {
    const char *name;        /* "f32": as in .net text                       */
    int bytes;               /* of one element                               */
    bool real;
    const char *safetensors; /* "F32"                                        */
    const char *npy;         /* "f4" without the byte order; NULL: has none  */
    int idx;                 /* the type byte; 0: has none                   */
} ArrayTypeInfo;

extern const ArrayTypeInfo array_types[ARRAY_type_count];

enum { ARRAY_RANK = 8, ARRAY_TEXT = 160 };

typedef struct Array {
    const char *name;            /* of the tensor in its file; NULL where the format has no names       */
    ArrayType type;
    int rank;                    /* 0 is a scalar: one element                                          */
    int64_t shape[ARRAY_RANK];
    int64_t elements;            /* product of the shape, checked; elements * bytes fits in size_t too  */
    void *data;                  /* row-major, native byte order, aligned to its type; may lie in the bytes of the file */
    int classes;                 /* of a categorical CSV column: data are indices below it; else 0      */
    const char *const *class_name;  /* [classes]: sorted; NULL when classes is 0                        */
} Array;

/* A new array of zeros; the shape's product must fit (else memory_out). */
Array array_new(Arena *a, ArrayType type, int rank, const int64_t *shape);
/* Elements and bytes of a shape. False when a dimension is negative or the product overflows. */
bool shape_size(int rank, const int64_t *shape, ArrayType type, int64_t *elements, size_t *bytes);
/* "f32[150, 4]" */
char *array_text(Arena *a, const Array *x);
/* Element i (row-major) of any type as a double; 64-bit integers may round. */
double array_real(const Array *x, int64_t i);
float f16_value(uint16_t half);
float bf16_value(uint16_t bits);

/* ---- a file's bytes, and what is wrong with them ---- */

/* Bytes of a data or weights file, also after unpacking: 4 GiB, or less where size_t is narrow. */
#define INPUT_LIMIT ((size_t)(SIZE_MAX / 4 < 0xffffffff ? SIZE_MAX / 4 : (uint64_t)4 << 30))

/* Readers take one of these, so each reads from memory as well as from a file. On failure a reader returns false with
   one line in `why` (it names the file, the byte or line, what was found and what was expected) and the exit status
   in `status`; everything that is returned lives in the arena or in `bytes`. */
typedef struct Input {
    Arena *arena;
    const char *name;            /* of the file, for messages */
    const unsigned char *bytes;
    size_t size;
    const char *why;
    int status;                  /* EXIT_noinput, EXIT_model or EXIT_io */
} Input;

/* Reads a file and unpacks it when it begins as gzip does. */
bool input_read(Input *in, Arena *a, const char *path, size_t limit);
/* Replaces gzip'ed bytes by what they hold: at most `limit` bytes, and no more than an IDX header in them promises. */
bool input_unzip(Input *in, size_t limit);
/* Always false: "NAME: MESSAGE" in why, EXIT_model in status. */
bool input_fail(Input *in, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The elements of `x` (type and shape are set) from bytes at `offset`; `big`: they are big-endian. Fails when the
   file ends early. */
bool input_elements(Input *in, Array *x, size_t offset, bool big);
/* The other byte order. */
void bytes_swap(void *to, const void *from, int64_t elements, int width);
bool host_is_big(void);

/* ---- conversion: what would change a value is refused, naming the element; rounding to f32 is not a change ---- */

/* The same values as another type. Integers must fit (f32 holds them exactly up to 2^24), reals become integers only
   when integral; a finite f64 must be finite in f32. Shares the data when the type is the same. */
bool array_convert(Input *in, const Array *x, ArrayType type, Array *out);
/* array_convert to f32 of a tensor (weights as F64, F16, BF16 ...) read from `file`. */
bool array_to_f32(Arena *a, const char *file, const Array *x, Array *out, const char **why, int *status);
/* Each integer within low .. high (high excluded), else the first that is not, by sample. */
bool array_check_range(Input *in, const Array *x, int64_t low, int64_t high);

/* ---- formats ---- */

bool idx_is(const Input *in);
bool idx_read(Input *in, Array *out);
/* The size of an IDX file whose first `n` bytes are these; 0 when they are not IDX, SIZE_MAX when it overflows. */
size_t idx_size(const unsigned char *bytes, size_t n);

bool npy_is(const Input *in);
/* Versions 1 to 3; Fortran order is transposed to row-major. */
bool npy_read(Input *in, Array *out);
/* Version 1, little-endian, C order. Not for bf16 and the like, which NPY cannot say. */
bool npy_write(Arena *a, const char *path, const Array *x, const char **why);
/* The bytes that npy_write writes. */
Text npy_bytes(Arena *a, const Array *x);

typedef struct Tensors {
    Array *at;                   /* [n], in the order of the header; each has its name */
    int n;
    int metadata_pairs;
    const char *const *metadata; /* [2 * metadata_pairs]: key, value, key, value ... */
} Tensors;

bool safetensors_is(const Input *in);
bool safetensors_read(Input *in, Tensors *out);
bool safetensors_load(Arena *a, const char *path, Tensors *out, const char **why, int *status);
/* NULL when there is none of that name. */
const Array *tensors_find(const Tensors *t, const char *name);
const char *tensors_metadata(const Tensors *t, const char *key);
/* Atomically, in the given order. Names must be UTF-8, unique and not "__metadata__"; else *why. */
bool safetensors_write(Arena *a, const char *path, const Tensors *t, const char **why, int *status);
/* The bytes that safetensors_write writes; false with *why. */
bool safetensors_bytes(Arena *a, const Tensors *t, Text *out, const char **why);

/* ---- CSV: RFC 4180 quotes, LF or CRLF; unquoted cells are trimmed; empty, ?, NA and nan mean missing ---- */

typedef enum CsvHeader { CSV_header_detect, CSV_header_present, CSV_header_absent } CsvHeader;

typedef struct CsvOptions {
    char separator;              /* 0: the one of , ; and tab that splits the first lines best */
    CsvHeader header;            /* detect: the first line is one when a wanted number is none in it but may be one in the
                                    second line, when it has no number at all but the second line has one under a
                                    text, or when a column is picked by name */
} CsvOptions;

typedef struct Cell {
    const char *s;               /* not NUL-terminated */
    size_t n;
    bool quoted;                 /* s is what stands between the quotes: "" means " */
} Cell;

/* Columns, counted from 0: "0:4" (end excluded), "4", "-1" (the last), "1,3,5:8", "age,income"; NULL is all. */

/* Numbers, rounded to f32 or f64 [rows, columns]. */
bool csv_numbers(Input *in, const char *columns, const CsvOptions *options, ArrayType type, Array *out);
/* One column as i32 [rows]. Integers within low .. high (high excluded) stand for themselves. Anything else is a
   category: the sorted unique values (integers by value, else by bytes), which must be `high` many with low 0, are the
   class names. When `like` (NULL: none) has classes, values are looked up there instead. */
bool csv_labels(Input *in, const char *columns, const CsvOptions *options, int64_t low, int64_t high,
                const Array *like, Array *out);
/* One column's cells as they are; at least one. */
bool csv_column(Input *in, const char *columns, const CsvOptions *options, Cell **out, int64_t *n);
/* How many columns a spec picks; 0 on failure. */
int csv_columns(Input *in, const char *columns, const CsvOptions *options);

/* One record after the other, for the functions above. */
typedef enum CellKind { CELL_number, CELL_missing, CELL_text } CellKind;

typedef struct Csv {
    Input *in;
    char separator;
    size_t at;                   /* where the next record begins */
    int64_t next_line, line;     /* of the next record and of the current one, from 1 */
    VEC(Cell) cell;              /* the current record */
} Csv;

typedef enum CsvStep { CSV_record, CSV_end, CSV_error } CsvStep;

/* At the first record; finds the separator. False when the bytes are not text. */
bool csv_open(Csv *c, Input *in, const CsvOptions *options);
CsvStep csv_next(Csv *c);
/* Always false: "FILE:LINE: MESSAGE". */
bool csv_fail(Csv *c, int64_t line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A decimal number that is finite is one; hexadecimal and "inf" are text. */
CellKind cell_kind(const Cell *cell, double *value);
/* Quotes resolved, NUL-terminated. */
char *cell_string(Arena *a, const Cell *cell);

/* ---- data for a net's input ---- */

typedef struct DataWant {
    ArrayType type;              /* f32, f64, i32, u8 ... : what the net's input has */
    bool ranged;                 /* integers must lie in low .. high (high excluded) */
    int64_t low, high;
    bool shaped;                 /* a sample has this shape, but for axes of 1; or either of the two is flat */
    int rank;
    int64_t shape[ARRAY_RANK];
    const Array *like;           /* data loaded before for the same input (validation after training), or NULL */
    CsvOptions csv;
} DataWant;

/* Reads "FILE", "FILE.csv[COLUMNS]" or "FILE.safetensors[TENSOR]"; what the file is its first bytes tell, not its
   name. The result is [samples, ...] of the wanted type and, when shaped, of exactly the wanted shape. At least one
   sample; a NaN is refused as missing. */
bool data_load(Arena *a, const char *spec, const DataWant *want, Array *out, const char **why, int *status);
/* "FILE[PART]" in two; part is NULL without brackets. */
void spec_split(Arena *a, const char *spec, const char **path, const char **part);
/* The same from bytes; `part` is what stands in the brackets, or NULL. */
bool data_read(Input *in, const char *part, const DataWant *want, Array *out);

#endif
