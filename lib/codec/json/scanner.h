/* The push scanner: takes a document in pieces of any size, writes the numbers of its arrays into
 * one growing block, of floats or of doubles, and everything else into an envelope. It knows JSON's
 * bytes; what names and options mean is the readers'.
 *
 * Every array is taken for one of numbers, but those that hold nothing and those whose member is
 * called as one that holds something else (layers, a shape's integers). Where it has an error (it
 * is ragged, a number is out of range, something in it is none) the first one is kept, for the
 * reader that comes to the array, and the rest is passed over: it must be JSON, and that is all.
 */
#ifndef GRAD_CODEC_JSON_SCANNER_H
#define GRAD_CODEC_JSON_SCANNER_H

#include "codec/json/byte_array.h"
#include "codec/json/envelope.h"

typedef enum grad_scan_state {
    GRAD_SCAN_HEAD,    /* at the first bytes, as long as they are no JSON's, kept in token */
    GRAD_SCAN_PLAIN,   /* between tokens, outside arrays of numbers */
    GRAD_SCAN_WORD,    /* in a number or a word there, kept in token */
    GRAD_SCAN_STRING,  /* in a string that goes to the envelope */
    GRAD_SCAN_ESCAPE,  /* behind a backslash in one */
    GRAD_SCAN_BASE64,  /* in a string of base64, which goes to the block of numbers */
    GRAD_SCAN_OPENING, /* behind brackets that may open an array of numbers */
    GRAD_SCAN_FIRST,   /* in an array of numbers, or in the rest of one with an error, behind '[' */
    GRAD_SCAN_NEXT,    /* behind ',' */
    GRAD_SCAN_BEHIND,  /* behind an element */
    GRAD_SCAN_NUMBER,  /* in a number or a word, kept in token */
    GRAD_SCAN_LITERAL  /* in a string that may spell a NaN or an infinity, kept in token */
} grad_scan_state;

/* What is open. */
typedef enum grad_scan_bracket {
    GRAD_SCAN_NOTHING,
    GRAD_SCAN_OBJECT,
    GRAD_SCAN_ARRAY,
    GRAD_SCAN_REST /* an array with an error, or one in its rest */
} grad_scan_bracket;

/* One open dimension of an array of numbers. */
typedef struct grad_scan_row {
    size_t count;   /* elements so far */
    int64_t offset; /* of its '[' */
} grad_scan_row;

typedef struct grad_scanner {
    grad_envelope envelope;
    grad_number_block block;
    bool takes_inputs; /* "inputs" is a list of objects, as in the Open Inference Protocol */
    size_t item_count; /* commas of arrays and objects in what the document's root holds */
    grad_error error;  /* the first; sticks */

    grad_scan_state state;
    int64_t offset;    /* of the piece being scanned */
    const char *piece; /* its first byte */
    size_t depth, max_depth;
    unsigned char open[GRAD_DEPTH_MAX]; /* grad_scan_bracket: what is open at a depth */

    bool in_space;         /* the last byte was white space */
    size_t string_begin;   /* of the last string, in the envelope behind its opening quote */
    bool is_behind_string; /* it was the last token */
    bool is_behind_name;   /* it was followed by a colon, the last token */

    grad_number_array array;           /* the one being read; shape 0: not known yet */
    size_t level;                      /* its open brackets; 0 in the rest of one with an error */
    grad_scan_row rows[GRAD_MAX_RANK]; /* of them, outermost first */

    grad_byte_array bytes; /* the one being read */
    size_t bytes_of;    /* one more than the index of the last array of bytes, as long as they are
                            * no numbers; 0: there is none */
    size_t bytes_place; /* its place, */
    size_t bytes_depth; /* and what was open */

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

#endif
