/* The push scanner: takes a document in pieces of any size, writes the numbers of its arrays into
 * one growing block, of floats or of doubles, and everything else into an envelope. It knows JSON's
 * bytes; what names and options mean is the readers'.
 *
 * Every array is taken for one of numbers, but those that hold nothing and those whose member is
 * called as one that holds something else (layers, a shape's integers). Where it has a fault (it is
 * ragged, a number is out of range, something in it is none) the first one is kept, for the reader
 * that comes to the array, and the rest is passed over: it must be JSON, and that is all.
 *
 * The reference [[7]] that stands for an array cannot be forged: an array as the first element of
 * an array always becomes a reference itself. */
#ifndef GRAD_CODEC_JSON_SCANNER_H
#define GRAD_CODEC_JSON_SCANNER_H

#include "codec/json/envelope.h"

typedef enum grad_scan_state {
    GRAD_SCAN_HEAD,        /* at the first bytes, as long as they are no JSON's, kept in token */
    GRAD_SCAN_PLAIN,       /* between tokens, outside arrays of numbers */
    GRAD_SCAN_WORD,        /* in a number or a word there, kept in token */
    GRAD_SCAN_STRING,      /* in a string that goes to the envelope */
    GRAD_SCAN_ESCAPE,      /* behind a backslash in one */
    GRAD_SCAN_OPENING,     /* behind brackets that may open an array of numbers */
    GRAD_SCAN_REST_FIRST,  /* in the rest of an array with a fault, behind '[' */
    GRAD_SCAN_REST_NEXT,   /* behind ',' */
    GRAD_SCAN_REST_BEHIND, /* behind an element */
    GRAD_SCAN_REST_WORD,   /* in a number or a word, kept in token; so is the next */
    GRAD_SCAN_REST_STRING, /* in a string, its opening quote kept too */
    GRAD_SCAN_FIRST,       /* in an array of numbers, behind '[' */
    GRAD_SCAN_NEXT,        /* behind ',' */
    GRAD_SCAN_BEHIND,      /* behind an element */
    GRAD_SCAN_NUMBER,      /* in a number or a word, kept in token */
    GRAD_SCAN_LITERAL      /* in a string that may spell a NaN or an infinity, kept in token */
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
    uint64_t rests[GRAD_DEPTH_MAX / 64];   /* the same: an array in or with the rest of a fault */

    bool in_space;       /* the last byte was white space */
    size_t string_begin; /* of the last string, in the envelope behind its opening quote */
    bool key_is_list;    /* the token just ended names an array that is not of numbers */
    bool value_is_list;  /* and a colon followed */

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

/* ---- Between scanner.c, scanner_array.c and scanner_rest.c ----------------------------------- */

static inline int64_t grad_scanner_offset(const grad_scanner *scanner, const char *p)
{
    return scanner->offset + (p - scanner->piece);
}

static inline bool grad_scanner_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* GRAD_MALFORMED, which ends the reading, at a byte of the document; its pointer is found from the
 * envelope and the indices of the first levels dimensions of the array being read. Returns NULL. */
const char *grad_scanner_fail(grad_scanner *scanner, const char *code, int64_t offset,
                              size_t levels, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same for a cap: GRAD_TOO_LARGE, whose code is the cap's name. */
const char *grad_scanner_fail_limit(grad_scanner *scanner, const char *limit_name, size_t limit,
                                    int64_t offset, const char *what);

/* The same for the word in token, which is none of JSON's; what is what was expected. */
const char *grad_scanner_fail_word(grad_scanner *scanner, const char *stop, const char *what);

/* A byte that no JSON document has there. */
const char *grad_scanner_fail_byte(grad_scanner *scanner, const char *p, const char *expected);

/* A bracket at p: opens an array or object, against the limit, or closes the one that is open. */
bool grad_scanner_enter(grad_scanner *scanner, const char *p);
bool grad_scanner_leave(grad_scanner *scanner, const char *p);

/* The open brackets turn out to be those of an array of numbers. */
void grad_scanner_begin_array(grad_scanner *scanner);

/* The array being read has a fault, at the index that its first levels dimensions have come to: it
 * is kept, the array's numbers are dropped, and the rest is passed over from p on, in the state
 * that was set. Returns p, NULL on an error. */
const char *grad_scanner_fail_array(grad_scanner *scanner, const char *p, const char *code,
                                    int64_t offset, size_t levels, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Goes on in the rest of such an array by a token. Returns where, NULL on an error. */
const char *grad_scanner_rest(grad_scanner *scanner, const char *p, const char *end);

/* The innermost of the open brackets are those of such a rest. */
void grad_scanner_mark_rest(grad_scanner *scanner, size_t levels);

/* The state behind a value: what is open may be the rest of an array with a fault. */
grad_scan_state grad_scanner_behind(const grad_scanner *scanner);

/* Goes on in an array of numbers, till it or the piece ends. Returns where, NULL on an error. */
const char *grad_scanner_array(grad_scanner *scanner, const char *p, const char *end);

/* A token begins at p. */
void grad_scanner_begin_token(grad_scanner *scanner, const char *p, grad_scan_state state);

/* Adds the bytes of a word to token, byte by byte. Returns behind the last, NULL on an error. */
const char *grad_scanner_collect(grad_scanner *scanner, const char *p, const char *end);

#endif
