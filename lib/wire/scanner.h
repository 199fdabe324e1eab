/* The push scanner: takes a document in pieces of any size, writes the numbers of its arrays into
 * one growing block, of floats or of doubles, and everything else into an envelope. It knows JSON's
 * bytes; what names and options mean is the readers'.
 *
 * The reference [[7]] that stands for an array cannot be forged, because an array of numbers in
 * the document always becomes a reference itself. The one exception is the value of a key spelled
 * literally "shape", whose integers are wanted as they are: readers never take that one for a
 * reference, and any array of numbers inside it is still replaced. */
#ifndef GRADIENT_WIRE_SCANNER_H
#define GRADIENT_WIRE_SCANNER_H

#include "wire/envelope.h"

typedef enum grad_scan_state {
    GRAD_SCAN_PLAIN,          /* between tokens and in literals, outside arrays of numbers */
    GRAD_SCAN_STRING,         /* in a string that goes to the envelope */
    GRAD_SCAN_ESCAPE,         /* behind a backslash in one */
    GRAD_SCAN_OPENING,        /* behind brackets that may open an array of numbers */
    GRAD_SCAN_OPENING_STRING, /* in a first leaf that may be "NaN" */
    GRAD_SCAN_FIRST,          /* in an array of numbers, behind '[' */
    GRAD_SCAN_NEXT,           /* behind ',' */
    GRAD_SCAN_BEHIND,         /* behind an element */
    GRAD_SCAN_NUMBER,         /* in a number, kept in token */
    GRAD_SCAN_LITERAL         /* in what must become "NaN", "Infinity" or "-Infinity" */
} grad_scan_state;

/* One open dimension of an array of numbers. */
typedef struct grad_scan_row {
    size_t count;   /* elements so far */
    int64_t offset; /* of its '[' */
} grad_scan_row;

typedef struct grad_scanner {
    grad_envelope envelope;
    grad_datatype datatype;
    void *numbers; /* of that datatype */
    size_t number_count, number_capacity, max_numbers;
    size_t item_count; /* commas of arrays and objects in what the document's root holds */
    grad_error error;  /* the first; sticks */

    grad_scan_state state;
    int64_t offset;    /* of the piece being scanned */
    const char *piece; /* its first byte */
    size_t depth, max_depth;
    uint64_t objects[GRAD_DEPTH_MAX / 64]; /* bit d: what is open at depth d is an object */

    bool in_space;       /* the last byte was white space */
    bool string_matches; /* the string so far is a beginning of "shape" */
    size_t string_length;
    bool key_is_shape;   /* the token just ended was "shape" */
    bool value_is_shape; /* and a colon followed */

    grad_number_array array;           /* the one being read; shape 0: not known yet */
    size_t level;                      /* its open brackets */
    grad_scan_row rows[GRAD_MAX_RANK]; /* of them, outermost first */

    char token[GRAD_NUMBER_TEXT_MAX];
    size_t token_length;
    int64_t token_offset;
} grad_scanner;

/* limits hold no zeros. The first block is sized by expected_bytes. */
grad_status grad_scanner_init(grad_scanner *scanner, const grad_wire_limits *limits,
                              grad_datatype datatype, size_t expected_bytes, grad_error *error);
void grad_scanner_free(grad_scanner *scanner);

/* Errors stay in scanner->error. */
grad_status grad_scanner_push(grad_scanner *scanner, const char *bytes, size_t length);

/* The document ends here: it must not end inside anything. */
grad_status grad_scanner_end(grad_scanner *scanner);

/* ---- Between scanner.c and scanner_array.c --------------------------------------------------- */

static inline int64_t grad_scanner_offset(const grad_scanner *scanner, const char *p)
{
    return scanner->offset + (p - scanner->piece);
}

static inline bool grad_scanner_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* An error at a byte of the document; its pointer is found from the envelope and the indices of the
 * first levels dimensions of the array being read. Returns NULL. */
const char *grad_scanner_fail(grad_scanner *scanner, grad_status status, const char *code,
                              int64_t offset, size_t levels, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* The same for a cap: GRAD_TOO_LARGE, whose code is the cap's name. */
const char *grad_scanner_fail_limit(grad_scanner *scanner, const char *limit_name, size_t limit,
                                    int64_t offset, const char *what);

/* A byte that no JSON document has there. */
const char *grad_scanner_fail_byte(grad_scanner *scanner, const char *p, const char *expected);

/* The open brackets turn out to be those of an array of numbers. */
void grad_scanner_begin_array(grad_scanner *scanner);

/* Goes on in an array of numbers, till it or the piece ends. Returns where, NULL on an error. */
const char *grad_scanner_array(grad_scanner *scanner, const char *p, const char *end);

typedef enum grad_literal { GRAD_LITERAL_NO, GRAD_LITERAL_PART, GRAD_LITERAL_WHOLE } grad_literal;

/* Takes the next byte of a string that may be a number that is not finite. WHOLE: it was one, and
 * is added to the numbers. NO: it isn't; the byte is not taken. */
grad_literal grad_scanner_literal(grad_scanner *scanner, char c);

#endif
