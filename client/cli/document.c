/* Reading the document, and telling a file that holds no JSON by its first bytes: arrays, tables,
 * archives of weights, compressed or strangely encoded text. */
#include "cli/cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 65536
#define NUMPY "in Python: json.dump({… array.tolist() …}, file)"
#define TORCH "in Python: json.dump({… tensor.tolist() …}, file)"
#define UTF8 "save it as UTF-8"
#define ZIP_NAME_OFFSET 30
#define LONGEST_HEADER 100000000UL /* of safetensors */

/* ---- What a file is -------------------------------------------------------------------------- */

/* What a file is that holds no JSON. */
typedef struct file_kind {
    const char *name; /* "a NumPy array (.npy)"; NULL: it may be JSON */
    const char *hint; /* how to make a document of it */
} file_kind;

static const struct {
    const char *bytes;
    size_t length;
    file_kind kind;
} beginnings[] = {
    {"\x93NUMPY", 6, {"a NumPy array (.npy)", NUMPY}},
    {"\x1f\x8b", 2, {"compressed by gzip", "gzip -dc FILE | gradient COMMAND -"}},
    {"\x28\xb5\x2f\xfd", 4, {"compressed by zstd", "zstd -dc FILE | gradient COMMAND -"}},
    {"BZh", 3, {"compressed by bzip2", "bzip2 -dc FILE | gradient COMMAND -"}},
    {"\xfd"
     "7zXZ",
     5,
     {"compressed by xz", "xz -dc FILE | gradient COMMAND -"}},
    {"\x89HDF\r\n\x1a\n", 8, {"an HDF5 file (.h5 of Keras, .mat of MATLAB)", NUMPY}},
    {"MATLAB 5.0 MAT-file", 19, {"a MATLAB file (.mat)", "in MATLAB: jsonencode"}},
    {"GGUF", 4, {"a GGUF model", NUMPY}},
    {"PAR1", 4, {"a Parquet file", NUMPY}},
    {"ARROW1", 6, {"an Arrow file", NUMPY}},
    {"\xff\xfe", 2, {"text in UTF-16", UTF8}},
    {"\xfe\xff", 2, {"text in UTF-16", UTF8}},
    {"{\0", 2, {"text in UTF-16", UTF8}},
    {"\0{", 2, {"text in UTF-16", UTF8}},
    {"%PDF", 4, {"a PDF file", NULL}},
    {"<", 1, {"XML or HTML", NULL}},
    {"---", 3, {"YAML", NULL}},
};

/* An archive is known by the name of its first file: .npz holds x.npy, .pt holds x/data.pkl. */
static file_kind kind_of_zip(const char *bytes, size_t length)
{
    char name[64] = "";
    size_t room = length > ZIP_NAME_OFFSET ? length - ZIP_NAME_OFFSET : 0;
    size_t named = length > ZIP_NAME_OFFSET - 4 ? (unsigned char)bytes[ZIP_NAME_OFFSET - 4] : 0;

    room = room < named ? room : named;
    if (room > 0)
        memcpy(name, bytes + ZIP_NAME_OFFSET, room < sizeof name ? room : sizeof name - 1);
    if (strstr(name, ".npy") != NULL)
        return (file_kind){"an archive of NumPy arrays (.npz)", NUMPY};
    if (strstr(name, "data.pkl") != NULL || strstr(name, ".format_version") != NULL)
        return (file_kind){"saved by PyTorch (.pt)", TORCH};
    return (file_kind){"a zip archive", "unpack it"};
}

/* Eight bytes with the length of the JSON header that follows. */
static bool is_safetensors(const unsigned char *bytes, size_t length)
{
    unsigned long long header = 0;

    if (length < 9 || bytes[8] != '{')
        return false;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | bytes[i];
    return header >= 2 && header <= LONGEST_HEADER;
}

/* A first line of several fields, numbers or names, is nothing that JSON begins with. */
static bool is_table(const char *bytes, size_t length)
{
    const char *end;
    size_t line;

    while (length > 0 && memchr(" \t\r\n", bytes[0], 4) != NULL) {
        bytes++;
        length--;
    }
    if (length == 0 || memchr("{[\"", bytes[0], 3) != NULL)
        return false;
    end = memchr(bytes, '\n', length);
    line = end != NULL ? (size_t)(end - bytes) : length;
    for (size_t i = 0; i < line; i++)
        if ((unsigned char)bytes[i] < 0x20 && bytes[i] != '\t' && bytes[i] != '\r')
            return false;
    return memchr(bytes, ',', line) != NULL || memchr(bytes, ';', line) != NULL ||
           memchr(bytes, '\t', line) != NULL || memchr(bytes, ' ', line) != NULL;
}

static const file_kind *find_beginning(const char *bytes, size_t length)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (length >= beginnings[i].length &&
            memcmp(bytes, beginnings[i].bytes, beginnings[i].length) == 0)
            return &beginnings[i].kind;
    return NULL;
}

static bool begins_with(const char *bytes, size_t length, const char *beginning)
{
    return length >= strlen(beginning) && memcmp(bytes, beginning, strlen(beginning)) == 0;
}

/* bytes: the first of the file, up to a few thousand; length 0: it is empty. */
static file_kind file_kind_of(const char *bytes, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    const file_kind *found = find_beginning(bytes, length);

    if (length == 0)
        return (file_kind){"nothing", NULL};
    if (found != NULL)
        return *found;
    if (begins_with(bytes, length, "PK\x03\x04"))
        return kind_of_zip(bytes, length);
    if (length >= 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5)
        return (file_kind){"a Python pickle (.pkl, or .pt of an old PyTorch)", TORCH};
    if (is_safetensors((const unsigned char *)bytes, length))
        return (file_kind){"a safetensors file", TORCH};
    if (begins_with(bytes, length, mark))
        return file_kind_of(bytes + strlen(mark), length - strlen(mark));
    if (is_table(bytes, length))
        return (file_kind){"a table (CSV or alike)", "rows become arrays: [[1, 2], [3, 4]]"};
    return (file_kind){NULL, NULL};
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Whether it can be a document, by its first piece. Returns the exit code. */
static int judge_beginning(const options *o, const char *bytes, size_t length)
{
    const char *file = strcmp(o->file, "-") == 0 ? "standard input" : o->file;
    file_kind kind = file_kind_of(bytes, length);

    if (kind.name == NULL)
        return EXIT_OK;
    return report_failure(o, EXIT_BAD_INPUT, "%s: expected a JSON document, found %s%s%s%s", file,
                          kind.name, kind.hint != NULL ? " (" : "",
                          kind.hint != NULL ? kind.hint : "", kind.hint != NULL ? ")" : "");
}

static int read_pieces(const options *o, FILE *in,
                       bool (*take)(void *context, const char *bytes, size_t length), void *context)
{
    char piece[PIECE_BYTES];
    size_t length = fread(piece, 1, sizeof piece, in);
    int exit_code = ferror(in) ? EXIT_OK : judge_beginning(o, piece, length);

    if (exit_code != EXIT_OK)
        return exit_code;
    for (; length > 0; length = fread(piece, 1, sizeof piece, in))
        if (!take(context, piece, length))
            return EXIT_OK;
    if (ferror(in))
        return report_system_failure(o, EXIT_BAD_INPUT, o->file);
    return EXIT_OK;
}

int command_read_document(const options *o,
                          bool (*take)(void *context, const char *bytes, size_t length),
                          void *context)
{
    FILE *in = strcmp(o->file, "-") == 0 ? stdin : fopen(o->file, "rb");
    int exit_code;

    if (in == NULL)
        return report_system_failure(o, EXIT_BAD_INPUT, o->file);
    if (in == stdin && isatty(STDIN_FILENO) && !o->quiet)
        fprintf(stderr, "gradient: reading the document from standard input\n");
    exit_code = read_pieces(o, in, take, context);
    if (in != stdin)
        fclose(in);
    return exit_code;
}
